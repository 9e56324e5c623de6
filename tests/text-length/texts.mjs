// The texts: the same for the same seed.

// Random numbers by the method mulberry32.
export function randomFrom(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
}

// What was once counted otherwise than X does.
export const INSTANCES = [
    "Next.js Vue.js Node.js D3.js",
    "acme.inc shop.swiss forms.gle/x a.gmbh b.ltd c.bank",
    "http://пример.рф пример.рф example.рф http://例子.中国/路",
    "http://foo_bar.com http://foo_bar.example.com foo_bar.example.com _a.example.com",
    `http://${"a".repeat(63)}.com http://${"a".repeat(64)}.com ${"ü".repeat(57)}.com http://${"ü".repeat(58)}.com`,
    "https://example.com/a–b/c https://example.com/a—b",
    "https://t.co/abc’s https://t.co/abc's https://t.co/abc/def https://t.co/abc?x=1/y https://t.co/",
    "🐦‍🔥 🙂‍↔️ 🙂‍↕️ 🍋‍🟩 🧑‍🧑‍🧒 🫱🏻‍🫲🏿 🇨🇶 🫩 ⛓️‍💥 🧑🏽‍🎓 ❤️‍🔥 👁️‍🗨️ 👁‍🗨 ☝️🏽 👍️ ⌚️ ♾️",
    "example.com日本.example.org/x?y a.com日.рф/path",
    "xn--a.com xn--日.com http://xn--p1ai.xn--p1ai-/x",
];

// As long as a post may be stored, and made so that a careless reader begins anew at each letter.
const long = (unit) => {
    const text = unit.repeat(Math.floor(190_000 / Buffer.byteLength(unit)));
    return [text, ` http://${text}`, `a.com/${text}`];
};
export const HOSTILE = ["日", "a.", "日.", "a.b.com.", "http://", "http://a", "a.co/(", "a.co/((b)", "a.co/!", "a.co/a!(", "a.co?!", "-.", "日_.", "日。", "xn--a.", "xn--日.co ", "日.com日", "ü.com.x", "t.co/a ",
    "👨\u200d", "👩\u200d❤\ufe0f\u200d", "🇦", "a\u0301", "\u0301", "日a.com日.рф/"].flatMap(long);
export const HOSTILE_FEDERATED = ["@a", "@a@", "@a@b.", "@a.", "@a@b-@", "😀(", "http://a.co/", "क्"].flatMap(long);

const WORDS = ["we", "launch", "today", "e.g.", "v1.2.3", "3.5%", "U.S.A.", "end.However", "don’t", "Привет", "日本語", "한국어", "ελληνικά",
    "ไทย", "مرحبا", "हिन्दी", "cafe\u0301", "Zoe\u0308", "\u1112\u1161\u11ab", "a\u0301\u0323\u0302", "…", "—", "–", "“so”", "″", "\u2066x\u2069", "№", "™", "©", "®"];
const TAGS = ["@someone", "#tag", "#日本", "$TSLA", "＠wide", "＃wide", "someone@example.com", "@a.com", "#a.com", "$a.com", "first.last@example.co.uk", "@a/list"];
// Mentions across servers, and scripts whose letters join: what the other networks count apart.
export const FEDERATED = ["@a@example.social", "@some.one@example.co.uk.", "@x_y@münchen.example", "@a@b", "@a@b.c@d", "@a@日本.jp-", "@a-@b.c", "@A@B.C://x", "e\u0301@a@b.c", "/@a@b.c", "=@a@b.c", "@é@b.c",
    "＠a@b.c", "@a＠b.c", "@a@b_c.d", "@a@b..c", "@a@٣.٤", "https://b.c/@a@b.c", "https://example.com/@a", "gemini://example.com/x", "ipfs://a.com", "dat://x", "xdat://a.com", "https://a.com/x「y」z", "https://a.com/(x)", "https://a.com/x.(y)",
    "https://a.com/?x^y", "https://a.com?日本", "https://a.com/\u3000", "क्षत्रिय", "ক্ষ", "ക്ഷ", "\u1112\u1161\u11ab", "가\u11a8", "นำ", "ກຳ", "\u0600१", "ண்ணி", "\r\n", "\n\r", "a\u200d😀", "🏴\u{e0067}\u{e007f}", "©\u200d®", "🇦🇦🇦"];
