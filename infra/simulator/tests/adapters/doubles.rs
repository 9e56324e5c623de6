use domain::platform::PlatformName;
use jiff::Timestamp;
use platforms::Outcome;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::wire::{Wire, account, publish};

#[tokio::test]
async fn each_platform_of_the_list_takes_faults_and_tells_its_posts() {
    for name in PlatformName::ALL {
        let wire = Wire::start().await;
        let granted = wire.connect_one(name).await;
        assert_eq!(wire.fault(name, json!({ "kind": "earthquake" })).await, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        assert_eq!(wire.fault(name, json!({ "kind": "reject" })).await, StatusCode::CREATED, "{name}");
        let waiting = json!([{ "kind": "reject", "times": 1, "on": "publish", "account": null, "seconds": null }]);
        assert_eq!(wire.read(name, "faults").await["items"], waiting, "{name}");
        let refused = publish(wire.platform(name), account(&granted), "hello", wire.now()).await;
        assert!(matches!(refused, Outcome::Rejected { .. }), "{name}: {refused:?}");
        assert_eq!(wire.read(name, "faults").await["items"], json!([]), "{name}");

        let sent = publish(wire.platform(name), account(&granted), "hello", wire.now()).await;
        let Outcome::Accepted { post_id, .. } = sent else { panic!("{name}: {sent:?}") };
        let posts = wire.read(name, "posts").await;
        let created_at: Timestamp = posts["items"][0]["created_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(created_at, wire.now(), "{name}");
        let told = json!([{
            "id": post_id, "account": granted.username, "account_id": granted.account_id, "text": "hello",
            "created_at": posts["items"][0]["created_at"],
        }]);
        assert_eq!(posts["items"], told, "{name}");
        assert_eq!(wire.read(name, "calls").await["publish"], 2, "{name}");

        let post = wire.base.join(&format!("/_sim/{name}/posts/{post_id}")).unwrap();
        for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
            assert_eq!(wire.browser.delete(post.clone()).send().await.unwrap().status(), status, "{name}");
        }
        assert!(wire.texts(name).await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_name_that_no_platform_has_is_refused_with_the_names_that_there_are() {
    let wire = Wire::start().await;
    let calls = [
        (Method::GET, "posts"),
        (Method::DELETE, "posts/1"),
        (Method::GET, "calls"),
        (Method::GET, "faults"),
        (Method::POST, "faults"),
        (Method::DELETE, "faults"),
    ];
    // The payment provider has a double, and is no platform.
    for name in ["nowhere", "stripe"] {
        for (method, what) in &calls {
            let url = wire.base.join(&format!("/_sim/{name}/{what}")).unwrap();
            let answer = wire.browser.request(method.clone(), url).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{method} {name}/{what}");
            let told = answer.text().await.unwrap();
            for platform in PlatformName::ALL {
                assert!(told.contains(platform.as_str()), "{method} {name}/{what}: {told}");
            }
        }
    }
}
