//! Years of slots in a simulated world: runs of any length, processes that are killed between any two of their steps,
//! power cuts, clocks that are set forward and back. What is on the disk is all that a process finds.

use crate::calendar::slots;
use pipe_clock::{Fate, PUNCTUAL, Rules, Slots, Turn, Turns, parse, told};
use pipe_engine::spec::{CatchUp, Overlap};
use pipe_engine::world::Timestamp;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const MINUTE: u64 = 60_000;

/// `PIPE_TEST_SEEDS` asks for more (or fewer) cases than the usual.
fn seeds() -> u64 {
    std::env::var("PIPE_TEST_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(8)
}

/// A process that runs the spec. It waits for the state folder, then claims its slot, then works.
#[derive(Clone, Debug)]
struct Process {
    id: u64,
    slot: Timestamp,
    /// When it ends; none while it waits for the state folder.
    ends: Option<u64>,
}

/// What is durable.
struct Disk {
    turns: Turns,
    /// The process of the run that goes on, once that is written.
    process: Option<u64>,
    /// The newest slot that a run claimed.
    begun: Timestamp,
}

struct World {
    random: ChaCha8Rng,
    slots: Slots,
    rules: Rules,
    /// How long it is from one slot to the next, about; everything else takes its measure from it.
    apart: u64,
    /// By how many slots clocks are set at most.
    jumps: u64,
    /// True time, which only moves forward; and what the clock shows beyond it.
    time: u64,
    shift: i64,
    disk: Disk,
    daemon: Option<Daemon>,
    processes: Vec<Process>,
    /// The slots of runs that have begun, and of those that were told not to take place.
    begun: Vec<Timestamp>,
    not_begun: Vec<Timestamp>,
    given_up: usize,
    next_id: u64,
}

struct Daemon {
    turns: Turns,
    process: Option<u64>,
}

/// The process was killed in the middle of what it did.
struct Killed;

impl World {
    fn new(seed: u64, slots: Slots, rules: Rules, jumps: u64) -> Self {
        let apart = slots.after(Timestamp(0)).and_then(|first| Some(slots.after(first)?.0 - first.0)).unwrap();
        let time = parse("2024-01-01T00:00:00Z").unwrap();
        let disk = Disk { turns: Turns::from(time), process: None, begun: Timestamp(0) };
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            slots,
            rules,
            apart,
            jumps,
            time: time.0,
            shift: 0,
            disk,
            daemon: None,
            processes: Vec::new(),
            begun: Vec::new(),
            not_begun: Vec::new(),
            given_up: 0,
            next_id: 0,
        }
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.random.next_u64().is_multiple_of(one_in)
    }

    fn up_to(&mut self, most: u64) -> u64 {
        self.random.next_u64() % most
    }

    fn clock(&self) -> Timestamp {
        Timestamp(self.time.saturating_add_signed(self.shift))
    }

    /// Time passes until something is to be done: a slot, the end of a run, or nothing in particular.
    fn pass(&mut self) {
        let now = self.clock();
        let next_slot = self.slots.after(now).unwrap().since(now).as_millis() as u64;
        let ends = self.processes.iter().filter_map(|process| process.ends).min().unwrap_or(u64::MAX);
        let most = next_slot.min(ends.saturating_sub(self.time)).max(1);
        self.time += if self.chance(3) { 1 + self.up_to(most) } else { most + self.up_to(2000) };
        if self.chance(200) && self.jumps > 0 {
            let far = self.up_to(self.jumps * self.apart) as i64;
            self.shift = if self.chance(2) { self.shift + far } else { self.shift - far };
        }
        if self.daemon.is_some() && self.chance(50) {
            // A machine that sleeps: everybody finds that it is later.
            self.time += self.up_to(10 * self.apart);
        }
    }

    fn step(&mut self) {
        self.pass();
        if self.chance(150) {
            // A power cut. What was claimed stays claimed.
            (self.daemon, self.processes) = (None, Vec::new());
        }
        self.processes_work();
        if self.daemon.is_none() {
            if self.chance(4) && self.arrive().is_err() {
                self.daemon = None;
            }
            return;
        }
        if self.work().is_err() || self.chance(100) {
            self.daemon = None;
        }
    }

    /// The state folder goes to whoever waits longest, and runs whose time is up end.
    fn processes_work(&mut self) {
        let time = self.time;
        self.processes.retain(|process| process.ends.is_none_or(|ends| ends > time));
        while !self.processes.iter().any(|process| process.ends.is_some()) {
            let Some(first) = self.processes.first().cloned() else { return };
            if first.slot <= self.disk.begun {
                self.processes.remove(0);
                continue;
            }
            self.disk.begun = first.slot;
            self.begun.push(first.slot);
            let most = if self.chance(10) { 3 * self.apart } else { self.apart / 4 };
            let length = self.up_to(most);
            self.processes[0].ends = Some(time + 1 + length);
        }
    }

    fn arrive(&mut self) -> Result<(), Killed> {
        let mut turns = self.disk.turns.clone();
        let lives = self.disk.process.is_some_and(|id| self.processes.iter().any(|process| process.id == id));
        let fate = match turns.running {
            Some(_) if lives => Fate::GoesOn,
            Some(slot) if self.disk.begun < slot => Fate::NeverBegan,
            _ => Fate::Over,
        };
        turns.return_to(fate);
        let process = self.disk.process.filter(|_| fate == Fate::GoesOn);
        let begin = turns.begin();
        self.daemon = Some(Daemon { turns, process });
        self.write_and_do(begin)
    }

    fn work(&mut self) -> Result<(), Killed> {
        let daemon = self.daemon.as_mut().unwrap();
        let ended = daemon.turns.running.is_some()
            && !daemon.process.is_some_and(|id| self.processes.iter().any(|process| process.id == id));
        if ended {
            daemon.process = None;
            let turns = daemon.turns.ended();
            self.write_and_do(turns)?;
        }
        let now = self.clock();
        let turns = self.daemon.as_mut().unwrap().turns.wake(self.rules, &self.slots, now);
        self.write_and_do(turns)
    }

    /// As the daemon does it: written down, then done; and killed at any point between.
    fn write_and_do(&mut self, turns: Vec<Turn>) -> Result<(), Killed> {
        self.maybe_killed()?;
        let daemon = self.daemon.as_ref().unwrap();
        (self.disk.turns, self.disk.process) = (daemon.turns.clone(), daemon.process);
        self.maybe_killed()?;
        for turn in turns {
            match turn {
                Turn::Start(slot) => self.start(slot)?,
                Turn::Stop => self.stop(),
                Turn::Skipped(slot) => self.not_begun.push(slot),
                Turn::GivenUp { slots, .. } => self.given_up += slots,
                Turn::Waits(_) => {}
            }
        }
        Ok(())
    }

    fn start(&mut self, slot: Timestamp) -> Result<(), Killed> {
        let known = self.disk.process;
        assert!(known.is_none(), "a run is started while the one before it is known to go on");
        self.next_id += 1;
        let id = self.next_id;
        self.processes.push(Process { id, slot, ends: None });
        self.processes_work();
        self.maybe_killed()?;
        self.daemon.as_mut().unwrap().process = Some(id);
        self.disk.process = Some(id);
        Ok(())
    }

    fn stop(&mut self) {
        let (time, asked) = (self.time, self.daemon.as_ref().unwrap().process);
        for process in self.processes.iter_mut().filter(|process| Some(process.id) == asked) {
            process.ends = process.ends.map(|ends| ends.min(time + 5000));
        }
    }

    fn maybe_killed(&mut self) -> Result<(), Killed> {
        if self.chance(200) { Err(Killed) } else { Ok(()) }
    }

    /// Time goes on until nothing goes on and nothing waits.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            self.time += MINUTE;
            self.processes_work();
            let came = self.daemon.is_none();
            let worked = if came { self.arrive() } else { self.work() };
            let turns = &self.daemon.as_ref().unwrap().turns;
            let rests = turns.running.is_none() && turns.waiting.is_empty();
            match worked {
                Ok(()) if rests && !came => return,
                Ok(()) => {}
                Err(Killed) => self.daemon = None,
            }
        }
        panic!("it does not come to rest");
    }

    fn run(mut self, until: &str) -> Self {
        let until = parse(until).unwrap().0;
        while self.time < until {
            self.step();
            let newest = self.begun.iter().rev().take(2).collect::<Vec<_>>();
            assert!(newest.len() < 2 || newest[0] > newest[1], "{} began twice", told(*newest[1]));
        }
        self.settle();
        assert!(self.begun.is_sorted_by(|a, b| a < b), "a slot began twice");
        self
    }

    /// Every slot that was decided, which are all that the clock shows now; more, when it was set back since.
    fn all(&self) -> Vec<Timestamp> {
        let from = parse("2024-01-01T00:00:00Z").unwrap();
        let decided = self.daemon.as_ref().unwrap().turns.decided;
        assert!(self.slots.after(decided).unwrap() > self.clock(), "a slot is due and nobody has seen it");
        self.slots.iter_after(from).take_while(|slot| *slot <= decided).collect()
    }
}