const LABELS = ["a", "www", "example", "t", "shop", "sub-domain", "foo_bar", "_x", "x_", "-x", "x-", "xn--p1ai", "xn--", "münchen", "пример", "日本", "ÉCOLE",
    "a\"b", "x`", "a’b", "“a", "e\u0301a", "😀", "x😀", "ʌx", "ιx", "a。b", "a．b", "a\u200db", "192", "168", "0"];
const LONG_LABELS = [["a", 63], ["a", 64], ["ü", 50], ["ü", 57], ["ü", 60], ["日", 40], ["日", 60], ["😀", 31], ["é", 70], ["a", 200]];
const ODD_ENDINGS = ["js", "md", "exe", "However", "c", "local", "xn--p1ai", "xn--", "co.uk", "com.au", "COM", "РФ", "com5", "com-", "com_", "com@", "comé", "com日", "onion", "web", "music", ""];
const PATHS = ["/", "/a", "/a.", "/a_(b)", "/a(b", "/(a(b)c)d", "/((a))", "/((", "/()", "/a–b", "/@me/x", "/@", "/%20a", "/é/ж", "/ι", "/日", "//", "/a'b", "/a’s", "/a!",
    "/#!/x", "/a,b;c:d.", "/~x|y", "/[a]", "/a(b)(c).d", "/a&b", "/😀"];
const QUERIES = ["?", "?a=b", "?a=b&", "?q=1.", "?a/b?c", "?(x)", "?q=é", "?!", "?a=b#c", "?~", "?a|b,"];
const BETWEEN = [" ", " ", " ", " ", "", "", "\n", "\t", ", ", ". ", ".", "(", ")", "“", "”", "'", "\"", "/", "-", "_", ":", "!", "?", "@", "#", "日", "、", "。", "é", "\u3000", "\u00a0", "\u200b", "\u200e", "➡"];
const EMOJI = ["😀", "🫩", "🫨", "🫶", "🐦", "🔥", "❤", "♂", "♀", "⚕", "⚖", "✈", "☠", "🏳", "🏴", "🌈", "👁", "🗨", "👨", "👩", "🧑", "👦", "👧", "💋", "🏋", "🕵", "⛹", "☝", "✌", "👍", "🤝", "🫱",
    "🏃", "🧜", "🤼", "👯", "🧞", "🚀", "💻", "🎓", "🦰", "🧑", "🧒", "⌚", "♾", "♟", "™", "©", "ℹ", "🅰", "🀄", "㊗", "〰", "1", "#", "*", "x", "⬛", "🟩", "🪷", "🫠", "⛓", "🪈"];
