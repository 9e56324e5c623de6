//! Every call of the contract with another's ids: the same answer as for an id that nobody has.

use journeys::play;
use security::operations::{ALL, Operation, ids_of};
use security::scene::Who::Eve;
use security::scene::{Scene, with_json};
use security::state::State;
use security::tell;
use security::wire::Request;

type Outcome = anyhow::Result<()>;

/// An id in the same form that nobody has: the time of the real one, another random part.
fn nobodys(id: &str) -> String {
    let swapped: String = id[10..].chars().rev().collect();
    format!("{}{swapped}", &id[..10])
}

fn request(scene: &Scene<'_>, operation: &Operation, id: &str) -> Request {
    let path = operation.path.replace("{id}", id);
    let request = scene.request(Eve, operation.method, &path);
    let request = if operation.method == "PATCH" { request.with("if-match", "\"1\"") } else { request };
    match operation.body {
        Some(body) => with_json(request, &scene.filled(body)),
        None => request,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anothers_id_is_answered_like_one_that_nobody_has() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let before = State::read(stage).await?;
        let mut probes = 0;
        for operation in ALL.iter().filter(|operation| operation.path.contains("{id}")) {
            // Things of every kind go into every place: a post's id is no connection's.
            for name in ["draft", "scheduled", "cancelled", "x", "facebook", "choice", "session", "user", "group"] {
                let real = scene.names[name].clone();
                let anns = scene.send(&request(&scene, operation, &real)).await?;
                let none = scene.send(&request(&scene, operation, &nobodys(&real))).await?;
                let what = format!("{} with Ann's {name}", operation.name());
                assert_eq!((anns.status, anns.code()), (404, "not_found"), "{what}: {}", anns.told());
                assert_eq!(anns.told(), none.told(), "{what}: the two can be told apart");
                probes += 2;
            }
            let known = ids_of(&operation.path).iter().all(|name| scene.names.contains_key(name));
            assert!(known, "{} names things that no scene has", operation.path);
        }
        let changed = before.differences(&State::read(stage).await?, &[]);
        assert!(changed.is_empty(), "{changed:#?}");
        tell(probes, "cross-tenant probes of ids in addresses");
        Ok(())
    })
    .await
}

/// A call with `value` where `field` names somebody's thing: in the query, or in the body in place of Eve's own.
fn naming(scene: &Scene<'_>, operation: &Operation, (field, in_query): (&str, bool), value: &str) -> Request {
    if in_query {
        return scene.request(Eve, operation.method, &format!("{}?{field}={value}", operation.path.replace("{platform}", "x")));
    }
    let own = operation.body.unwrap_or_default();
    let body = match field {
        "media" => own.replacen('{', &format!("{{\"media\":[\"{value}\"],"), 1).replace("{x}", "{eves_x}"),
        _ if own.contains("{x}") => own.replace("{x}", value),
        _ => own.replacen('{', &format!("{{\"{field}\":\"{value}\","), 1),
    };
    // Eve's own post or choice around it, where the path names one.
    let path = operation.path.replace("choices/{id}", "choices/{eves_choice}").replace("{id}", "{eves_draft}");
    let request = scene.request(Eve, operation.method, &path);
    let request = if operation.method == "PATCH" { request.with("if-match", "\"1\"") } else { request };
    with_json(request, &scene.filled(&body))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anothers_id_in_a_query_or_a_body_is_one_that_nobody_has() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let before = State::read(stage).await?;
        let mut probes = 0;
        for operation in ALL.iter() {
            for (field, things, in_query) in operation.naming() {
                for name in things {
                    let real = scene.names[name].clone();
                    let what = format!("{} with Ann's {name} as {field}", operation.name());
                    let anns = scene.send(&naming(&scene, operation, (field, in_query), &real)).await?;
                    let none = scene.send(&naming(&scene, operation, (field, in_query), &nobodys(&real))).await?;
                    assert_eq!(anns.told(), none.told(), "{what}: the two can be told apart");
                    let nothing = anns.status >= 400 || anns.json["items"].as_array().is_some_and(Vec::is_empty);
                    assert!(nothing, "{what}: {}", anns.told());
                    probes += 2;
                }
            }
        }
        let changed = before.differences(&State::read(stage).await?, &[]);
        assert!(changed.is_empty(), "{changed:#?}");
        tell(probes, "cross-tenant probes of ids in queries and bodies");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_list_shows_what_belongs_to_another() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let before = State::read(stage).await?;
        let mut probes = 0;
        let filters = ["/api/posts?group_id={group}", "/api/posts?platform=x", "/api/posts?status=scheduled", "/api/posts?limit=100"];
        let lists =
            ALL.iter().filter(|operation| !operation.changes() && !operation.path.contains('{')).map(|operation| operation.path.as_str());
        for target in lists.chain(filters) {
            let answer = scene.send(&scene.request(Eve, "GET", target)).await?.expect(200)?;
            let anns = ["draft", "scheduled", "cancelled", "x", "facebook", "choice", "session", "user", "group", "cookie", "csrf", "gift"];
            for name in anns {
                assert!(!answer.told().contains(&scene.names[name]), "{target} shows Ann's {name}");
                probes += 1;
            }
            assert!(!answer.text.contains(security::scene::ANNS_PHONE) && !answer.text.contains("\"ann\""), "{target}: {}", answer.text);
        }
        let group = scene.send(&scene.request(Eve, "GET", filters[0])).await?;
        assert_eq!(group.json["items"].as_array().map(Vec::len), Some(0), "{}", group.text);
        let changed = before.differences(&State::read(stage).await?, &[]);
        assert!(changed.is_empty(), "{changed:#?}");
        tell(probes, "cross-tenant probes of lists");
        Ok(())
    })
    .await
}
