//! The tables of the cost page, and the page with them in their places.

use anyhow::Context;

use super::model::{Month, OfPost, Work, idle};
use super::prices::{ASSUMPTIONS, PRICES};
use crate::calls::{Counted, FACEBOOK, X};

/// How many accounts the last table looks at.
const ACCOUNTS: [f64; 5] = [100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0];
/// Posts of one row of the middle table.
const POSTS: f64 = 1_000.0;

/// Every table of the page, by the name of its place.
pub fn blocks(counted: &Counted) -> anyhow::Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("idle", idle_table(counted)?),
        ("posts", posts_table(counted)?),
        ("accounts", accounts_table(counted)?),
        ("calls", counted.to_string()),
        ("assumptions", assumptions_table()),
        ("prices", prices_table()),
    ])
}

/// The page with the tables in the places that bear their names.
pub fn corrected(page: &str, blocks: &[(&'static str, String)]) -> anyhow::Result<String> {
    let mut page = page.to_owned();
    for (name, table) in blocks {
        let (begins, ends) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
        let (before, rest) = page.split_once(&begins).with_context(|| format!("no place for {name}"))?;
        let (_, after) = rest.split_once(&ends).with_context(|| format!("the place for {name} does not end"))?;
        page = format!("{before}{begins}\n{table}\n{ends}{after}");
    }
    Ok(page)
}

fn idle_table(counted: &Counted) -> anyhow::Result<String> {
    let parts = idle(counted)?;
    let sum = parts.iter().map(|(_, dollars)| dollars).sum();
    let rows = parts.iter().map(|(part, dollars)| row(&[part.clone(), money(*dollars)]));
    Ok(table("| part | $ a month |\n|---|---:|\n", rows.chain([row(&["**sum**".to_owned(), format!("**{}**", money(sum))])])))
}

fn posts_table(counted: &Counted) -> anyhow::Result<String> {
    let (x, facebook) = (OfPost::on(counted, X)?, OfPost::on(counted, FACEBOOK)?);
    let columns =
        [x.approved, x.published, x.metrics, x.whole(), facebook.approved, facebook.published, facebook.metrics, facebook.whole()]
            .map(|work| work.times(POSTS));
    let head = "| part | X: approved | published | metrics | **X** | Facebook: approved | published | metrics | **Facebook** |\n\
        |---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    let line = |name: &str, dollars: [f64; 8]| row(&[vec![name.to_owned()], dollars.map(money).to_vec()].concat());
    let names = columns[0].parts().map(|(price, _)| price.of);
    let rows = names.iter().enumerate().map(|(part, name)| line(name, columns.map(|work| work.parts()[part].1)));
    Ok(table(head, rows.chain([line("**sum**", columns.map(|work: Work| work.dollars()))])))
}

fn accounts_table(counted: &Counted) -> anyhow::Result<String> {
    let head = "| accounts | posts a month | standing | posting | cycles and audits | storage | **without secrets** | secrets | **sum** |\n\
        |---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    let line = |accounts| {
        let month = Month::of(counted, accounts)?;
        let sum = month.sum();
        let Month { accounts, posts, standing, posting, books, storage, secrets } = month;
        let dollars = [standing, posting, books, storage, sum - secrets, secrets, sum].map(money);
        anyhow::Ok(row(&[vec![whole(accounts), whole(posts)], dollars.to_vec()].concat()))
    };
    let rows = ACCOUNTS.into_iter().map(line).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(table(head, rows))
}

fn assumptions_table() -> String {
    let rows = ASSUMPTIONS.iter().map(|assumed| row(&[assumed.of.to_owned(), format!("{} {}", whole(assumed.value), assumed.unit)]));
    table("| assumed | |\n|---|---|\n", rows)
}

fn prices_table() -> String {
    let rows = PRICES.iter().map(|price| row(&[price.of, &price.dollars.to_string(), price.unit, price.source].map(str::to_owned)));
    table("| price of | $ | for each | source |\n|---|---:|---|---|\n", rows)
}

fn table(head: &str, rows: impl IntoIterator<Item = String>) -> String {
    rows.into_iter().fold(head.to_owned(), |table, row| table + &row)
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// Dollars, as exactly as somebody wants to know them.
fn money(dollars: f64) -> String {
    match dollars {
        0.0 => "0".to_owned(),
        little if little < 1.0 => format!("{little:.4}"),
        some if some < 100.0 => format!("{some:.2}"),
        much => whole(much),
    }
}

/// A number without a fraction, its thousands apart.
fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        let told = [0.0, 0.001_26, 0.9, 9.256, 99.9, 1_234.5, 1_000_000.0].map(money);
        assert_eq!(told, ["0", "0.0013", "0.9000", "9.26", "99.90", "1,234", "1,000,000"]);
    }

    #[test]
    fn a_table_takes_its_place_and_leaves_the_rest_alone() {
        let page = "Before\n<!-- idle -->\n\nold\n\n<!-- end of idle -->\nafter";
        let new = corrected(page, &[("idle", "| new |\n".to_owned())]).unwrap();
        assert_eq!(new, "Before\n<!-- idle -->\n\n| new |\n\n<!-- end of idle -->\nafter");
        assert_eq!(corrected(&new, &[("idle", "| new |\n".to_owned())]).unwrap(), new);
        assert!(corrected(page, &[("posts", String::new())]).is_err());
    }
}
