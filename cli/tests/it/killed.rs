//! The engine is killed at each point around a submit and around an attempt's end, and another goes on: with its disk, or with
//! nothing but the bucket. Meanwhile the services delay, lose answers, fail and list late. `PIPE_TEST_KILLS` is how often it is
//! killed at each point; the table of what came of it is printed.

mod tuning;

use crate::afar::{Afar, CLOUD_RUN, Place, VERTEX};
use crate::bench::{Said, wait_until};
use pipe_engine::failpoint::{AFAR, POINTS};
use pipe_standin::{Asked, Fault};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

/// What runs at a place, and what is to hold of it in the end.
struct Trade {
    place: &'static Place,
    spec: &'static str,
    /// How many lists a new job misses.
    late: u64,
    /// What the services are told first.
    begin: fn(&Afar),
    /// Looks at everything that a project has left; the last engine, which knew nothing but the bucket, has said this.
    facts: fn(&Afar, &Said) -> Facts,
    /// What its jobs are called, and those that had their whole work.
    words: [&'static str; 2],
}

/// Two tasks that each write a number and one that puts them together, all of them elsewhere. Each notes that it works.
const SPEC: &str = r#"
version = 1
name = "sum"
[defaults]
retry = { failed = 20, transient = 50, stalled = 5, backoff = "20ms..200ms" }
[stages.number]
kind = "command"
matrix.n = [1, 2]
argv = ["sh", "-c", "echo $PIPE_ATTEMPT >> @/worked; echo {{ n }} > $PIPE_OUTPUT/number"]
outputs = ["number"]
PLACE
[stages.sum]
kind = "command"
argv = ["sh", "-c", "echo $PIPE_ATTEMPT >> @/worked; cat $PIPE_INPUT_NUMBERS/*/number > $PIPE_OUTPUT/all"]
inputs = { numbers = { stage = "number" } }
outputs = ["all"]
PLACE
"#;

/// How often a project that has ended too early for a kill is followed by another, and an engine by another.
const PROJECTS: usize = 6;
const ENGINES: usize = 40;
/// The longest that an engine may take.
const PATIENCE: Duration = Duration::from_secs(180);

fn containers(place: &'static Place) -> Trade {
    Trade { place, spec: SPEC, late: 2, begin: |_| (), facts, words: ["containers", "times worked"] }
}

#[test]
fn whenever_the_engine_of_cloud_run_jobs_is_killed_nothing_is_lost_and_nothing_is_done_twice() {
    killed_everywhere(containers(&CLOUD_RUN));
}

#[test]
fn whenever_the_engine_of_vertex_jobs_is_killed_nothing_is_lost_and_nothing_is_done_twice() {
    killed_everywhere(containers(&VERTEX));
}

#[test]
fn whenever_the_engine_of_tunings_is_killed_no_second_job_lasts_and_each_is_told_of() {
    killed_everywhere(tuning::TUNINGS);
}

fn killed_everywhere(trade: Trade) {
    let kills = std::env::var("PIPE_TEST_KILLS").map_or(3, |n| n.parse().unwrap());
    let mut hunt =
        Hunt { trade, dice: Dice(1), project: None, table: BTreeMap::new(), sums: Sums::default(), kills: 0 };
    let points = POINTS.into_iter().filter(|point| point.starts_with(AFAR) || *point == "journal.committed");
    let points: Vec<&str> = points.collect();
    for _ in 0..kills {
        points.iter().copied().for_each(|point| hunt.strike(point));
    }
    hunt.finish();
    hunt.print();
    assert!(points.iter().all(|point| hunt.table[point] == kills), "{:?}", hunt.table);
}

struct Hunt {
    trade: Trade,
    dice: Dice,
    project: Option<Project>,
    /// Kills by point.
    table: BTreeMap<&'static str, usize>,
    sums: Sums,
    kills: usize,
}

/// A project that is not done yet.
struct Project {
    afar: Afar,
    /// The state folder of the last engine, and how many there were.
    state: usize,
    engines: usize,
}

/// What came of all projects.
#[derive(Default)]
struct Sums {
    projects: usize,
    engines: usize,
    tasks: usize,
    attempts: usize,
    jobs: usize,
    worked: usize,
    asked: usize,
}

impl Hunt {
    /// Kills an engine at a point.
    fn strike(&mut self, point: &'static str) {
        for _ in 0..PROJECTS {
            let mut project = match self.project.take() {
                Some(project) => project,
                None => self.begin(),
            };
            // A later time may not come any more. The journal is written many times.
            let nth = 1 + self.dice.below(if point.starts_with(AFAR) { 2 } else { 15 });
            while project.engines < ENGINES {
                project.engines += 1;
                // Every other engine has nothing but the bucket.
                project.state += self.kills % 2;
                let ended = project.run(Some(format!("{point}:{nth}")));
                if ended.signal() == Some(9) {
                    self.kills += 1;
                    *self.table.entry(point).or_default() += 1;
                    self.project = Some(project);
                    return;
                }
                if ended.code() == Some(0) {
                    break;
                }
                // A service that fails too often fails a task, or a run before it begins.
                assert!(matches!(ended.code(), Some(1 | 3)), "{point}: {ended:?}");
            }
            self.settle(&mut project);
        }
        panic!("no engine came to be killed at {point}");
    }

