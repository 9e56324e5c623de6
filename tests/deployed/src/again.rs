//! The stack is deleted and deployed again; what the first one kept is brought back; and a first deploy breaks off half-way.

use anyhow::{Context, ensure};
use serde_json::json;

use crate::inspect;
use crate::journey::{PHONE, quota};
use crate::stack::NAME;
use crate::world::World;

/// The stack that takes back what the first one kept. That one's own name is in use again by then.
const BACK: &str = "postledger-back";
/// The stack whose first deploy breaks off.
const HALF: &str = "postledger-half";
/// The outputs that name what outlives a stack; the hash key's last.
const OUTLIVING: [&str; 4] = ["UsersTableName", "PostsTableName", "LedgerTableName", "HashKeySecret"];

/// What the first stack kept.
pub(crate) struct Kept {
    /// In the order of [`OUTLIVING`].
    names: [String; 4],
    items: [usize; 3],
    hash_key: String,
}

impl Kept {
    async fn of(world: &World) -> anyhow::Result<Self> {
        let names = names(world)?;
        let items = [items_in(world, &names[0]).await?, items_in(world, &names[1]).await?, items_in(world, &names[2]).await?];
        let hash_key = secret(world, &names[3]).await?;
        Ok(Self { names, items, hash_key })
    }

    /// It is all there, as it was.
    async fn is_untouched(&self, world: &World) -> anyhow::Result<()> {
        for (name, items) in self.names.iter().zip(self.items) {
            let found = items_in(world, name).await?;
            ensure!(found == items, "{name} had {items} items when its stack was deleted, and has {found}");
        }
        ensure!(secret(world, &self.names[3]).await? == self.hash_key, "the hash key is another");
        Ok(())
    }
}

/// `sam delete`: what outlives the stack is there with all that it holds, and the rest is gone. Then it is taken into another stack, because
/// the emulator forgets a deleted stack when its name is used again.
pub(crate) async fn deleted(world: &World) -> anyhow::Result<Kept> {
    let kept = Kept::of(world).await?;
    ensure!(kept.items.iter().all(|items| *items > 0), "the journey has left nothing to keep: {:?}", kept.items);
    let sessions = world.stack.output("SessionsTableName")?;
    world.sam.delete(NAME).await?;
    kept.is_untouched(world).await?;
    ensure!(items_in(world, sessions).await.is_err(), "{sessions} has outlived its stack");
    world.saw("the stack was deleted: three tables and the hash key are there as they were, the sessions are gone");
    world.sam.bring_back(NAME, BACK).await?;
    kept.is_untouched(world).await?;
    world.saw("what it kept was imported into another stack");
    Ok(kept)
}

/// `sam deploy` of the same stage under the same name: no name is in the way, nothing is adopted unasked, and it serves.
pub(crate) async fn deployed_anew(world: &mut World, kept: &Kept) -> anyhow::Result<()> {
    world.sam.deploy_as(NAME, &world.parameters()).await?;
    world.turn_to(NAME).await?;
    let new = names(world)?;
    let adopted: Vec<_> = new.iter().filter(|name| kept.names.contains(name)).collect();
    ensure!(adopted.is_empty(), "the new stack has taken what the first one kept: {adopted:?}");
    world.browser.sign_in(PHONE).await?;
    ensure!(posts(world).await? == 0, "the new stack knows somebody of the first one");
    let gift = world.ops(&["gift-certificates", "issue", "--plan", "starter"]).await?;
    world.browser.post("/api/redeem-gift", Some(&json!({ "code": gift }))).await?.expect(200)?;
    quota(world, [12, 0, 0, 12]).await?;
    kept.is_untouched(world).await?;
    in_order(world).await?;
    world.saw("the same stage was deployed anew: it signs people up, and what the first stack kept is untouched");
    Ok(())
}

/// `sam deploy` on what was imported: everybody is there again, under the same hash key.
pub(crate) async fn brought_back(world: &mut World, kept: &Kept) -> anyhow::Result<()> {
    world.sam.deploy_as(BACK, &world.parameters()).await?;
    world.turn_to(BACK).await?;
    ensure!(names(world)? == kept.names, "expected {:?}, saw {:?}", kept.names, names(world)?);
    ensure!(secret(world, &kept.names[3]).await? == kept.hash_key, "the deploy has made another hash key");
    world.browser.sign_in(PHONE).await?;
    let found = posts(world).await?;
    ensure!(found == 8, "eight posts were kept, {found} came back");
    quota(world, [12, 7, 0, 5]).await?;
    in_order(world).await?;
    world.saw("deployed on what was brought back: the same person has the same posts and quota");
    Ok(())
}

/// A first deploy that fails when tables and hash key are there takes them back.
pub(crate) async fn broken_off(world: &World) -> anyhow::Result<()> {
    let said = world.sam.deploy_half(HALF, &world.parameters()).await?;
    let made = |resource: &str| said.lines().any(|line| line.contains("CREATE_COMPLETE") && line.contains(resource));
    ensure!(made("LedgerTable") && made("HashKey") && said.contains("BreaksOff"), "the deploy was to fail with its tables there: {said}");
    let tables = world.dynamodb.list_tables().send().await.context("listing tables")?;
    let secrets = world.secrets.list_secrets().max_results(100).send().await.context("listing secrets")?;
    let secrets = secrets.secret_list().iter().filter_map(|secret| secret.name());
    let left: Vec<_> = tables.table_names().iter().map(String::as_str).chain(secrets).filter(|name| name.starts_with(HALF)).collect();
    ensure!(left.is_empty(), "a first deploy that broke off has left {left:?}");
    world.saw("a first deploy that broke off half-way left no table and no secret");
    Ok(())
}

fn names(world: &World) -> anyhow::Result<[String; 4]> {
    let [users, posts, ledger, hash_key] = OUTLIVING.map(|output| world.stack.output(output).map(str::to_owned));
    Ok([users?, posts?, ledger?, hash_key?])
}

async fn items_in(world: &World, table: &str) -> anyhow::Result<usize> {
    let page = world.dynamodb.scan().table_name(table).send().await.with_context(|| format!("reading {table}"))?;
    ensure!(page.last_evaluated_key().is_none(), "{table} has grown beyond one page");
    Ok(page.items().len())
}

async fn secret(world: &World, id: &str) -> anyhow::Result<String> {
    let answer = world.secrets.get_secret_value().secret_id(id).send().await.with_context(|| format!("reading {id}"))?;
    answer.secret_string.with_context(|| format!("{id} holds no text"))
}

async fn posts(world: &World) -> anyhow::Result<usize> {
    let posts = world.browser.get("/api/posts?limit=100").await?.expect(200)?.json;
    posts["items"].as_array().map(Vec::len).context("no list of posts")
}

/// The functions that this asked have logged no trouble.
async fn in_order(world: &World) -> anyhow::Result<()> {
    for group in ["AccountLogs", "OnboardingLogs", "PostsLogs"] {
        let mut lines = inspect::logged(world, group, "").await?;
        lines.retain(|line| inspect::is_trouble(line));
        ensure!(lines.is_empty(), "{group}: {lines:?}");
    }
    Ok(())
}
