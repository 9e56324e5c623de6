//! Consents that a page of another site begins in a person's browser: none is begun, and none of hers is used up.

use journeys::play;
use security::attack::{Attack, attack, run};
use security::rush::rush;
use security::scene::Scene;
use security::scene::Who::{Ann, Nobody};
use security::state::State;
use security::tell;

type Outcome = anyhow::Result<()>;

/// More than one person may begin in an hour.
const MANY: usize = 130;
const START: &str = "/oauth/x/start?return_to=/connections";

/// What another site makes a browser send: what it is, what the browser says of it, and whether a person sees the answer.
type Sent = (&'static str, &'static [(&'static str, &'static str)], bool);

const FOREIGN: [Sent; 9] = [
    ("a link", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], true),
    ("a link in capitals", &[("sec-fetch-site", "CROSS-SITE"), ("sec-fetch-mode", "NAVIGATE")], true),
    ("a frame", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], true),
    ("an image", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], false),
    ("a script", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors"), ("origin", "https://evil.example")], false),
    ("a link fetched ahead", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch")], false),
    ("a page without an origin", &[("origin", "null"), ("sec-fetch-mode", "navigate")], true),
    ("a page in an old browser", &[("origin", "https://evil.example"), ("accept", "text/html")], true),
    ("a script in an old browser", &[("origin", "https://evil.example")], false),
];

fn begun_elsewhere() -> Vec<Attack> {
    let starts = [
        (Ann, START),
        (Ann, "/oauth/facebook/start?return_to=/connections"),
        (Ann, "/oauth/x/start?return_to=/connections&reconnect={x}"),
        (Nobody, START),
    ];
    let mut rows = Vec::new();
    for (what, headers, is_seen) in FOREIGN {
        for (by, start) in starts {
            let row = headers.iter().fold(attack(what, by, "GET", start), |row, (name, value)| row.with(name, *value));
            rows.push(if is_seen { row.is_sent_to("/connections?error=csrf_rejected") } else { row.gets(403, "csrf_rejected") });
        }
    }
    for query in ["return_to=//evil.example", "return_to=/posts&return_to=//evil.example", "return_to=/posts%3Fevil=1", "evil=1"] {
        let row = attack("a link with a way out", Ann, "GET", format!("/oauth/x/start?{query}")).with("sec-fetch-site", "cross-site");
        rows.push(row.with("sec-fetch-mode", "navigate").is_sent_to("/?error=csrf_rejected"));
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_another_site_begins_is_none_and_uses_none_up() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let rows = run(&scene, &begun_elsewhere()).await?;

        let before = State::read(stage).await?;
        let foreign = scene.request(Ann, "GET", START).with("sec-fetch-site", "cross-site");
        let calls = (0..MANY).map(|n| foreign.clone().with("sec-fetch-mode", if n % 2 == 1 { "navigate" } else { "no-cors" }));
        let answers = rush(stage.service().base_url(), calls.collect()).await?;
        answers.only(&[(303, ""), (403, "csrf_rejected")])?;
        let locations = answers.0.iter().filter_map(|answer| answer.header("location"));
        let led_back = locations.filter(|to| to.ends_with("/connections?error=csrf_rejected")).count();
        assert_eq!((led_back, answers.count(403)), (MANY / 2, MANY / 2));
        let changed = before.differences(&State::read(stage).await?, &[]);
        assert!(changed.is_empty(), "nothing is begun and nothing counted: {changed:#?}");

        let own = foreign.with("sec-fetch-site", "same-site").with("sec-fetch-mode", "navigate");
        let begun = scene.send(&own).await?.expect(303)?;
        assert!(begun.header("location").is_some_and(|to| to.contains("/_sim/x/")), "her own click begins one: {}", begun.told());
        tell(rows + MANY, "attack rows on consents that another site begins");
        Ok(())
    })
    .await
}