const JOINS = ["", "", "\ufe0f", "\ufe0f", "\u200d", "\u200d", "\u200d", "\ufe0f\u200d", "\ufe0f\u200d", "\u20e3", "\ufe0f\u20e3", "\ufe0e", "🏻", "🏽", "🏿", "🏽\u200d", "🏿\u200d", "\u200d♂\ufe0f", "\u200d♀\ufe0f", "\u200d♀"];
// Whole ones, so that the longest come up too.
const SEQUENCES = ["👨‍👩‍👧‍👦", "👩‍👩‍👧‍👧", "👨‍👦‍👦", "👩‍❤️‍💋‍👨", "👨‍❤️‍👨", "👩🏽‍❤️‍👨🏿", "👩🏽‍🤝‍👨🏿", "👨🏻‍🦰", "👩‍⚕️", "🧑‍⚕️", "🕵️‍♂️", "🕵🏽‍♀️", "🏳️‍🌈", "🏳️‍⚧️", "🏴‍☠️", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", "🏴󠁵󠁳󠁴󠁸󠁿", "1️⃣", "#⃣", "🐻‍❄️", "🏃‍♂️‍➡️"];

// `more`: further pieces, as often as links.
export function generator(seed, endings, more) {
    const random = randomFrom(seed);
    const below = (count) => Math.floor(random() * count);
    const pick = (list) => list[below(list.length)];
    const chance = (share) => random() < share;
    const some = (least, most, make) => Array.from({ length: least + below(most - least + 1) }, make).join("");

    const letter = () => {
        const point = chance(0.6) ? below(0x3000) : chance(0.7) ? below(0x10000) : 0x10000 + below(0x10000);
        return point >= 0xd800 && point <= 0xdfff ? "x" : String.fromCodePoint(point);
    };
    const label = () => {
        if (chance(0.06)) {
            const [unit, count] = pick(LONG_LABELS);
            return unit.repeat(count + below(3));
        }
        return chance(0.4) ? some(1, 12, () => String.fromCharCode(97 + below(26))) : pick(LABELS) + (chance(0.1) ? letter() : "");
    };
    const anyCase = (word) => (chance(0.8) ? word : chance(0.5) ? word.toUpperCase() : word[0].toUpperCase() + word.slice(1));
    const ending = () => (chance(0.75) ? anyCase(pick(endings)) : pick(ODD_ENDINGS));
    const host = () => some(1, 3, () => label() + (chance(0.97) ? "." : "..")) + ending();
    const scheme = () => (chance(0.5) ? "" : pick(["http://", "https://", "HTTPS://", "Http://", "ftp://", "http:/", "//", "xhttp://"]));
    const link = () => scheme() + (chance(0.1) ? "t.co" : host()) + (chance(0.1) ? pick([":80", ":", ":x", ":8080"]) : "")
        + some(0, 2, () => (chance(0.6) ? pick(PATHS) : "")) + (chance(0.25) ? pick(QUERIES) : "");
    const shortened = () => `${pick(["https", "http", "HTTPS"])}://${pick(["t.co", "T.CO"])}/${some(0, chance(0.1) ? 45 : 10, () => pick(["a", "B", "7"]))}${pick(["", "", "’s", "'s", "/x", "?a=b", "?a=b.", "-x", ".", ")"])}`;
    const flag = () => some(1, 3, () => String.fromCodePoint(0x1f1e6 + below(26)));
    const emoji = () => (chance(0.25) ? pick(SEQUENCES) : chance(0.2) ? flag() : some(1, 4, () => pick(EMOJI) + pick(JOINS)));
    const piece = () => {
        const makers = [...(more ? Array(3).fill(() => pick(more)) : []), () => pick(WORDS), () => pick(WORDS), link, link, link, shortened, emoji, emoji, () => pick(TAGS), () => some(1, 6, letter)];
        return pick(makers)();
    };
    // One place in ten is disturbed, so that what nobody thought of comes up.
    const disturb = (text) => {
        const letters = Array.from(text);
        const at = below(letters.length + 1);
        letters.splice(at, below(3), ...(chance(0.5) ? [letter()] : [pick(BETWEEN)]));
        return letters.join("");
    };
    return () => {
        const text = some(1, 8, () => piece() + pick(BETWEEN));
        return chance(0.3) ? disturb(text) : text;
    };
}

// Every letter of the basic plane where a class of letters decides.
export function* letterWalk() {
    for (let point = 0; point < 0x10000; point += 1) {
        if (point < 0xd800 || point > 0xdfff) {
            const letter = String.fromCharCode(point);
            yield `${letter}a.com http://a${letter}b.com b${letter}c.com c.com${letter} https://d.com/e${letter} d.com/f${letter}g?h=${letter}i`;
        }
    }
}

// Every emoji of this Node.js, in every dress.
export function* emojiWalk() {
    for (let point = 0; point < 0x20000; point += 1) {
        const emoji = point >= 0xd800 && point <= 0xdfff ? "" : String.fromCodePoint(point);
        if (/\p{Emoji}/u.test(emoji)) {
            yield ["", "\ufe0f", "\ufe0e", "🏽", "\ufe0f🏽", "\u20e3", "\u200d♂\ufe0f", "🏽\u200d♀\ufe0f", "\ufe0f\u200d♂\ufe0f", "\u200d🚀"].map((dress) => emoji + dress).join(" ")
                + ` 👩\u200d${emoji}\ufe0f 👨🏽\u200d${emoji} 👩\u200d❤\ufe0f\u200d${emoji} 👨\u200d👩\u200d${emoji}`;
        }
    }
}

// Every ending that X's counter knows, and each without its last letter.
export function* endingWalk(endings) {
    for (const name of endings) {
        yield `a.${name} http://b.${name.toUpperCase()}/c d.${name.slice(0, -1)} e.${name}日 f.${name}x`;
    }
}

// All flags, also those that no country has.
export function* flagWalk() {
    for (let first = 0; first < 26; first += 1) {
        for (let second = 0; second < 26; second += 1) {
            yield String.fromCodePoint(0x1f1e6 + first, 0x1f1e6 + second);
        }
    }
}
