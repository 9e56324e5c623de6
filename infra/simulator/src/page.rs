//! The HTML that a person sees.

use axum::response::{Html, IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::{HeaderName, HeaderValue, StatusCode};

/// A page that runs nothing, loads nothing, posts only to where it came from and cannot be framed; it holds a state, so it is kept nowhere.
const HEADERS: [(HeaderName, HeaderValue); 2] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// A refusal that does not send the browser anywhere: the address that it came with is not to be trusted.
pub(crate) fn refusal(reason: &str) -> Response {
    let html = layout("This request cannot be shown", &format!("<p>{}</p>", escaped(reason)));
    (StatusCode::BAD_REQUEST, HEADERS, Html(html)).into_response()
}

/// The consent form: what the app asked with, hidden; `choices` as they are; two buttons.
pub(crate) fn consent(platform: &str, params: &[(String, String)], choices: &str) -> Response {
    let hidden: String = params.iter().map(|(name, value)| hidden_input(name, value)).collect();
    let body = format!(
        "<p>Postledger wants to post for you on the simulated {platform}.</p>\n<form method=\"post\">\n{hidden}{choices}\
         <p><button name=\"decision\" value=\"allow\">Allow</button> <button name=\"decision\" value=\"deny\">Deny</button></p>\n</form>"
    );
    (HEADERS, Html(layout(&format!("Simulated {platform}"), &body))).into_response()
}

/// A question, and a button for each answer, posted as `decision`.
pub(crate) fn choice(title: &str, question: &str, answers: &[(&str, &str)]) -> Response {
    let button =
        |(value, label): &(&str, &str)| format!("<button name=\"decision\" value=\"{}\">{}</button> ", escaped(value), escaped(label));
    let buttons: String = answers.iter().map(button).collect();
    let body = format!("<p>{}</p>\n<form method=\"post\">\n<p>{buttons}</p>\n</form>", escaped(question));
    (HEADERS, Html(layout(title, &body))).into_response()
}

fn hidden_input(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n", escaped(name), escaped(value))
}

/// A line to type in.
pub(crate) fn text_input(label: &str, name: &str, value: &str) -> String {
    format!("<p><label>{} <input type=\"text\" name=\"{}\" value=\"{}\"></label></p>\n", escaped(label), escaped(name), escaped(value))
}

/// A box, ticked.
pub(crate) fn checkbox(label: &str, name: &str, value: &str) -> String {
    boxed(label, name, value, " checked")
}

/// A box, not ticked.
pub(crate) fn empty_box(label: &str, name: &str, value: &str) -> String {
    boxed(label, name, value, "")
}

fn boxed(label: &str, name: &str, value: &str, ticked: &str) -> String {
    let (label, name, value) = (escaped(label), escaped(name), escaped(value));
    format!("<p><label><input type=\"checkbox\" name=\"{name}\" value=\"{value}\"{ticked}> {label}</label></p>\n")
}

/// Text that is safe between tags and in quoted attributes.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn layout(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_came_with_a_request_can_become_markup() {
        assert_eq!(escaped("\"><script>'&"), "&quot;&gt;&lt;script&gt;&#39;&amp;");
    }
}
