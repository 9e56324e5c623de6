//! Domains: labels with dots between them, and a top-level domain at the end.

use std::ops::Range;

use super::{letters, punycode, top_level};

/// The longest label, in Punycode (RFC 1035 section 2.3.4).
const LABEL_UNITS_MAX: usize = 63;
/// What a label in Punycode begins with.
const PUNYCODE_PREFIX: &str = "xn--";

/// Tells where domains end. Asked for rising positions, it reads each run of labels once.
pub(super) struct Domains<'a> {
    text: &'a [u16],
    /// The run of labels that was read last.
    run: Range<usize>,
    /// Its labels, but for the last, which no dot follows.
    labels: Vec<Label>,
    /// The label that was asked for last.
    current: usize,
}

struct Label {
    start: usize,
    dot: usize,
    /// A label with one is a subdomain only.
    last_underscore: Option<usize>,
    /// The end of the top-level domain behind the dot.
    top_level: Option<usize>,
    /// The end of the longest domain that has this label and at least one more.
    longer: Option<usize>,
}

impl<'a> Domains<'a> {
    pub(super) fn new(text: &'a [u16]) -> Self {
        Self { text, run: 0..0, labels: Vec::new(), current: 0 }
    }

    /// The end of the longest domain that begins at `start`.
    pub(super) fn end(&mut self, start: usize) -> Option<usize> {
        if !letters::is_in_label(*self.text.get(start)?) {
            return None;
        }
        if !self.run.contains(&start) {
            self.read_run(start);
        }
        while self.labels.get(self.current).is_some_and(|label| label.dot < start) {
            self.current += 1;
        }
        let label = self.labels.get(self.current)?;
        if !letters::is_in_label(self.text[label.dot - 1]) {
            return None;
        }
        label.longer.or(label.top_level.filter(|_| label.last_underscore.is_none_or(|at| at < start)))
    }

    fn read_run(&mut self, start: usize) {
        self.labels.clear();
        self.current = 0;
        let mut at = start;
        loop {
            let label_start = at;
            let mut last_underscore = None;
            while let Some(unit) = self.text.get(at).filter(|unit| letters::is_within_label(**unit)) {
                if *unit == u16::from(b'_') {
                    last_underscore = Some(at);
                }
                at += 1;
            }
            if at == label_start || self.text.get(at) != Some(&u16::from(b'.')) {
                break;
            }
            let top_level = top_level::length_at(&self.text[at + 1..]).map(|length| at + 1 + length);
            self.labels.push(Label { start: label_start, dot: at, last_underscore, top_level, longer: None });
            at += 1;
        }
        self.run = start..at.max(start + 1);
        self.join();
    }

    /// From the last label to the first: what follows decides how far a domain reaches.
    fn join(&mut self) {
        let mut following = None;
        for label in self.labels.iter_mut().rev() {
            label.longer = following;
            let is_label = letters::is_in_label(self.text[label.start]) && letters::is_in_label(self.text[label.dot - 1]);
            let shortest = label.top_level.filter(|_| label.last_underscore.is_none());
            following = if is_label { label.longer.or(shortest) } else { None };
        }
    }
}

/// Whether the counter takes `domain`: no label is too long in Punycode, and one that claims to be in Punycode is.
pub(super) fn is_valid(domain: &[u16]) -> bool {
    let claims_punycode = domain.iter().copied().take(PUNYCODE_PREFIX.len()).eq(PUNYCODE_PREFIX.encode_utf16());
    let is_odd = claims_punycode && latin_parts(domain).is_empty();
    !is_odd && domain.split(|unit| *unit == u16::from(b'.')).all(|label| (1..=LABEL_UNITS_MAX).contains(&ascii_length(label)))
}

/// The parts of `domain` that are domains in Latin letters.
pub(super) fn latin_parts(domain: &[u16]) -> Vec<Range<usize>> {
    let (mut parts, mut at) = (Vec::new(), 0);
    while at < domain.len() {
        let (end, stopped) = latin_part(domain, at);
        parts.extend(end.map(|end| at..end));
        at = end.unwrap_or(stopped).max(at + 1);
    }
    parts
}

/// The end of the longest domain in Latin letters that begins at `start`, and where its letters stop.
fn latin_part(domain: &[u16], start: usize) -> (Option<usize>, usize) {
    let (mut end, mut at) = (None, start);
    loop {
        let length = domain[at..].iter().take_while(|unit| letters::is_in_bare_label(**unit)).count();
        if length == 0 || domain.get(at + length) != Some(&u16::from(b'.')) {
            return (end, at + length);
        }
        at += length + 1;
        end = top_level::length_at(&domain[at..]).map(|length| at + length).or(end);
    }
}

/// The length of a label as the domain name system writes it. Dots of East Asia divide it again.
fn ascii_length(label: &[u16]) -> usize {
    // No letter takes less than one unit of Punycode, and none has more than two here.
    if label.len() > 2 * LABEL_UNITS_MAX {
        return label.len();
    }
    let parts = label.split(|unit| matches!(unit, 0x3002 | 0xFF0E | 0xFF61));
    parts.map(|part| part_length(part) + 1).sum::<usize>() - 1
}

fn part_length(part: &[u16]) -> usize {
    if part.iter().all(|unit| *unit <= 0x7E) {
        return part.len();
    }
    PUNYCODE_PREFIX.len() + punycode::encoded_length(part)
}
