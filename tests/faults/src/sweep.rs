//! Many runs: every call broken alone, every two together, and mixtures by chance.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::dice::Dice;
use crate::plan::{Call, Hit, Kind, Plan, Side};
use crate::report::Report;
use crate::run::{Verdict, play};
use crate::scenario::Scenario;

/// No call of a run by chance breaks later than this.
pub(crate) const SWARM_ENDS: Duration = Duration::from_mins(75);
/// How long calls break in a run by chance: past the end of the cycle, and in some past the first reading of numbers.
const SWARM_FOR: [Duration; 4] = [Duration::from_mins(40), Duration::from_mins(40), Duration::from_mins(40), SWARM_ENDS];
/// How often a fault list is cut at most.
const CUTS_MAX: usize = 200;
/// Failures that are told in full.
const TOLD_MAX: usize = 20;

/// One run to be made.
#[derive(Debug, Clone)]
pub struct Job {
    /// What people do.
    pub scenario: Arc<Scenario>,
    /// What breaks.
    pub hits: Option<Vec<Hit>>,
    /// Every other chance; for a run by chance, the scenario and the faults too.
    pub seed: u64,
}

impl Job {
    fn of(scenario: &Arc<Scenario>, hits: Vec<Hit>) -> Self {
        Self { scenario: scenario.clone(), hits: Some(hits), seed: 1 }
    }

    /// A mixture by chance: scenario, kinds and rates all come from the seed.
    pub fn mixture(seed: u64) -> Self {
        Self { scenario: Arc::new(Scenario::random(seed)), hits: None, seed }
    }

    fn plan(&self) -> Plan {
        match &self.hits {
            Some(hits) => Plan::Exactly(hits.clone()),
            None => swarm(self.seed),
        }
    }

    /// Makes the run.
    pub fn run(&self) -> Verdict {
        play(&self.scenario, self.plan(), self.seed)
    }

    /// How to make this run again.
    fn command(&self) -> String {
        match &self.hits {
            None => format!("cargo run --release -p faults -- --from {} --seeds 1", self.seed),
            Some(hits) => {
                let hits: Vec<String> = hits.iter().map(|hit| format!("{}:{:?}", hit.call, hit.kind)).collect();
                format!("cargo run --release -p faults -- --story {:?} --hit {}", self.scenario.name, hits.join(","))
            }
        }
    }
}

/// `scenario` with nothing broken.
pub fn whole(scenario: &Scenario) -> Job {
    Job::of(&Arc::new(scenario.clone()), Vec::new())
}

/// Each call of `scenario` broken alone in each way.
pub fn singles(scenario: &Scenario) -> Vec<Job> {
    let scenario = Arc::new(scenario.clone());
    hits_after(&scenario, &[]).into_iter().map(|hit| Job::of(&scenario, vec![hit])).collect()
}

/// Each call of `scenario` at which a function stands still while what the story holds for it is done.
pub fn interruptions(scenario: &Scenario) -> Vec<Job> {
    let scenario = Arc::new(scenario.clone());
    let calls = 0..play(&scenario, Plan::Exactly(Vec::new()), 1).seen.calls.len();
    calls.map(|call| Job::of(&scenario, vec![Hit { call, kind: Kind::Meanwhile }])).collect()
}

/// Each two faults of `scenario` together: the second at any call that the run with the first alone made after it. Of all of
/// these, every `every`-th.
pub fn pairs(scenario: &Scenario, every: usize) -> impl Iterator<Item = Job> + use<> {
    let scenario = Arc::new(scenario.clone());
    let firsts = hits_after(&scenario, &[]).into_iter();
    let both = firsts.flat_map(move |first| {
        let scenario = scenario.clone();
        hits_after(&scenario, &[first]).into_iter().map(move |second| Job::of(&scenario, vec![first, second]))
    });
    both.step_by(every.max(1))
}

/// Every fault that can fall after those that have.
fn hits_after(scenario: &Scenario, before: &[Hit]) -> Vec<Hit> {
    let made = play(scenario, Plan::Exactly(before.to_vec()), 1).seen.calls;
    let from = before.last().map_or(0, |hit| hit.call + 1);
    let calls = made.iter().enumerate().skip(from).filter(|(call, _)| !is_amid_queries(&made, *call));
    calls.flat_map(|(call, made)| kinds(made.side, &made.name).into_iter().map(move |kind| Hit { call, kind })).collect()
}