    fn begin(&mut self) -> Project {
        let afar = Afar::with(self.trade.place, self.trade.spec);
        afar.standin.list_late(self.trade.late);
        (self.trade.begin)(&afar);
        afar.standin.befalls(mischief(self.dice.next()));
        Project { afar, state: 0, engines: 0 }
    }

    fn finish(&mut self) {
        if let Some(mut project) = self.project.take() {
            self.settle(&mut project);
        }
    }

    /// Brings a project to its end and looks at all that it has left.
    fn settle(&mut self, project: &mut Project) {
        project.afar.standin.befalls(|_| None);
        let asked = project.afar.standin.asked().len();
        wait_until("the work to be done", || project.run(None).code() == Some(0));
        // A job misses so many lists, and few are made here: a service's lists are late by a while.
        (0..self.trade.late).for_each(|_| drop(project.afar.jobs()));
        // Whoever comes with nothing but the bucket finds all of it, and removes what is left of those who died.
        let last = project.afar.run("last", &[]);
        assert_eq!(last.count("attempt_submitting"), 0, "{last:?}");
        let facts = (self.trade.facts)(&project.afar, &last);
        self.sums.projects += 1;
        self.sums.engines += project.engines;
        self.sums.tasks += facts.tasks;
        self.sums.attempts += facts.attempts;
        self.sums.jobs += facts.jobs;
        self.sums.worked += facts.worked;
        self.sums.asked += asked;
    }