const CASES: [(&str, &str, &str); 4] = [
    ("30 2 * * *", "Europe/Berlin", "2034-01-01T00:00:00Z"),
    ("15 2,14 * * *", "Australia/Lord_Howe", "2030-01-01T00:00:00Z"),
    ("0 */6 * * *", "America/New_York", "2027-01-01T00:00:00Z"),
    ("0 * * * *", "Europe/Berlin", "2025-01-01T00:00:00Z"),
];

fn simulate(overlap: Overlap, catch_up: CatchUp, jumps: u64, check: impl Fn(&World)) {
    for seed in 0..seeds() {
        let (cron, zone, until) = CASES[(seed % 4) as usize];
        let world = World::new(seed, slots(cron, zone), Rules { overlap, catch_up }, jumps).run(until);
        assert!(world.begun.len() > 100, "seed {seed}: only {} of {} began", world.begun.len(), world.all().len());
        check(&world);
    }
}

#[test]
fn no_slot_begins_twice_whatever_is_killed_and_wherever_the_clock_goes() {
    for overlap in [Overlap::Skip, Overlap::Queue, Overlap::Replace] {
        for catch_up in [CatchUp::None, CatchUp::Last, CatchUp::All] {
            simulate(overlap, catch_up, 300, |_| {});
        }
    }
}

