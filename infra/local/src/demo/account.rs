//! The way in: phone, plan, accounts.

use anyhow::ensure;
use local::browser::text_at;
use serde_json::json;

use super::Walk;

pub(super) const PHONE: &str = "+61412345678";

/// A code by text, a session, a plan that is bought on the payment provider's page.
pub(super) async fn sign_up(walk: &mut Walk) -> anyhow::Result<()> {
    let signed_in = walk.browser.sign_in(PHONE).await?;
    walk.saw("verify the phone", format!("user {}", text_at(&signed_in, "/user/id")?));
    let page = walk.browser.post("/api/billing/checkout", Some(&json!({ "plan": "starter" }))).await?.expect(200)?.str("/url")?;
    walk.browser.post_form(&page, &[("decision".to_owned(), "pay".to_owned())]).await?.expect(303)?;
    let bought = walk.browser.get("/api/quota").await?.expect(200)?;
    let quota = walk.browser.quota().await?;
    ensure!(quota == [12, 0, 0, 12], "a starter plan holds 12 posts, saw {quota:?}");
    walk.saw("buy a plan, pay for it", format!("plan {}, 12 posts until {}", bought.str("/plan")?, bought.str("/cycle_end")?));
    Ok(())
}

/// X brings one account, Facebook two Pages of which one is chosen.
pub(super) async fn connect(walk: &mut Walk) -> anyhow::Result<()> {
    let connected = walk.browser.connect("x", &[], &[]).await?;
    walk.x = one(connected)?;
    walk.saw("connect X", format!("connection {}", walk.x));
    let connected = walk.browser.connect("facebook", &[], &["Demo Bakery"]).await?;
    walk.facebook = one(connected)?;
    walk.saw("connect Facebook, choose a Page", format!("connection {}", walk.facebook));
    let connections = walk.browser.get("/api/connections").await?.expect(200)?;
    let items = connections.json["items"].as_array().map_or(0, Vec::len);
    ensure!(items == 2, "two connections were made, saw {items}");
    for (platform, name) in [("x", "demo_x"), ("facebook", "Demo Bakery")] {
        ensure!(connections.text.contains(platform) && connections.text.contains(name), "no {name} in {}", connections.text);
    }
    ensure!(!connections.text.contains("token"), "a connection shows a token");
    Ok(())
}

fn one(mut connections: Vec<String>) -> anyhow::Result<String> {
    ensure!(connections.len() == 1, "one connection was expected, saw {connections:?}");
    Ok(connections.remove(0))
}