    #[expect(clippy::print_stderr, reason = "the counts are what this is for")]
    fn print(&self) {
        let Sums { projects, engines, tasks, attempts, jobs, worked, asked } = self.sums;
        let [called, whole] = self.trade.words;
        eprintln!("{}: engines killed at each point, none of which needed a hand", self.trade.place.name);
        self.table.iter().for_each(|(point, kills)| eprintln!("  {point:<20} {kills:>5}"));
        eprintln!(
            "  {projects} projects, {} kills of {engines} engines, {asked} requests: {tasks} results of {attempts} attempts, \
             {jobs} {called}, {worked} {whole}",
            self.kills
        );
    }
}

impl Project {
    fn run(&self, point: Option<String>) -> ExitStatus {
        let mut command = self.afar.command(&format!("state-{}", self.state), &[]);
        command.envs(point.map(|point| ("PIPE_FAILPOINT", point)));
        let log = |name: &str| fs::File::create(self.afar.bench.path(name)).unwrap();
        let mut engine = command.stdout(log("said")).stderr(log("complained")).stdin(Stdio::null()).spawn().unwrap();
        for _ in 0..PATIENCE.as_millis() / 10 {
            if let Some(ended) = engine.try_wait().unwrap() {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = engine.kill();
        let _ = engine.wait();
        panic!("an engine does not end: {}{}", self.afar.bench.read("said"), self.afar.bench.read("complained"));
    }
}

/// What there is of a project that is done.
struct Facts {
    tasks: usize,
    attempts: usize,
    jobs: usize,
    worked: usize,
}

/// The results of the tasks, of which the last engine has found each.
fn results(afar: &Afar, last: &Said, count: usize) -> Vec<Json> {
    let tasks: Vec<Json> = afar.manifests().into_iter().filter(|manifest| manifest["of"] == "task").collect();
    assert_eq!((tasks.len(), last.events().pop().unwrap()["cached"].as_u64()), (count, Some(count as u64)));
    tasks
}

fn facts(afar: &Afar, last: &Said) -> Facts {
    assert_eq!(afar.jobs(), [] as [String; 0], "a job is left");
    let tasks = results(afar, last, 3);
    let text = |task: &Json| String::from_utf8(bytes_of(afar, &task["files"][0])).unwrap();
    let mut made: Vec<String> = tasks.iter().map(text).collect();
    made.sort();
    assert_eq!(made, ["1\n", "1\n2\n", "2\n"]);
    let worked = worked(afar);
    let attempts: BTreeSet<String> = worked.iter().cloned().collect();
    assert_eq!(worked.len(), attempts.len(), "the work of an attempt is done once: {worked:?}");
    for task in &tasks {
        let attempt = task["provenance"]["attempt"].as_str().unwrap();
        assert!(attempts.contains(attempt), "{attempt} has a result and has not worked: {attempts:?}");
    }
    let jobs = jobs(afar);
    if afar.takes_names() {
        assert!(jobs.values().all(|count| *count == 1), "an attempt has one job, which runs once: {jobs:?}");
    }
    let described = having(afar, "attempt.json");
    assert_eq!(described, having(afar, "outcome.json"), "no attempt is open");
    assert!(attempts.is_subset(&described), "{attempts:?}");
    Facts { tasks: tasks.len(), attempts: described.len(), jobs: jobs.values().sum(), worked: worked.len() }
}

/// The bytes of a file of a result, once they are what its manifest says.
fn bytes_of(afar: &Afar, file: &Json) -> Vec<u8> {
    let at = file["at"].as_str().unwrap();
    let (_, bytes) = afar.objects(at).pop().unwrap();
    assert_eq!(blake3::hash(&bytes).to_hex().as_str(), file["blake3"].as_str().unwrap());
    bytes
}

/// The attempts that have worked, each as often as it has.
fn worked(afar: &Afar) -> Vec<String> {
    afar.bench.read("worked").lines().map(str::to_owned).collect()
}

/// How many containers each attempt had.
fn jobs(afar: &Afar) -> BTreeMap<String, usize> {
    let mut jobs = BTreeMap::new();
    afar.containers().into_iter().for_each(|[_, _, attempt]| *jobs.entry(attempt).or_default() += 1);
    jobs
}

/// The attempts that have an object of this name.
fn having(afar: &Afar, name: &str) -> BTreeSet<String> {
    let objects = afar.objects("attempts/").into_iter();
    objects.filter_map(|(at, _)| Some(at.strip_suffix(&format!("/{name}"))?.rsplit('/').next()?.to_owned())).collect()
}

/// What befalls requests: more to those that make and run jobs than to those for objects, of which there are many more.
fn mischief(seed: u64) -> impl FnMut(&Asked) -> Option<Fault> + Send {
    let mut dice = Dice(seed);
    move |asked| {
        let sides = if asked.method.starts_with("storage.") { 400 } else { 100 };
        match dice.below(sides) {
            0..=2 => Some(Fault::HangUp),
            3..=5 => Some(Fault::DoAndHangUp),
            6..=7 => Some(Fault::Refuse(503)),
            8..=9 => Some(Fault::DoAndRefuse(503)),
            10 => Some(Fault::Refuse(500)),
            11 => Some(Fault::Refuse(429)),
            12..=20 => Some(Fault::Delay(20 + dice.below(200))),
            _ => None,
        }
    }
}

/// Numbers from a seed: SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }
}
