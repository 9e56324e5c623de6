//! Many runs: every call broken alone, every two together, and mixtures by chance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::dice::Dice;
use crate::plan::{Hit, Kind, Plan, Side};
use crate::run::{Verdict, play};
use crate::scenario::Scenario;

/// How long calls break in a run by chance.
const SWARM_FOR: Duration = Duration::from_mins(40);
/// How often a fault list is cut at most.
const CUTS_MAX: usize = 200;
/// Failures that are told in full.
const TOLD_MAX: usize = 20;

/// One run to be made.
#[derive(Debug, Clone)]
pub struct Job {
    /// What people do.
    pub scenario: Scenario,
    /// What breaks.
    pub hits: Option<Vec<Hit>>,
    /// Every other chance; for a run by chance, the scenario and the faults too.
    pub seed: u64,
}

/// What many runs came to.
#[derive(Debug, Default)]
pub struct Report {
    /// How many.
    pub runs: usize,
    /// Faults by kind.
    pub faults: BTreeMap<Kind, usize>,
    /// Operations with the kinds that hit them.
    pub pairs: BTreeSet<(String, Kind)>,
    /// How posts ended.
    pub ends: BTreeMap<String, usize>,
    /// The longest virtual time to rest.
    pub longest: Duration,
    /// What failed, told in full.
    pub failures: Vec<String>,
    /// How many runs failed.
    pub failed: usize,
}

/// Each call of `scenario` broken alone in each way.
pub fn singles(scenario: &Scenario) -> Vec<Job> {
    let whole = play(scenario, Plan::Exactly(Vec::new()), 1);
    let hits = whole
        .calls
        .iter()
        .enumerate()
        .flat_map(|(call, made)| kinds(made.side, &made.name).into_iter().map(move |kind| Hit { call, kind }));
    hits.map(|hit| Job { scenario: scenario.clone(), hits: Some(vec![hit]), seed: 1 }).collect()
}

/// Each two faults of `scenario` together: the second at any call that the run with the first alone made after it.
pub fn pairs(scenario: &Scenario) -> Vec<Job> {
    let mut jobs = Vec::new();
    for first in singles(scenario) {
        let Some(hits) = &first.hits else { continue };
        let made = play(scenario, Plan::Exactly(hits.clone()), 1);
        for (call, second) in made.calls.iter().enumerate().skip(hits[0].call + 1) {
            for kind in kinds(second.side, &second.name) {
                jobs.push(Job { scenario: scenario.clone(), hits: Some(vec![hits[0], Hit { call, kind }]), seed: 1 });
            }
        }
    }
    jobs
}

/// Mixtures by chance: scenario, kinds and rates all come from the seed.
pub fn mixtures(seeds: std::ops::Range<u64>) -> impl Iterator<Item = Job> {
    seeds.map(|seed| Job { scenario: Scenario::random(&mut Dice::new(seed, 2)), hits: None, seed })
}

/// The kinds that mean something for an operation.
fn kinds(side: Side, name: &str) -> Vec<Kind> {
    let is_write = ["PutItem", "TransactWriteItems", "UpdateItem", "DeleteItem"].iter().any(|write| name.ends_with(write));
    let is_query = name.ends_with(".Query");
    let fits = |kind: &Kind| match kind {
        Kind::Conflict => is_write,
        Kind::EmptyIndex => is_query,
        _ => true,
    };
    Kind::of(side).into_iter().filter(fits).collect()
}

fn plan_of(job: &Job) -> Plan {
    match &job.hits {
        Some(hits) => Plan::Exactly(hits.clone()),
        None => swarm(job.seed),
    }
}

/// Each seed picks which kinds fall, and how often.
fn swarm(seed: u64) -> Plan {
    let mut dice = Dice::new(seed, 3);
    let density = *dice.pick(&[15, 40, 100, 250]);
    let mut all: BTreeSet<Kind> = Kind::of(Side::Aws).into_iter().collect();
    all.extend(Kind::of(Side::Platform));
    let mut rates = Vec::new();
    for kind in all {
        if dice.chance(450) {
            rates.push((kind, 1 + dice.below(density)));
        }
    }
    Plan::Swarm { rates, dice, until: SWARM_FOR }
}

/// Runs one job.
pub fn run(job: &Job) -> Verdict {
    play(&job.scenario, plan_of(job), job.seed)
}

/// Runs all jobs on `threads` threads.
pub fn run_all(jobs: &[Job], threads: usize) -> Report {
    let next = AtomicUsize::new(0);
    let report = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = run(job);
                    report.lock().unwrap_or_else(PoisonError::into_inner).add(job, &verdict);
                }
            });
        }
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Report {
    fn add(&mut self, job: &Job, verdict: &Verdict) {
        self.runs += 1;
        self.longest = self.longest.max(verdict.rested_after);
        for call in &verdict.calls {
            if let Some(kind) = call.kind {
                *self.faults.entry(kind).or_default() += 1;
                self.pairs.insert((call.name.clone(), kind));
            }
        }
        for end in &verdict.ends {
            *self.ends.entry(end.clone()).or_default() += 1;
        }
        if !verdict.violations.is_empty() {
            self.failed += 1;
            if self.failures.len() < TOLD_MAX {
                self.failures.push(told(job, verdict));
            }
        }
    }

    /// The report in words.
    pub fn words(&self) -> String {
        let faults: Vec<String> = self.faults.iter().map(|(kind, count)| format!("  {count:>9}  {}", kind.words())).collect();
        let ends: Vec<String> = self.ends.iter().map(|(end, count)| format!("{end} {count}")).collect();
        format!(
            "{} runs, {} with a violation; {} (operation, fault) pairs hit; longest time to rest {:.0} s\nposts ended: {}\nfaults:\n{}\n",
            self.runs,
            self.failed,
            self.pairs.len(),
            self.longest.as_secs_f64(),
            ends.join(", "),
            faults.join("\n")
        )
    }
}

/// A failed run in full, with the shortest fault list that still fails.
fn told(job: &Job, verdict: &Verdict) -> String {
    let (hits, shortest) = shortest(job, verdict);
    let list: Vec<String> = hits.iter().map(|hit| format!("  Hit {{ call: {}, kind: Kind::{:?} }}", hit.call, hit.kind)).collect();
    format!(
        "seed {} in {:?}\n{:#?}\nviolations: {:#?}\nfaults:\n{}\ntrace:\n{}",
        job.seed,
        job.scenario.name,
        job.scenario.deeds,
        shortest.violations,
        list.join("\n"),
        shortest.trace
    )
}

/// Drops faults one by one as long as the run still fails.
fn shortest(job: &Job, verdict: &Verdict) -> (Vec<Hit>, Verdict) {
    let (mut hits, mut failing) = (verdict.hits.clone(), verdict.clone());
    let (mut place, mut cuts) = (hits.len(), 0);
    while place > 0 && cuts < CUTS_MAX {
        place -= 1;
        cuts += 1;
        let mut fewer = hits.clone();
        fewer.remove(place);
        let verdict = play(&job.scenario, Plan::Exactly(fewer.clone()), job.seed);
        if !verdict.violations.is_empty() {
            (hits, failing) = (fewer, verdict);
        }
    }
    (hits, failing)
}
