//! `COST.md`: every figure in it is counted or computed.

use std::path::Path;

use bench::{calls, cost};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cost_page_says_what_is_counted() -> anyhow::Result<()> {
    let counted = calls::count().await?;
    let blocks = cost::blocks(&counted)?;
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../COST.md"))?;
    let right = cost::corrected(&page, &blocks)?;
    let wrong = blocks.iter().filter(|(_, table)| !page.contains(table.as_str()));
    let told = wrong.map(|(name, table)| format!("{name}:\n\n{table}")).collect::<Vec<_>>().join("\n");
    assert!(page == right, "`cargo run -p bench -- cost --write` writes what is right:\n\n{told}");
    Ok(())
}
