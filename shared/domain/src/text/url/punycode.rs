//! How long a label is in Punycode (RFC 3492).
//!
//! The counter encodes also half a letter, with which a domain may begin for it. No library takes one, so the length is found here.

const BASE: u32 = 36;
const THRESHOLD_MIN: u32 = 1;
const THRESHOLD_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
/// The first code point that is encoded.
const FIRST_ENCODED: u32 = 0x80;

/// The number of units that `label` has when encoded, without the prefix. The time taken grows with its square.
pub(super) fn encoded_length(label: &[u16]) -> usize {
    let points = code_points(label);
    let basic = points.iter().filter(|point| **point < FIRST_ENCODED).count();
    let mut length = if basic > 0 { basic + 1 } else { 0 };
    let (mut next, mut delta, mut bias, mut handled) = (FIRST_ENCODED, 0, INITIAL_BIAS, count(basic));
    while let Some(point) = points.iter().copied().filter(|point| *point >= next).min() {
        delta += (point - next) * (handled + 1);
        for other in &points {
            if *other < point {
                delta += 1;
            } else if *other == point {
                length += digits(delta, bias);
                bias = adapted_bias(delta, handled + 1, handled == count(basic));
                delta = 0;
                handled += 1;
            }
        }
        delta += 1;
        next = point + 1;
    }
    length
}

/// Half letters stand for themselves.
fn code_points(label: &[u16]) -> Vec<u32> {
    char::decode_utf16(label.iter().copied())
        .map(|letter| letter.map_or_else(|half| u32::from(half.unpaired_surrogate()), u32::from))
        .collect()
}

fn count(letters: usize) -> u32 {
    u32::try_from(letters).unwrap_or(u32::MAX)
}

/// How many digits a number takes (section 6.3).
fn digits(number: u32, bias: u32) -> usize {
    let (mut rest, mut found, mut position) = (number, 1, BASE);
    loop {
        let threshold = position.saturating_sub(bias).clamp(THRESHOLD_MIN, THRESHOLD_MAX);
        if rest < threshold {
            return found;
        }
        rest = (rest - threshold) / (BASE - threshold);
        found += 1;
        position += BASE;
    }
}

/// Section 6.1.
fn adapted_bias(delta: u32, handled: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / DAMP } else { delta / 2 };
    delta += delta / handled;
    let mut bias = 0;
    while delta > (BASE - THRESHOLD_MIN) * THRESHOLD_MAX / 2 {
        delta /= BASE - THRESHOLD_MIN;
        bias += BASE;
    }
    bias + (BASE - THRESHOLD_MIN + 1) * delta / (delta + SKEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_as_long_as_the_domain_name_system_writes_them() {
        for (label, encoded) in
            [("münchen", "mnchen-3ya"), ("пример", "e1afmkfd"), ("日本", "wgv71a"), ("😀", "e28h"), ("bücher😀", "bcher-kva83980g")]
        {
            assert_eq!(encoded_length(&label.encode_utf16().collect::<Vec<_>>()), encoded.len(), "{label}");
        }
    }
}
