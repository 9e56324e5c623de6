// Counts the texts as the networks do and by our rules, and prints how many differ: X by its own counter, the others by `counters.mjs`.
// Run by `tests/text-length/run`, which says where X's counter and our program are.

import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import process from "node:process";
import { counters } from "./counters.mjs";
import { INSTANCES, FEDERATED, HOSTILE, HOSTILE_FEDERATED, emojiWalk, endingWalk, flagWalk, generator, letterWalk } from "./texts.mjs";

const [counterFolder, ours, seed = "20261130", count = "10000"] = process.argv.slice(2);
const require = createRequire(`${counterFolder}/`);
const twitterText = require("twitter-text");
const X = { network: "X", unit: "weighted", count: (text) => twitterText.parseTweet(text).weightedLength };

// Texts that may differ, each with its reason. None does.
const NAMED = new Map();

// Many times what they need. What grows with the square of a text's length takes minutes.
const HOSTILE_MS_MAX = 200_000;

const names = (list) => require(`twitter-text/dist/regexp/${list}`).source.replace(/^(\(\?:)+/, "").replace(/\).*$/s, "").split("|");
const endings = [...names("validGTLD"), ...names("validCCTLD")];

function measured(unit, texts) {
    const input = texts.map((text) => JSON.stringify(text)).join("\n");
    const run = spawnSync(ours, [unit], { input, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["pipe", "pipe", "inherit"] });
    if (run.status !== 0) throw new Error(`${ours} ended with ${run.status ?? run.error}`);
    return run.stdout.trimEnd().split("\n").map(Number);
}

function compare({ network, unit, count }, what, texts) {
    const lengths = measured(unit, texts);
    if (lengths.length !== texts.length) throw new Error(`${what}: ${lengths.length} lengths for ${texts.length} texts`);
    const differing = texts
        .map((text, at) => ({ text, theirs: count(text), ours: lengths[at] }))
        .filter(({ text, theirs, ours }) => theirs !== ours && !NAMED.has(text));
    console.log(`${network}, ${what}: ${texts.length} texts, ${differing.length} differ`);
    for (const { text, theirs, ours } of differing.slice(0, 5)) console.log(`  ${network} counts ${theirs}, we count ${ours}: ${JSON.stringify(text)}`);
    return differing.length;
}

// X's counter takes minutes for some of these, and so do regular expressions; ours is asked alone.
function isFast({ network, unit }, texts) {
    const started = process.hrtime.bigint();
    measured(unit, texts);
    const took = Number((process.hrtime.bigint() - started) / 1_000_000n);
    const kilobytes = Math.round(Buffer.byteLength(texts[0]) / 1_000);
    console.log(`${network}, hostile: ${texts.length} texts of ${kilobytes} KB in ${took} ms together, ${HOSTILE_MS_MAX} allowed`);
    return took <= HOSTILE_MS_MAX;
}

if (endings.length < 1500) throw new Error(`the counter's list of endings was not found: ${endings.length}`);
const next = generator(Number(seed), endings);
let differing = compare(X, "what differed once", INSTANCES);
differing += compare(X, `generated from ${seed}`, Array.from({ length: Number(count) }, next));
differing += compare(X, "every letter in every place", [...letterWalk()]);
differing += compare(X, "every emoji", [...emojiWalk()]);
differing += compare(X, "every flag", [...flagWalk()]);
differing += compare(X, "every ending", [...endingWalk(endings)]);

// A Node.js of an older Unicode than ours joins other letters.
console.log(`The others by Node.js ${process.versions.node}, Unicode ${process.versions.unicode}`);
const others = counters(require);
for (const other of others) {
    const next = generator(Number(seed), endings, FEDERATED);
    differing += compare(other, `generated from ${seed}`, Array.from({ length: Number(count) / 10 }, next));
    differing += compare(other, "every emoji", [...emojiWalk()]);
}
// A tenth of each is enough to show what grows with the square of it, and all of it takes an unoptimised program a minute.
const shorter = [...HOSTILE, ...HOSTILE_FEDERATED].map((text) => text.slice(0, text.length / 10).toWellFormed());
const slow = [isFast(X, HOSTILE), ...others.map((other) => isFast(other, shorter))].filter((fast) => !fast);
process.exitCode = differing === 0 && slow.length === 0 ? 0 : 1;
