//! What many runs came to.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::plan::Kind;
use crate::run::Verdict;
use crate::sweep::{Job, kinds};
use crate::watch::{Edge, LEGAL};

/// Counts over many runs.
#[derive(Debug, Default)]
pub struct Report {
    /// How many.
    pub runs: usize,
    /// Calls of functions, all runs together.
    pub calls: usize,
    /// Calls by who made them, and of which operation.
    pub callers: BTreeMap<(String, String), usize>,
    /// Faults by kind.
    pub faults: BTreeMap<Kind, usize>,
    /// How often each operation was hit by each kind.
    pub pairs: BTreeMap<(String, Kind), usize>,
    /// Operations that were called, whether they were hit or not, by every kind that means something for them.
    pub possible: BTreeMap<(String, Kind), usize>,
    /// Steps that posts took.
    pub edges: BTreeMap<Edge, usize>,
    /// How posts ended.
    pub ends: BTreeMap<String, usize>,
    /// The longest virtual time to rest.
    pub longest: Duration,
    /// Planned faults that did not fall: the call was not made.
    pub not_fallen: usize,
    /// How many runs failed.
    pub failed: usize,
}

impl Report {
    /// Counts a run.
    pub fn add(&mut self, job: &Job, verdict: &Verdict) {
        self.runs += 1;
        self.calls += verdict.seen.calls.len();
        self.longest = self.longest.max(verdict.rested_after);
        for call in &verdict.seen.calls {
            *self.callers.entry((call.actor.name.clone(), call.name.clone())).or_default() += 1;
            if let Some(kind) = call.kind {
                *self.faults.entry(kind).or_default() += 1;
                *self.pairs.entry((call.name.clone(), kind)).or_default() += 1;
            }
            if job.hits.as_ref().is_some_and(Vec::is_empty) {
                for kind in kinds(call.side, &call.name) {
                    *self.possible.entry((call.name.clone(), kind)).or_default() += 1;
                }
            }
        }
        if let Some(hits) = &job.hits {
            self.not_fallen += hits.iter().filter(|hit| !verdict.seen.hits.contains(hit)).count();
        }
        for (edge, times) in &verdict.edges {
            *self.edges.entry(*edge).or_default() += times;
        }
        for end in &verdict.ends {
            *self.ends.entry(end.clone()).or_default() += 1;
        }
        self.failed += usize::from(!verdict.seen.violations.is_empty());
    }

    /// Counts the runs of another report too.
    pub fn extend(&mut self, other: Self) {
        fn sum<K: Ord>(into: &mut BTreeMap<K, usize>, from: BTreeMap<K, usize>) {
            for (key, times) in from {
                *into.entry(key).or_default() += times;
            }
        }
        self.runs += other.runs;
        self.calls += other.calls;
        self.not_fallen += other.not_fallen;
        self.failed += other.failed;
        self.longest = self.longest.max(other.longest);
        sum(&mut self.callers, other.callers);
        sum(&mut self.faults, other.faults);
        sum(&mut self.pairs, other.pairs);
        sum(&mut self.possible, other.possible);
        sum(&mut self.edges, other.edges);
        sum(&mut self.ends, other.ends);
    }

    /// The legal steps that no post took.
    pub fn edges_missing(&self) -> Vec<Edge> {
        LEGAL.into_iter().filter(|edge| !self.edges.contains_key(edge)).collect()
    }

    /// The report in words.
    pub fn words(&self) -> String {
        let mut words = format!(
            "{} runs, {} with a violation; {} calls; longest time to rest {:.0} s\n",
            self.runs,
            self.failed,
            self.calls,
            self.longest.as_secs_f64()
        );
        let ends: Vec<String> = self.ends.iter().map(|(end, count)| format!("{end} {count}")).collect();
        let _infallible = writeln!(words, "posts ended: {}", ends.join(", "));
        let missing = self.edges_missing();
        let taken = LEGAL.len() - missing.len();
        let _infallible = writeln!(words, "steps of a post's life: {taken} of {}, without {missing:?}; fewest:", LEGAL.len());
        let mut edges: Vec<_> = self.edges.iter().collect();
        edges.sort_by_key(|(_, times)| **times);
        for ((from, to), times) in edges.into_iter().take(6) {
            let _infallible = writeln!(words, "  {times:>9}  {from:?} to {to:?}");
        }
        let _infallible = writeln!(words, "most calls:");
        let mut callers: Vec<_> = self.callers.iter().collect();
        callers.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        for ((who, what), times) in callers.into_iter().take(8) {
            let _infallible = writeln!(words, "  {times:>9}  {who}: {what}");
        }
        let _infallible = writeln!(words, "(operation, fault): {} pairs; faults that fell, by kind:", self.pairs.len());
        for (kind, count) in &self.faults {
            let _infallible = writeln!(words, "  {count:>9}  {}", kind.words());
        }
        words
    }
}
