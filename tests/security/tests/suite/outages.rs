//! A store, a vault or a queue that is down: told as 503, and nothing is lost or half done.

use std::sync::atomic::{AtomicUsize, Ordering};

use embedded::Fault;
use futures::future::try_join_all;
use journeys::play_disturbed;
use security::attack::has_our_headers;
use security::operations::{ALL, Operation};
use security::scene::Who::Ann;
use security::scene::{Scene, with_json};
use security::state::State;
use security::tell;
use security::wire::{Answer, Request};

type Outcome = anyhow::Result<()>;

fn request(scene: &Scene<'_>, operation: &Operation) -> Request {
    let request = scene.request(Ann, operation.method, &operation.target());
    let request = if operation.method == "PATCH" { request.with("if-match", "\"1\"") } else { request };
    match operation.body {
        Some(body) => with_json(request, &scene.filled(body)),
        None => request,
    }
}

/// What ends Ann's session where it works: left out where it may work.
const ENDS_HER_SESSION: [&str; 2] = ["/api/logout", "/api/sessions/{id}"];

/// One call whose first read, as a rule that of the session, is the last that the database answers.
async fn after_the_first_read(scene: &Scene<'_>, operation: &Operation) -> anyhow::Result<Answer> {
    let reads = AtomicUsize::new(0);
    let down = move |call: &embedded::CallInfo| {
        let first = call.operation == "GetItem" && reads.fetch_add(1, Ordering::Relaxed) == 0;
        (call.service == "dynamodb" && !first).then_some(Fault::FailBefore)
    };
    scene.stage.service().aws().on_call(Box::new(down));
    let answer = scene.send(&request(scene, operation)).await;
    scene.stage.heal();
    answer
}

/// Everybody calls everything while all calls of one service fail before they are applied.
async fn while_down(scene: &Scene<'_>, service: &'static str) -> anyhow::Result<Vec<(&'static Operation, Answer)>> {
    let down = move |call: &embedded::CallInfo| (call.service == service).then_some(Fault::FailBefore);
    scene.stage.service().aws().on_call(Box::new(down));
    let called = ALL.iter().filter(|operation| service == "dynamodb" || !ENDS_HER_SESSION.contains(&operation.path.as_str()));
    let calls = called.map(async |operation| anyhow::Ok((operation, scene.send(&request(scene, operation)).await?)));
    let answers = try_join_all(calls).await;
    scene.stage.heal();
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_is_told_as_such_and_nothing_is_lost() -> Outcome {
    play_disturbed(async |stage| {
        let scene = Scene::set(stage).await?;
        let before = State::read(stage).await?;
        let mut answers = while_down(&scene, "dynamodb").await?;
        for operation in ALL.iter() {
            answers.push((operation, after_the_first_read(&scene, operation).await?));
        }
        for (operation, answer) in &answers {
            let what = format!("{}: {}", operation.name(), answer.told());
            has_our_headers(answer)?;
            if ["/api/plans", "/api/health"].contains(&operation.path.as_str()) {
                assert_eq!(answer.status, 200, "{what}");
                continue;
            }
            if operation.path.ends_with("/client-metadata.json") {
                assert_eq!((answer.status, answer.code()), (404, "not_found"), "{what}: it reads no table");
                continue;
            }
            if !operation.is_for_people() {
                assert_eq!((answer.status, answer.code()), (400, "signature_invalid"), "{what}");
                continue;
            }
            assert_eq!((answer.status, answer.code()), (503, "unavailable"), "{what}");
            assert!(answer.header("retry-after").is_some() && answer.header("set-cookie").is_none(), "{what}");
            assert!(
                !["dynamo", "table", "aws", "connection broke"].iter().any(|word| answer.text.to_ascii_lowercase().contains(word)),
                "{what}"
            );
        }
        let changed = before.differences(&State::read(stage).await?, &[]);
        assert!(changed.is_empty(), "{changed:#?}");
        scene.send(&scene.request(Ann, "GET", "/api/user")).await?.expect(200)?;
        tell(answers.len(), "calls while the database is down");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_is_down_is_told_as_such_and_no_answer_is_a_500() -> Outcome {
    play_disturbed(async |stage| {
        let scene = Scene::set(stage).await?;
        let mut count = 0;
        for service in ["secretsmanager", "sns", "scheduler", "sqs"] {
            for (operation, answer) in while_down(&scene, service).await? {
                let what = format!("{service} is down, {}: {}", operation.name(), answer.told());
                assert!(answer.status < 500 || (answer.status, answer.code()) == (503, "unavailable"), "{what}");
                assert!(answer.status != 503 || answer.header("retry-after").is_some(), "{what}");
                has_our_headers(&answer)?;
                count += 1;
            }
        }
        scene.ann.ledger_adds_up().await?;
        tell(count, "calls while vault, texts, scheduler or queue are down");
        Ok(())
    })
    .await
}
