//! The text behind the HTML in which servers show a post. See <https://docs.joinmastodon.org/spec/activitypub/#sanitization>.

/// The text that a reader sees, with links whole: the parts that a page hides of them count, too. Line breaks are about right, which is
/// enough to compare.
pub(super) fn text_of(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        let found = &rest[at..];
        let taken = if found.starts_with('<') { tag(found, &mut text) } else { entity(found, &mut text) };
        rest = &found[taken..];
    }
    text.push_str(rest);
    text.trim().to_owned()
}

/// Writes what the tag at the beginning of `found` stands for, and tells its length.
fn tag(found: &str, text: &mut String) -> usize {
    let end = end_of_tag(found);
    let name: String = found[1..end].chars().take_while(|letter| !letter.is_whitespace() && *letter != '>').collect();
    match name.trim_end_matches('/').to_ascii_lowercase().as_str() {
        "/p" | "/pre" | "/blockquote" | "/ul" | "/ol" => text.push_str("\n\n"),
        "br" | "/li" | "/div" | "/h1" | "/h2" | "/h3" | "/h4" | "/h5" | "/h6" => text.push('\n'),
        _ => {}
    }
    end
}

/// One behind its `>`, which may also stand within quotes.
fn end_of_tag(found: &str) -> usize {
    let mut quote = None;
    for (at, letter) in found.char_indices().skip(1) {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, '>') => return at + 1,
            _ => {}
        }
    }
    found.len()
}

/// The longest entity that is read, with its `&` and `;`.
const ENTITY_BYTES_MAX: usize = 12;

/// The same of an entity. What is none stays as it is.
fn entity(found: &str, text: &mut String) -> usize {
    let name = found.bytes().take(ENTITY_BYTES_MAX).position(|byte| byte == b';').map(|end| &found[1..end]);
    let Some((name, letter)) = name.and_then(|name| Some((name, letter_of(name)?))) else {
        text.push('&');
        return 1;
    };
    text.push(letter);
    name.len() + 2
}

fn letter_of(name: &str) -> Option<char> {
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let digits = name.strip_prefix('#')?;
            digits.strip_prefix(['x', 'X']).map_or_else(|| number(digits, 10), |digits| number(digits, 16))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_out_of_its_html() {
        for (html, text) in [
            ("<p>hello</p>", "hello"),
            ("<p>one<br />two<br>three</p><p>four</p>", "one\ntwo\nthree\n\nfour"),
            ("<p>&lt;b&gt; &amp;amp; &quot;&#39;&#x1F600;&nbsp;</p>", "<b> &amp; \"'😀"),
            ("plain & simple &unknown; &;", "plain & simple &unknown; &;"),
            ("<p title=\"a > b\">x</p>", "x"),
            ("<a href='https://a.example/\"'>a</a>", "a"),
            ("<UL><li>one</li><li>two</li></UL>", "one\ntwo"),
            ("cut <p", "cut"),
            ("cut <a href=\"", "cut"),
            ("", ""),
            ("日本<b>語</b>&#99999999;&日本;", "日本語&#99999999;&日本;"),
        ] {
            assert_eq!(text_of(html), text, "{html}");
        }
    }
}
