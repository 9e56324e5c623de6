//! The command line against a running service, as an operator uses it: another process, through the address that `cargo run` offers.

use std::process::Output;

use domain::id::HistoryId;
use domain::plan::CYCLE;
use edge::contract::Time;
use edge::lines::Captured;
use embedded::{Fault, REGION};
use jiff::Timestamp;
use local::variables::tables;
use local::{Browser, LocalService, Options};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

type Outcome = anyhow::Result<()>;

struct Stage {
    service: LocalService,
    _folder: TempDir,
}

impl Stage {
    async fn open() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let options = Options { port: 0, data_dir: folder.path().to_owned(), fresh: false, lines: Captured::default().lines() };
        Ok(Self { service: LocalService::start(options).await?, _folder: folder })
    }

    async fn person(&self) -> anyhow::Result<(Browser, String)> {
        let mut browser = Browser::new(self.service.base_url())?;
        browser.sign_in("+61412345900").await?;
        browser.redeem("starter").await?;
        let id = browser.get("/api/user").await?.expect(200)?.str("/id")?;
        Ok((browser, id))
    }

    async fn ops(&self, words: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ops"));
        command.env_clear().args(words);
        let names = tables();
        for (name, value) in [
            ("AWS_ENDPOINT_URL", format!("{}/_local/aws", self.service.base_url())),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("USERS_TABLE", names.users),
            ("POSTS_TABLE", names.posts),
            ("LEDGER_TABLE", names.ledger),
            ("HASH_KEY_SECRET", "postledger/local/hash-key".to_owned()),
        ] {
            command.env(name, value);
        }
        Ok(command.output().await?)
    }

    /// What a command that succeeds prints as JSON.
    async fn json(&self, words: &[&str]) -> anyhow::Result<Value> {
        let words: Vec<_> = words.iter().copied().chain(["--json"]).collect();
        let output = self.ops(&words).await?;
        anyhow::ensure!(output.status.success(), "{output:?}");
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// What a command that is refused says.
    async fn refused(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.ops(words).await?;
        anyhow::ensure!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        Ok(String::from_utf8(output.stderr)?)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_issued_listed_redeemed_and_revoked() -> Outcome {
    let stage = Stage::open().await?;
    let (browser, user) = stage.person().await?;
    let issued = stage.json(&["gift-certificates", "issue", "--plan", "professional"]).await?;
    let code = issued["code"].as_str().unwrap_or_default().to_owned();
    browser.post("/api/redeem-gift", Some(&json!({ "code": code }))).await?.expect(200)?;
    let other = stage.json(&["gift-certificates", "issue", "--plan", "starter", "--expires-in", "30"]).await?;

    let listed = stage.json(&["gift-certificates", "list"]).await?;
    let standings: Vec<_> = listed.as_array().unwrap().iter().map(|gift| gift["standing"].as_str().unwrap()).collect();
    assert_eq!((standings.len(), standings.iter().filter(|standing| **standing == "open").count()), (3, 1));
    assert!(listed.as_array().unwrap().iter().any(|gift| gift["redeemed_by"] == user.as_str() && gift["plan"] == "professional"));
    assert!(!listed.to_string().contains(&code), "a code is shown once");

    let open = stage.json(&["gift-certificates", "list", "--open"]).await?;
    let id = open[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(stage.json(&["gift-certificates", "revoke", "--id", &id]).await?["revoked"], true);
    let revoked = json!({ "code": other["code"] });
    assert_eq!(browser.post("/api/redeem-gift", Some(&revoked)).await?.expect(400)?.json["code"], "invalid_code");
    assert!(stage.refused(&["gift-certificates", "revoke", "--code", &code]).await?.contains("redeemed"));
    assert!(stage.refused(&["gift-certificates", "revoke", "--id", "nothing"]).await?.contains("no such certificate"));
    assert_eq!(stage.json(&["gift-certificates", "list", "--open"]).await?, json!([]));
    stage.service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adjustment_has_a_reason_a_row_and_a_limit() -> Outcome {
    let stage = Stage::open().await?;
    let (browser, user) = stage.person().await?;
    let adjust = |posts: &'static str| {
        let (stage, user) = (&stage, user.as_str());
        async move { stage.json(&["adjust", "--user", user, "--posts", posts, "--reason", "Two were lost on our side"]).await }
    };
    assert_eq!(adjust("2").await?["cycle"]["quota"], 14);
    assert_eq!(browser.quota().await?, [14, 0, 0, 14]);
    assert_eq!(adjust("-1").await?["cycle"]["remaining"], 13);
    let rows = browser.history().await?;
    assert_eq!((&rows[0]["change_reason"], &rows[0]["actor"]), (&json!("adjustment"), &json!("operator")));
    assert_eq!(rows[0]["note"], "Two were lost on our side");

    for (words, why) in [
        (&["--posts", "1"][..], "--reason"),
        (&["--posts", "1", "--reason", "  "], "a reason has"),
        (&["--posts", "0", "--reason", "No change"], "nothing to adjust"),
        (&["--posts", "-14", "--reason", "More than is free"], "only 13 posts"),
        (&["--posts", "1", "--reason", "Long ago", "--cycle", "2001-01-01T00:00:00Z"], "no such cycle"),
    ] {
        let words: Vec<_> = ["adjust", "--user", &user].into_iter().chain(words.iter().copied()).collect();
        let said = stage.refused(&words).await?;
        assert!(said.contains(why), "{words:?}: {said}");
    }
    assert_eq!((browser.quota().await?, browser.history().await?.len()), ([13, 0, 0, 13], rows.len()));
    stage.service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adjustment_whose_answer_was_lost_is_not_done_twice() -> Outcome {
    let stage = Stage::open().await?;
    let (browser, user) = stage.person().await?;
    let words = ["adjust", "--user", &user, "--posts", "2", "--reason", "Two were lost on our side"];
    // Every repetition of the client's is carried out, and none is answered.
    stage.service.aws().on_call(Box::new(|call| (call.operation == "TransactWriteItems").then_some(Fault::LoseAnswerAfterApply)));
    let said = stage.refused(&words).await?;
    stage.service.aws().on_call(Box::new(|_| None));
    assert_eq!(browser.quota().await?, [14, 0, 0, 14], "it stands, once, though nobody was told");
    let id = said.split_whitespace().skip_while(|word| *word != "--id").nth(1).unwrap_or_default().to_owned();

    let again: Vec<_> = words.iter().copied().chain(["--id", id.as_str()]).collect();
    let told = stage.json(&again).await?;
    assert_eq!((&told["applied_before"], &told["id"], &told["cycle"]), (&json!(true), &json!(id), &Value::Null));
    let table = String::from_utf8(stage.ops(&again).await?.stdout)?;
    assert!(table.contains("applied already") && table.contains("quota 12 -> 14, remaining 12 -> 14"), "{table}");
    // A later one does not hide it.
    stage.json(&words).await?;
    assert_eq!(stage.json(&again).await?["applied_before"], true);
    assert_eq!(browser.quota().await?, [16, 0, 0, 16]);
    assert!(stage.refused(&["adjust", "--id", "x"]).await?.contains("not an adjustment's id"));

    // One that never was stored is, under the id that was told.
    stage.service.aws().on_call(Box::new(|call| (call.operation == "TransactWriteItems").then_some(Fault::FailBefore)));
    let said = stage.refused(&words).await?;
    stage.service.aws().on_call(Box::new(|_| None));
    let id = said.split_whitespace().skip_while(|word| *word != "--id").nth(1).unwrap_or_default().to_owned();
    let again: Vec<_> = words.iter().copied().chain(["--id", id.as_str()]).collect();
    assert_eq!(stage.json(&again).await?["applied_before"], false);
    assert_eq!(stage.json(&again).await?["applied_before"], true);
    assert_eq!(browser.quota().await?, [18, 0, 0, 18]);
    stage.service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adjustments_id_that_nobody_can_have_been_told_is_refused_before_anything_is_written() -> Outcome {
    let stage = Stage::open().await?;
    let (browser, user) = stage.person().await?;
    let made = async |seconds: i64| {
        let made_at: Timestamp = browser.service_time(seconds).await?.parse()?;
        anyhow::Ok(HistoryId::new(made_at, [7; 10]).to_string())
    };
    let words =
        |id: &str| ["adjust", "--user", &user, "--posts", "2", "--reason", "Two were lost on our side", "--id", id].map(str::to_owned);
    for (id, why) in [
        (made(10 * 60).await?, "still to come"),
        (made(400 * 86_400).await?, "still to come"),
        ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ".to_owned(), "still to come"),
        (made(-400 * 86_400).await?, "too long ago"),
        ("00000000000000000000000000".to_owned(), "too long ago"),
    ] {
        let words = words(&id);
        let said = stage.refused(&words.each_ref().map(String::as_str)).await?;
        assert!(said.contains(why) && said.contains(&id) && said.contains("nothing was adjusted"), "{said}");
    }
    assert_eq!((browser.quota().await?, browser.history().await?.len()), ([12, 0, 0, 12], 1));

    // A clock that is a little ahead made this one.
    let words = words(&made(120).await?);
    for applied_before in [false, true] {
        assert_eq!(stage.json(&words.each_ref().map(String::as_str)).await?["applied_before"], applied_before);
    }
    assert_eq!(browser.quota().await?, [14, 0, 0, 14]);
    stage.service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_under_which_something_else_stands_is_refused_and_what_it_is_is_told() -> Outcome {
    let stage = Stage::open().await?;
    let (browser, user) = stage.person().await?;
    let connection = browser.connect("x", &[("account", "ann")], &[]).await?.remove(0);
    let post = browser.write("Fresh bread", &[&connection], &browser.service_time(3_600).await?).await?.remove(0);
    browser.approve(&post).await?;
    let reserved = browser.history().await?[0]["id"].as_str().unwrap_or_default().to_owned();
    let adjust = |posts: &'static str, reason: &'static str, more: &[&str]| {
        let words = ["adjust", "--user", &user, "--posts", posts, "--reason", reason].into_iter().chain(more.iter().copied());
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let told = stage.json(&adjust("2", "Lost", &[]).iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let (adjusted, cycle) = (told["id"].as_str().unwrap_or_default(), told["cycle"]["start"].as_str().unwrap_or_default());

    for (words, stands) in [
        (adjust("5", "Lost", &["--id", &reserved]), "post_reserved"),
        (adjust("-1", "Lost", &["--id", &reserved]), "post_reserved"),
        (adjust("3", "Lost", &["--id", adjusted]), "adjustment (Lost), quota 12 -> 14"),
        (adjust("-2", "Lost", &["--id", adjusted]), "adjustment (Lost)"),
        (adjust("2", "Won", &["--id", adjusted]), "adjustment (Lost)"),
        (adjust("2", "Lost", &["--id", adjusted, "--cycle", "2001-01-01T00:00:00Z"]), "adjustment (Lost)"),
    ] {
        let said = stage.refused(&words.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        assert!(said.contains(stands) && said.contains("nothing was adjusted"), "{words:?}: {said}");
    }
    for more in [&["--id", adjusted][..], &["--id", adjusted, "--cycle", cycle]] {
        let again = adjust("2", "Lost", more);
        assert_eq!(stage.json(&again.iter().map(String::as_str).collect::<Vec<_>>()).await?["applied_before"], true, "{again:?}");
    }
    assert_eq!(browser.quota().await?, [14, 0, 1, 13]);
    stage.service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_cycle_is_shown_and_adjusted_after_a_hundred_others() -> Outcome {
    let stage = Stage::open().await?;
    let (browser, user) = stage.person().await?;
    let aws = stage.service.aws();
    let query = json!({ "TableName": tables().ledger, "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
        "ExpressionAttributeValues": { ":pk": { "S": format!("USER#{user}") }, ":sk": { "S": "CYCLE#" } } });
    let running = aws.tables("Query", &query)?["Items"][0].clone();
    let start = running["start"]["S"].as_str().unwrap_or_default().parse::<Timestamp>()?;
    let (began, oldest) = (Time::from(start).to_string(), Time::from(start - CYCLE * 120).to_string());
    for nth in 1..=120 {
        let start = start - CYCLE * nth;
        let mut ended = running.clone();
        ended["sk"] = json!({ "S": format!("CYCLE#{start:.3}") });
        (ended["start"], ended["end"]) = (json!({ "S": start }), json!({ "S": start + CYCLE }));
        ended["closed_at"] = ended["end"].clone();
        ended.as_object_mut().map(|row| (row.remove("close_pk"), row.remove("cycle_end")));
        aws.tables("PutItem", &json!({ "TableName": tables().ledger, "Item": ended }))?;
    }

    let shown = stage.json(&["users", "show", &user]).await?;
    let starts: Vec<_> = shown["cycles"].as_array().into_iter().flatten().map(|cycle| &cycle["start"]).collect();
    assert_eq!((starts.len(), starts.last()), (40, Some(&&json!(began))), "the latest, in order");
    let adjust = ["adjust", "--user", &user, "--posts", "2", "--reason", "Two were lost on our side"];
    assert_eq!(stage.json(&adjust).await?["cycle"]["start"], began.as_str());
    assert_eq!(browser.quota().await?, [14, 0, 0, 14]);
    let of_the_oldest: Vec<_> = adjust.into_iter().chain(["--cycle", &oldest]).collect();
    assert_eq!(stage.json(&of_the_oldest).await?["cycle"]["start"], oldest.as_str());
    stage.service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_ends_well_on_right_books_and_names_what_is_wrong_without_mending_it() -> Outcome {
    let stage = Stage::open().await?;
    let (browser, user) = stage.person().await?;
    let connection = browser.connect("x", &[("account", "ann")], &[]).await?.remove(0);
    let due = browser.service_time(3_600).await?;
    let post = browser.write("Fresh bread", &[&connection], &due).await?.remove(0);
    browser.approve(&post).await?;
    assert_eq!(stage.json(&["audit", "--all"]).await?, json!({ "users": 1, "differences": [], "zone_changes": [], "unreadable": [] }));
    assert_eq!(stage.json(&["audit", "--user", &user]).await?["differences"], json!([]));

    // Somebody writes into the table by hand.
    let aws = stage.service.aws();
    let query = json!({ "TableName": tables().ledger, "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
        "ExpressionAttributeValues": { ":pk": { "S": format!("USER#{user}") }, ":sk": { "S": "CYCLE#" } } });
    let mut cycle = aws.tables("Query", &query)?["Items"][0].clone();
    cycle["used"] = json!({ "N": "1" });
    aws.tables("PutItem", &json!({ "TableName": tables().ledger, "Item": cycle }))?;

    let output = stage.ops(&["audit", "--all", "--json"]).await?;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout)?;
    let differences = found["differences"].as_array().unwrap();
    let by_posts = differences.iter().find(|difference| difference["what"].as_str().unwrap().starts_with("used, and the posts"));
    assert_eq!((&by_posts.unwrap()["ledger"], &by_posts.unwrap()["computed"]), (&json!(1), &json!(0)));
    assert!(differences.iter().all(|difference| difference["user_id"] == user.as_str()));
    let table = String::from_utf8(stage.ops(&["audit", "--all"]).await?.stdout)?;
    assert!(table.contains("1 users, 3 differences") && table.contains("COMPUTED"), "{table}");
    assert_eq!(browser.quota().await?, [12, 1, 1, 10], "nothing is mended");
    assert!(stage.refused(&["audit"]).await?.contains("--all"));
    stage.service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_cannot_be_read_is_named_by_an_audit_and_stops_nobody_else() -> Outcome {
    let stage = Stage::open().await?;
    let (_, user) = stage.person().await?;
    let (aws, names) = (stage.service.aws(), tables());
    let profile = json!({ "pk": { "S": format!("USER#{user}") }, "sk": { "S": "PROFILE" } });
    let mut with_odd_books = aws.tables("GetItem", &json!({ "TableName": names.users, "Key": profile }))?["Item"].clone();
    // Two more: of one, no row can be read; of the other, the profile alone can.
    let other = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    (with_odd_books["pk"], with_odd_books["id"]) = (json!({ "S": format!("USER#{other}") }), json!({ "S": other }));
    let odd = |pk: &str, sk: &str| json!({ "pk": { "S": pk }, "sk": { "S": sk } });
    for (table, item) in [
        (&names.users, odd("USER#odd", "PROFILE")),
        (&names.users, with_odd_books),
        (&names.ledger, odd(&format!("USER#{other}"), "CYCLE#2026-01-01T00:00:00.000Z")),
    ] {
        aws.tables("PutItem", &json!({ "TableName": table, "Item": item }))?;
    }

    let output = stage.ops(&["audit", "--all", "--json"]).await?;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((&found["users"], &found["differences"]), (&json!(3), &json!([])), "{found}");
    let unreadable = found["unreadable"].as_array().cloned().unwrap_or_default();
    let tells = |user: Value, part: &str| {
        unreadable.iter().any(|row| row["user_id"] == user && row["error"].as_str().unwrap_or_default().contains(part))
    };
    assert!(unreadable.len() == 2 && tells(Value::Null, "USER#odd") && tells(json!(other), "cycle"), "{found}");
    let table = String::from_utf8(stage.ops(&["audit", "--all"]).await?.stdout)?;
    assert!(table.contains("2 users cannot be read") && table.contains("USER#odd") && table.contains(other), "{table}");
    assert_eq!(stage.ops(&["audit", "--user", other]).await?.status.code(), Some(3));
    stage.service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_names_a_post_whose_zone_has_got_other_rules_and_ends_well() -> Outcome {
    let stage = Stage::open().await?;
    let (browser, user) = stage.person().await?;
    let connection = browser.connect("x", &[("account", "ann")], &[]).await?.remove(0);
    let due = browser.service_time(24 * 3_600).await?;
    let body = json!({ "content": "Fresh bread", "targets": [{ "connection_id": connection }],
        "scheduled_local": due.trim_end_matches('Z'), "time_zone": "UTC" });
    let post = browser.post("/api/posts", Some(&body)).await?.expect(201)?.str("/items/0/id")?;
    browser.approve(&post).await?;
    assert_eq!(stage.json(&["audit", "--all"]).await?["zone_changes"], json!([]));

    // As if its local time had meant another hour when it was written.
    let aws = stage.service.aws();
    let key = json!({ "pk": { "S": format!("USER#{user}") }, "sk": { "S": format!("POST#{post}") } });
    let row = || aws.tables("GetItem", &json!({ "TableName": tables().posts, "Key": key, "ConsistentRead": true }));
    let mut moved = row()?["Item"].take();
    let later = browser.service_time(25 * 3_600).await?;
    moved["local_time"] = json!({ "S": later.trim_end_matches('Z') });
    aws.tables("PutItem", &json!({ "TableName": tables().posts, "Item": moved }))?;

    let found = stage.json(&["audit", "--all"]).await?;
    let change = &found["zone_changes"][0];
    assert_eq!((&found["differences"], found["zone_changes"].as_array().map(Vec::len)), (&json!([]), Some(1)));
    assert_eq!((&change["user_id"], &change["post_id"], &change["time_zone"]), (&json!(user), &json!(post), &json!("UTC")));
    assert_eq!((&change["due_at"], &change["now_means"]), (&json!(due), &json!(later)));
    assert_eq!(change["local_time"], moved["local_time"]["S"]);
    let output = stage.ops(&["audit", "--user", &user]).await?;
    let table = String::from_utf8(output.stdout)?;
    assert!(output.status.success() && table.contains("1 users, 0 differences") && table.contains(&post), "{table}");
    assert_eq!(row()?["Item"], moved, "nothing is moved");

    // Its owner says it again.
    let again = json!({ "scheduled_local": later.trim_end_matches('Z'), "time_zone": "UTC" });
    let edited = browser.patch(&format!("/api/posts/{post}"), "\"1\"", &again).await?.expect(200)?;
    assert_eq!((&edited.json["scheduled_for"], &edited.json["version"]), (&json!(later), &json!(2)));
    assert_eq!(stage.json(&["audit", "--all"]).await?["zone_changes"], json!([]));
    stage.service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_posts_are_shown_without_what_they_say() -> Outcome {
    let stage = Stage::open().await?;
    let (browser, user) = stage.person().await?;
    let connection = browser.connect("x", &[("account", "ann")], &[]).await?.remove(0);
    let due = browser.service_time(3_600).await?;
    let post = browser.write("Nobody else's business", &[&connection], &due).await?.remove(0);
    browser.approve(&post).await?;

    let shown = stage.json(&["users", "show", &user]).await?;
    assert_eq!(
        (&shown["plan"]["plan"], &shown["cycles"][0]["reserved"], &shown["connections"][0]["id"]),
        (&json!("starter"), &json!(1), &json!(connection))
    );
    assert_eq!(shown["history"][0]["change_reason"], "post_reserved");
    let story = stage.json(&["posts", "show", &user, &post]).await?;
    assert_eq!((&story["status"], &story["events"][1]["note"]), (&json!("scheduled"), &json!("approved")));
    for words in [&["users", "show", &user][..], &["posts", "show", &user, &post]] {
        let table = String::from_utf8(stage.ops(words).await?.stdout)?;
        assert!(table.contains("scheduled") || table.contains("REMAINING"), "{table}");
        assert!(!table.contains("business") && !table.contains("412345900"), "{table}");
    }
    assert!(stage.refused(&["users", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]).await?.contains("no such user"));
    assert!(stage.refused(&["posts", "show", &user, "nonsense"]).await?.contains("not a post's id"));
    stage.service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_lowered_and_lapses_by_hand() -> Outcome {
    let stage = Stage::open().await?;
    let (browser, user) = stage.person().await?;
    assert_eq!(stage.json(&["plans", "set", &user, "professional"]).await?["cycles"][0]["quota"], 52);
    stage.json(&["plans", "set", &user, "starter"]).await?;
    assert_eq!(browser.quota().await?, [52, 0, 0, 52], "a lower plan begins with the next cycle");
    assert!(stage.refused(&["plans", "set", &user, "starter"]).await?.contains("so already"));
    stage.json(&["plans", "lapse", &user]).await?;
    assert_eq!(browser.quota().await?, [52, 0, 0, 52], "what runs goes on to its end");
    let shown = stage.json(&["users", "show", &user]).await?;
    assert_eq!((&shown["plan"]["source"], &shown["plan"]["ends_at"]), (&json!("operator"), &shown["cycles"][0]["end"]));
    stage.json(&["plans", "return", &user]).await?;
    assert_eq!(browser.quota().await?, [52, 0, 0, 52]);
    assert_eq!(stage.json(&["audit", "--all"]).await?["differences"], json!([]));
    stage.service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_for_operators_gives_no_secret_but_the_key_of_codes() -> Outcome {
    let stage = Stage::open().await?;
    let (browser, _) = stage.person().await?;
    let ask = async |target: &str, body: Value| {
        let headers = [("x-amz-target", target)];
        anyhow::Ok(browser.request(reqwest::Method::POST, "/_local/aws", &headers, Some(&body)).await?.status.as_u16())
    };
    assert_eq!(ask("secretsmanager.GetSecretValue", json!({ "SecretId": "postledger/local/hash-key" })).await?, 200);
    for (target, body) in [
        ("secretsmanager.GetSecretValue", json!({ "SecretId": "postledger/local/platform/x" })),
        ("secretsmanager.ListSecrets", json!({})),
        ("secretsmanager.DeleteSecret", json!({ "SecretId": "postledger/local/hash-key" })),
        ("AmazonSQS.ReceiveMessage", json!({})),
        ("", json!({})),
    ] {
        assert_eq!(ask(target, body).await?, 404, "{target}");
    }
    stage.service.stop().await;
    Ok(())
}