/// Whether a call is one of many queries that a function makes at one moment, neither the first nor the last of them. A job asks each shard
/// of an index, and whatever it found would lead to another call: the shards before and after were empty, as this one was.
fn is_amid_queries(made: &[Call], call: usize) -> bool {
    let is_alike = |other: Option<usize>| {
        let (this, other) = (&made[call], other.and_then(|other| made.get(other)));
        this.name.ends_with(".Query")
            && other.is_some_and(|other| (other.actor.number, other.at, &other.name) == (this.actor.number, this.at, &this.name))
    };
    is_alike(call.checked_sub(1)) && is_alike(Some(call + 1))
}

/// Mixtures by chance.
pub fn mixtures(seeds: std::ops::Range<u64>) -> impl Iterator<Item = Job> {
    seeds.map(Job::mixture)
}

/// The kinds that mean something for an operation, and not the same.
pub(crate) fn kinds(side: Side, name: &str) -> Vec<Kind> {
    Kind::of(side).into_iter().filter(|kind| kind.fits(side, name) && !kind.is_another_at(name)).collect()
}

/// Each seed picks which kinds fall, and how often.
fn swarm(seed: u64) -> Plan {
    let mut dice = Dice::new(seed, 3);
    let density = *dice.pick(&[4, 12, 30, 90]);
    let all: BTreeSet<Kind> = Kind::all().into_iter().collect();
    let mut rates = Vec::new();
    for kind in all {
        if dice.chance(450) {
            rates.push((kind, 1 + dice.below(density)));
        }
    }
    let until = *dice.pick(&SWARM_FOR);
    Plan::Swarm { rates, dice, until }
}

/// Makes all runs on `threads` threads; `tell` is given each failure in full, up to a number, and the report after every run.
pub fn run_all(
    jobs: impl Iterator<Item = Job> + Send,
    threads: usize,
    tell: impl Fn(&str) + Sync,
    progress: impl Fn(&Report) + Sync,
) -> Report {
    let (jobs, report) = (Mutex::new(jobs), Mutex::new(Report::default()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(job) = job else { break };
                    let verdict = job.run();
                    let failed = {
                        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                        report.add(&job, &verdict);
                        progress(&report);
                        !verdict.seen.violations.is_empty() && report.failed <= TOLD_MAX
                    };
                    if failed {
                        tell(&told(&job, &verdict));
                    }
                }
            });
        }
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A failed run in full, with the shortest fault list that still fails.
pub fn told(job: &Job, verdict: &Verdict) -> String {
    let (hits, shortest) = shortest(job, verdict);
    let list: Vec<String> = hits.iter().map(|hit| format!("  Hit {{ call: {}, kind: Kind::{:?} }}", hit.call, hit.kind)).collect();
    format!(
        "seed {} at commit {}, in the story {:?}\nagain: {}\n{:#?}\nviolations: {:#?}\nfaults that are enough:\n{}\ntrace:\n{}",
        job.seed,
        env!("FAULTS_COMMIT"),
        job.scenario.name,
        job.command(),
        job.scenario,
        shortest.seen.violations,
        list.join("\n"),
        shortest.seen.trace()
    )
}

/// Drops faults one by one as long as the run still fails.
fn shortest(job: &Job, verdict: &Verdict) -> (Vec<Hit>, Verdict) {
    let (mut hits, mut failing) = (verdict.seen.hits.clone(), verdict.clone());
    let (mut place, mut cuts) = (hits.len(), 0);
    while place > 0 && cuts < CUTS_MAX {
        place -= 1;
        cuts += 1;
        let mut fewer = hits.clone();
        fewer.remove(place);
        let verdict = play(&job.scenario, Plan::Exactly(fewer.clone()), job.seed);
        if !verdict.seen.violations.is_empty() {
            (hits, failing) = (fewer, verdict);
        }
    }
    (hits, failing)
}
