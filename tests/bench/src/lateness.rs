//! How late posts are that are all due in one second: from that second until the platform has them, by the platform's own record.
//!
//! One customer owns nine tenths of them. The others' posts go out once beside these and once alone, each time through a service of its
//! own: the ratio is what the large customer costs the others. A post that did not arrive, or not once, ends the run.

mod burst;
mod customer;

use std::time::Duration;

use anyhow::ensure;
use clap::Args;

use crate::percentile::percentile;
use burst::burst;
use customer::Share;

/// How many posts are due, if nobody says.
const POSTS: [u32; 3] = [100, 1_000, 10_000];
/// How many customers share the last tenth.
const OTHERS: usize = 10;
/// Each of them has so many posts in a hundred.
const PERCENT_EACH: usize = 1;
/// How many accounts the large customer has: a post goes to as many at once as one request takes.
const ACCOUNTS_OF_ONE: usize = 20;
/// How many accounts each other customer has.
const ACCOUNTS_OF_OTHERS: usize = 5;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many posts are due in one second; several numbers are measured one after the other.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_values_t = POSTS, value_parser = clap::value_parser!(u32).range(100..=20_000))]
    posts: Vec<u32>,
    /// How many seconds before that second the first post is written; a slow machine needs more than the default.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(5..=3_600))]
    lead: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { posts: POSTS.to_vec(), lead: None }
    }
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let lead = options.lead.map(|secs| Duration::from_secs(secs.into()));
    for posts in &options.posts {
        let posts = usize::try_from(*posts)?;
        let each = posts * PERCENT_EACH / 100;
        let other = |number| Share { name: format!("other {number}"), posts: each, accounts: ACCOUNTS_OF_OTHERS };
        let others: Vec<Share> = (1..=OTHERS).map(other).collect();
        let one = Share { name: "one".to_owned(), posts: posts - each * OTHERS, accounts: ACCOUNTS_OF_ONE };
        println!("lateness: {posts} posts due in one second, {} of one customer and {each} of each of {OTHERS} others", one.posts);
        let together = burst(&[vec![one], others.clone()].concat(), lead).await?;
        println!("  now the same others alone");
        let alone = burst(&others, lead).await?;
        show(&together, &alone)?;
    }
    Ok(())
}

/// Prints what each customer's posts took, the large one's first, and what the others' took alone.
fn show(together: &[Vec<Duration>], alone: &[Vec<Duration>]) -> anyhow::Result<()> {
    let (one, others) = together.split_at(1);
    let (all, one, others, alone) = (sorted(together), sorted(one), sorted(others), sorted(alone));
    println!("  {:<17} {:>6} {:>9} {:>9} {:>9}", "whose", "posts", "p50", "p99", "max");
    for (whose, lateness) in [("all", &all), ("the one", &one), ("the others", &others), ("the others alone", &alone)] {
        let [p50, p99, max] = [50, 99, 100].map(|percent| format!("{:.2} s", percentile(lateness, percent).as_secs_f64()));
        println!("  {whose:<17} {:>6} {p50:>9} {p99:>9} {max:>9}", lateness.len());
    }
    let ratio = percentile(&others, 99).as_secs_f64() / percentile(&alone, 99).as_secs_f64();
    ensure!(ratio.is_finite(), "alone, no post was late at all");
    println!("  the others' p99 beside the one is {ratio:.2} times that alone; every post arrived once");
    Ok(())
}

/// All of them, shortest first.
fn sorted(lateness: &[Vec<Duration>]) -> Vec<Duration> {
    let mut all = lateness.concat();
    all.sort_unstable();
    all
}
