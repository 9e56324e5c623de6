// The other networks' counts, as their pages and sources say, in JavaScript: characters by `Intl.Segmenter`, links by regular expressions.

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
const graphemes = (text) => Array.from(segmenter.segment(text), ({ segment }) => segment);

// LinkedIn: how it counts is not documented; our own assumption is held against itself.
const utf16 = (text) => text.length;

// Threads: an emoji is its bytes.
const EMOJI = /\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|\u20e3/u;
const emojiBytes = (text) => graphemes(text).reduce((sum, one) => sum + (EMOJI.test(one) ? Buffer.byteLength(one) : one.length), 0);

// Mastodon: where paths and queries end. Domains are those of X's counter.
const SPACES = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const IN_PATH = `[^${SPACES}<>()?]`;
const PAIR = `\\((?:${IN_PATH}+|${IN_PATH}*\\(${IN_PATH}+\\)${IN_PATH}*)\\)`;
const PATH = `(?:${IN_PATH}*(?:${PAIR}${IN_PATH}*)*(?:[^${SPACES}<>()?!*"'「」;:=,.$%\\[\\]~&|@]|${PAIR}))`;
const BEYOND_ASCII = "[\\xa0-\\ud7ff\\ue000-\\ufdcf\\ufdf0-\\uffef]|[\\ud800-\\udb3f\\udb44-\\udbff][\\udc00-\\udfff]";
const QUERY = `\\?(?:[a-z0-9!?*'();:&=+$/%#\\[\\]_.,~|@^-]|${BEYOND_ASCII})*(?:[a-z0-9_&=#/-]|${BEYOND_ASCII})`;
const BEFORE = "(?:^|[^a-z0-9@＠$#＃\\ufffe\\ufeff\\uffff])";
const SCHEME = "(?:https?|dat|dweb|ip[fn]s|ssb|gopher|gemini)://";
const WORD = "\\p{L}\\p{M}\\p{Nd}\\p{Pc}";
const MENTION = new RegExp(`(?<![=/${WORD}])@(\\w+(?:[.-]+\\w+)*)(?:@[${WORD}]+(?:[.-]+[${WORD}]+)*)?`, "gu");

// `require` finds X's counter: its expression of a domain, its check of one and its expression of a link to t.co.
export function counters(require) {
    const domain = require("twitter-text/dist/regexp/validDomain").source;
    const idna = require("twitter-text/dist/lib/idna");
    const link = new RegExp(`(${BEFORE})(${SCHEME})?(${domain})(?::[0-9]+)?(?:/${PATH}*)?(?:${QUERY})?`, "gi");
    const short = new RegExp(`^https?://t\\.co/([a-z0-9]+)(?:${QUERY})?`, "i");

    const links = (text) => Array.from(text.matchAll(link)).flatMap((match) => {
        const [all, before, scheme, host] = match;
        const start = match.index + before.length;
        let url = all.slice(before.length);
        const shortened = url.match(short);
        if (!scheme || shortened?.[1].length > 40 || !idna.toAscii(host)) return [];
        url = shortened?.[0] ?? url;
        return url.length + "https://".length <= 4096 ? [{ start, end: start + url.length, as: "x".repeat(23) }] : [];
    });
    const mentions = (text) => Array.from(text.matchAll(MENTION)).flatMap((match) => {
        const end = match.index + match[0].length;
        return /^(?:[@＠]|:\/\/)/.test(text.slice(end)) ? [] : [{ start: match.index, end, as: `@${match[1]}` }];
    });
    const weightedGraphemes = (text) => {
        let [counted, at] = ["", 0];
        for (const { start, end, as } of [...links(text), ...mentions(text)].sort((one, other) => one.start - other.start)) {
            if (start < at) continue;
            counted += text.slice(at, start) + as;
            at = end;
        }
        return graphemes(counted + text.slice(at)).length;
    };
    return [
        { network: "LinkedIn", unit: "utf16", count: utf16 },
        { network: "Threads", unit: "emoji_bytes", count: emojiBytes },
        { network: "Mastodon", unit: "weighted_graphemes", count: weightedGraphemes },
        { network: "Bluesky", unit: "graphemes", count: (text) => graphemes(text).length },
    ];
}
