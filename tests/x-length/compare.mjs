// Counts the texts by X's counter and by ours, and prints how many differ. Run by `tests/x-length/run`, which says where both are.

import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import process from "node:process";
import { INSTANCES, HOSTILE, emojiWalk, endingWalk, flagWalk, generator, letterWalk } from "./texts.mjs";

const [counterFolder, ours, seed = "20261130", count = "10000"] = process.argv.slice(2);
const require = createRequire(`${counterFolder}/`);
const counter = require("twitter-text");

// Texts that may differ, each with its reason. None does.
const NAMED = new Map();

// Many times what they need. What grows with the square of a text's length takes minutes.
const HOSTILE_MS_MAX = 20_000;

const names = (list) => require(`twitter-text/dist/regexp/${list}`).source.replace(/^(\(\?:)+/, "").replace(/\).*$/s, "").split("|");
const endings = [...names("validGTLD"), ...names("validCCTLD")];

function measured(texts) {
    const input = texts.map((text) => JSON.stringify(text)).join("\n");
    const run = spawnSync(ours, { input, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["pipe", "pipe", "inherit"] });
    if (run.status !== 0) throw new Error(`${ours} ended with ${run.status ?? run.error}`);
    return run.stdout.trimEnd().split("\n").map(Number);
}

function compare(what, texts) {
    const lengths = measured(texts);
    if (lengths.length !== texts.length) throw new Error(`${what}: ${lengths.length} lengths for ${texts.length} texts`);
    const differing = texts
        .map((text, at) => ({ text, x: counter.parseTweet(text).weightedLength, ours: lengths[at] }))
        .filter(({ text, x, ours }) => x !== ours && !NAMED.has(text));
    console.log(`${what}: ${texts.length} texts, ${differing.length} differ`);
    for (const { text, x, ours } of differing.slice(0, 5)) console.log(`  X counts ${x}, we count ${ours}: ${JSON.stringify(text)}`);
    return differing.length;
}

if (endings.length < 1500) throw new Error(`the counter's list of endings was not found: ${endings.length}`);
const next = generator(Number(seed), endings);
let differing = compare("what differed once", INSTANCES);
differing += compare(`generated from ${seed}`, Array.from({ length: Number(count) }, next));
differing += compare("every letter in every place", [...letterWalk()]);
differing += compare("every emoji", [...emojiWalk()]);
differing += compare("every flag", [...flagWalk()]);
differing += compare("every ending", [...endingWalk(endings)]);

// X's counter takes minutes for some of these; ours is asked alone.
const started = process.hrtime.bigint();
measured(HOSTILE);
const hostileMs = Number((process.hrtime.bigint() - started) / 1_000_000n);
console.log(`hostile: ${HOSTILE.length} texts of 190 KB in ${hostileMs} ms together, ${HOSTILE_MS_MAX} allowed`);
process.exitCode = differing === 0 && hostileMs <= HOSTILE_MS_MAX ? 0 : 1;
