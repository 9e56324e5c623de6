//! Prints what is counted, and what it costs.

use std::path::Path;

use bench::{calls, cost};
use clap::Args;

/// The page, seen from this crate.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../COST.md");

/// What becomes of the tables.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    /// Writes them into the page.
    #[arg(long)]
    write: bool,
}

/// The table of calls and units.
pub(crate) async fn calls() -> anyhow::Result<()> {
    println!("{}", calls::count().await?);
    Ok(())
}

/// Every table of the page.
pub(crate) async fn cost(options: &Options) -> anyhow::Result<()> {
    let blocks = cost::blocks(&calls::count().await?)?;
    for (name, table) in &blocks {
        println!("{name}\n\n{table}");
    }
    if options.write {
        let page = Path::new(PAGE);
        std::fs::write(page, cost::corrected(&std::fs::read_to_string(page)?, &blocks)?)?;
    }
    Ok(())
}
