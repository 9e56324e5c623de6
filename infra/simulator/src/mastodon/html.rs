//! The HTML in which a server shows a text: paragraphs, links with hidden parts, mentions without their servers.

use crate::page::escaped;

/// How much of a link is shown.
const LINK_CHARS_SHOWN: usize = 30;

pub(super) fn of(text: &str) -> String {
    let paragraphs = text.replace("\r\n", "\n");
    let paragraphs = paragraphs.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    paragraphs.map(lines).fold(String::new(), |html, lines| html + "<p>" + &lines + "</p>")
}

fn lines(paragraph: &str) -> String {
    paragraph.lines().map(line).collect::<Vec<_>>().join("<br />")
}

fn line(line: &str) -> String {
    let word = |word: &str| link(word).or_else(|| mention(word)).unwrap_or_else(|| escaped(word));
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn link(word: &str) -> Option<String> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| word.starts_with(scheme))?;
    let rest = &word[scheme.len()..];
    let cut = rest.char_indices().nth(LINK_CHARS_SHOWN).map_or(rest.len(), |(at, _)| at);
    let (seen, hidden) = rest.split_at(cut);
    let class = if hidden.is_empty() { "" } else { "ellipsis" };
    Some(format!(
        "<a href=\"{}\" target=\"_blank\" rel=\"nofollow noopener\" translate=\"no\"><span class=\"invisible\">{scheme}</span><span class=\"{class}\">{}</span><span class=\"invisible\">{}</span></a>",
        escaped(word),
        escaped(seen),
        escaped(hidden),
    ))
}

/// `@name@host`, as it is shown where the server knows the account.
fn mention(word: &str) -> Option<String> {
    let (name, host) = word.strip_prefix('@')?.split_once('@')?;
    let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (is_plain(name) && is_plain(host) && host.contains('.')).then(|| {
        format!("<span class=\"h-card\" translate=\"no\"><a href=\"https://{host}/@{name}\" class=\"u-url mention\">@<span>{name}</span></a></span>")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_what_servers_show() {
        assert_eq!(
            of("a < b\nc\n\n\n@ada@b.example"),
            "<p>a &lt; b<br />c</p><p><span class=\"h-card\" translate=\"no\"><a href=\"https://b.example/@ada\" class=\"u-url mention\">@<span>ada</span></a></span></p>"
        );
        assert!(
            of("see https://example.com/a/very/long/path/indeed")
                .contains("<span class=\"ellipsis\">example.com/a/very/long/path/i</span><span class=\"invisible\">ndeed</span>")
        );
    }
}