#[test]
fn each_slot_begins_exactly_once_when_all_are_made_up_for_and_wait_for_each_other() {
    // Clocks are set so little that no more are missed than may wait.
    simulate(Overlap::Queue, CatchUp::All, 20, |world| {
        assert_eq!(world.given_up, 0);
        assert_eq!(world.begun.len(), world.all().len());
        assert_eq!(world.begun, world.all());
    });
}

#[test]
fn each_slot_begins_or_is_told_to_be_skipped_or_given_up() {
    for catch_up in [CatchUp::None, CatchUp::Last] {
        for seed in 0..seeds() {
            // Only a killed process can keep what it had to tell to itself.
            let mut world = World::new(seed, slots("30 2 * * *", "Europe/Berlin"), rules(catch_up), 0);
            for _ in 0..5000 {
                world.pass();
                world.processes_work();
                if world.daemon.is_none() {
                    world.daemon = Some(Daemon { turns: world.disk.turns.clone(), process: None });
                }
                world.look();
            }
            let told = world.begun.len() + world.not_begun.len() + world.given_up;
            let open = usize::from(world.processes.iter().any(|process| process.ends.is_none()));
            assert_eq!(told + open, world.all().len(), "seed {seed}");
        }
    }
}

fn rules(catch_up: CatchUp) -> Rules {
    Rules { overlap: Overlap::Skip, catch_up }
}

impl World {
    /// As [`World::work`], and nobody is killed.
    fn look(&mut self) {
        let daemon = self.daemon.as_mut().unwrap();
        let goes_on = daemon.process.is_some_and(|id| self.processes.iter().any(|process| process.id == id));
        let mut turns = Vec::new();
        if daemon.turns.running.is_some() && !goes_on {
            daemon.process = None;
            self.disk.process = None;
            turns = daemon.turns.ended();
        }
        let now = self.clock();
        turns.extend(self.daemon.as_mut().unwrap().turns.wake(self.rules, &self.slots, now));
        for turn in turns {
            match turn {
                Turn::Start(slot) => {
                    self.next_id += 1;
                    self.processes.push(Process { id: self.next_id, slot, ends: None });
                    self.daemon.as_mut().unwrap().process = Some(self.next_id);
                    self.processes_work();
                }
                Turn::Skipped(slot) => self.not_begun.push(slot),
                Turn::GivenUp { slots, .. } => self.given_up += slots,
                Turn::Stop | Turn::Waits(_) => {}
            }
        }
    }
}

#[test]
fn a_slot_is_on_time_for_less_than_the_shortest_schedule_takes() {
    assert!(PUNCTUAL.as_millis() as u64 <= MINUTE);
}
