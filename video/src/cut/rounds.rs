//! Which clips wait to be encoded, which are under way, and what a thread that is free does next. Knows no thread and does nothing.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::ThreadId;

use crate::cut::batch::{Claim, Limits, Place, choose, is_safe, most_at_once};
use crate::cut::clip::ClipWriter;
use crate::cut::report::CutReport;
use crate::cut::together::{Event, Reading};
use crate::error::VideoError;
use crate::shelf::Waiting;
use crate::time::Stretch;

/// What has come for a clip.
pub(super) type Events = VecDeque<Event>;

/// A clip that waits.
pub(super) struct Job {
    pub(super) clip: usize,
    /// Why it is encoded whole.
    pub(super) why: String,
    /// Whether it is not to be read together with others.
    pub(super) is_alone: bool,
    /// Has those of its bytes kept that are read for others until it is begun.
    pub(super) bytes: Arc<Waiting>,
}

/// What a thread does next.
pub(super) enum Task {
    Alone(Job),
    Begin { round: u64, clips: Vec<usize> },
    Read { round: u64, reading: Box<Reading>, is_granted: bool, clip: usize },
    Make { round: u64, member: usize, clip: usize, writer: Option<Box<ClipWriter>>, events: Events },
}

/// What has become of a clip after some events.
pub(super) enum Outcome {
    Goes(Box<ClipWriter>),
    Ends(Box<Result<CutReport, VideoError>>),
    /// It has to be read for itself. Nothing of it lies in its file.
    IsAlone,
}

#[derive(Default)]
pub(super) struct State {
    /// By the clips' starts.
    waiting: Vec<Job>,
    rounds: Vec<Round>,
    /// How many rounds have begun.
    begun: u64,
    /// Clips that are being cut for themselves.
    pub(super) alone: usize,
    /// Whether a shared reading has failed. From then on each clip is read for itself.
    is_wary: bool,
    /// Whether a thread has panicked.
    pub(super) is_broken: bool,
}

/// Clips that are read together.
struct Round {
    number: u64,
    /// `None` while a thread reads, and when all was read.
    reading: Option<Box<Reading>>,
    is_over: bool,
    /// Whether a clip waits for an encoder, and whether one may be opened.
    needs_encoder: bool,
    is_granted: bool,
    members: Vec<Member>,
}

struct Member {
    job: Job,
    place: Place,
    stage: Stage,
    /// `None` while a thread works for the clip.
    writer: Option<Box<ClipWriter>>,
    is_busy: bool,
    /// The thread that has worked for it last: the encoder's memory is in its caches.
    last: Option<ThreadId>,
    events: Events,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Open,
    /// Nothing more will come for it.
    Read,
    /// Reading failed while a thread was at work for it.
    GivenUp,
    /// It was told of, or waits once more.
    Gone,
}

impl State {
    /// Adds a clip, in the order of their starts.
    pub(super) fn wait_for(&mut self, job: Job, clips: &[(Stretch, PathBuf)]) {
        let order = |other: &Job| {
            let starts = clips[other.clip].0.start.partial_cmp(&clips[job.clip].0.start);
            starts.unwrap_or(Ordering::Equal).then(other.clip.cmp(&job.clip))
        };
        let at = self.waiting.partition_point(|other| order(other) == Ordering::Less);
        job.bytes.goes_on();
        self.waiting.insert(at, job);
    }

    /// Whether nothing is left to do for a thread that found no task.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.rounds.is_empty()
    }

    /// What a thread does next: what was read is encoded before more is, and that before more clips are begun.
    pub(super) fn next(&mut self, thread: ThreadId, threads: usize, places: &[Place]) -> Option<Task> {
        self.make(thread).or_else(|| self.read(threads)).or_else(|| self.begin(threads, places))
    }

    fn make(&mut self, thread: ThreadId) -> Option<Task> {
        let members = self.rounds.iter_mut().flat_map(|round| {
            let number = round.number;
            round.members.iter_mut().enumerate().map(move |(at, member)| (number, at, member))
        });
        let ready = members.filter(|(_, _, member)| !member.is_busy && !member.events.is_empty());
        let (round, at, member) =
            ready.max_by_key(|(_, _, member)| (member.last == Some(thread), member.events.len()))?;
        (member.is_busy, member.last) = (true, Some(thread));
        Some(Task::Make {
            round,
            member: at,
            clip: member.job.clip,
            writer: member.writer.take(),
            events: std::mem::take(&mut member.events),
        })
    }

    fn read(&mut self, threads: usize) -> Option<Task> {
        for at in 0..self.rounds.len() {
            let round = &self.rounds[at];
            let waits = round.needs_encoder && !round.is_granted;
            if !round.has_room() || waits && !self.may_open(at, threads) {
                continue;
            }
            let round = &mut self.rounds[at];
            round.is_granted |= waits;
            let Some(reading) = round.reading.take() else { continue };
            let clip = round.members[reading.at()].job.clip;
            return Some(Task::Read { round: round.number, reading, is_granted: round.is_granted, clip });
        }
        None
    }

    fn begin(&mut self, threads: usize, places: &[Place]) -> Option<Task> {
        let under_way = self.rounds.iter().filter(|round| !round.is_over).count() + self.alone;
        let first = self.waiting.first().filter(|_| under_way < threads)?;
        let is_alone = |job: &Job| job.is_alone || self.is_wary || places.is_empty();
        let jobs: Vec<usize> = match is_alone(first) {
            true => vec![0],
            false => {
                let jobs: Vec<usize> = (0..self.waiting.len()).filter(|&at| !is_alone(&self.waiting[at])).collect();
                let of_jobs: Vec<Place> = jobs.iter().map(|&at| places[self.waiting[at].clip].clone()).collect();
                choose(&of_jobs, self.limits(threads)).into_iter().map(|chosen| jobs[chosen]).collect()
            }
        };
        let spans = jobs.iter().filter_map(|&at| places.get(self.waiting[at].clip)).map(|place| &place.ticks);
        let more = if jobs.len() > 1 { most_at_once(spans).saturating_sub(1) } else { 0 };
        let mut claims = self.claims();
        let free = free(&claims, threads).checked_sub(1)?;
        claims.push(Claim { open: 1, more });
        if !is_safe(free, claims) {
            return None;
        }
        let mut jobs: Vec<Job> = jobs.into_iter().rev().map(|at| self.waiting.remove(at)).collect();
        if jobs.len() == 1 {
            self.alone += 1;
            return jobs.pop().map(Task::Alone);
        }
        jobs.reverse();
        self.begun += 1;
        let clips = jobs.iter().map(|job| job.clip).collect();
        self.rounds.push(Round::of(self.begun, jobs, places));
        Some(Task::Begin { round: self.begun, clips })
    }

    fn limits(&self, threads: usize) -> Limits {
        let (open, share) = (most_open(threads), self.waiting.len().div_ceil(threads));
        Limits { open, share, most: share.max(2 * open) }
    }

    fn claims(&self) -> Vec<Claim> {
        let alone = std::iter::repeat_n(Claim { open: 1, more: 0 }, self.alone);
        self.rounds.iter().map(Round::claim).chain(alone).collect()
    }

    fn may_open(&self, round: usize, threads: usize) -> bool {
        let mut claims = self.claims();
        let Some(free) = free(&claims, threads).checked_sub(1) else { return false };
        let claim = &mut claims[round];
        (claim.open, claim.more) = (claim.open + 1, claim.more.saturating_sub(1));
        is_safe(free, claims)
    }

    fn round(&mut self, number: u64) -> Option<&mut Round> {
        self.rounds.iter_mut().find(|round| round.number == number)
    }

    /// A round's source is open, and whoever reads it wants its clips' bytes.
    pub(super) fn is_ready(&mut self, round: u64, reading: Box<Reading>) {
        if let Some(round) = self.round(round) {
            round.reading = Some(reading);
            round.members.iter().for_each(|member| member.job.bytes.is_over());
        }
    }

    /// Takes what was read. `reading`: what goes on with it, and whether that needs an encoder; nothing when all was read.
    pub(super) fn has_read(&mut self, round: u64, events: Vec<(usize, Event)>, reading: Option<(Box<Reading>, bool)>) {
        let Some(round) = self.round(round) else { return };
        events.into_iter().for_each(|(member, event)| round.take(member, event));
        match reading {
            Some((reading, needs_encoder)) => {
                (round.reading, round.needs_encoder) = (Some(reading), needs_encoder);
            }
            None => (round.is_over, round.is_granted) = (true, false),
        }
        self.tidy();
    }

    /// Reading has failed: the clips that have not got everything are read for themselves, and so are all others.
    pub(super) fn give_up(&mut self, round: u64, clips: &[(Stretch, PathBuf)]) {
        self.is_wary = true;
        let Some(round) = self.round(round) else { return };
        (round.is_over, round.is_granted) = (true, false);
        let mut jobs = Vec::new();
        for member in &mut round.members {
            match member.stage {
                Stage::Open if member.is_busy => {
                    member.stage = Stage::GivenUp;
                    member.events.clear();
                }
                Stage::Waiting | Stage::Open => jobs.push(member.leave()),
                _ => {}
            }
        }
        jobs.into_iter().for_each(|job| self.wait_for(Job { is_alone: true, ..job }, clips));
        self.tidy();
    }

    /// Takes note of what became of a clip. Returns what there is to tell of it.
    pub(super) fn made(
        &mut self,
        (round, member): (u64, usize),
        outcome: Outcome,
        clips: &[(Stretch, PathBuf)],
    ) -> Option<(Job, Result<CutReport, VideoError>)> {
        let member = &mut self.round(round)?.members[member];
        member.is_busy = false;
        let is_given_up = member.stage == Stage::GivenUp;
        let told = match outcome {
            Outcome::Goes(writer) if !is_given_up => {
                member.writer = Some(writer);
                return None;
            }
            Outcome::Ends(result) if !is_given_up => Some((member.leave(), *result)),
            // The writer is dropped with its file before anybody else begins to write it.
            outcome => {
                drop(outcome);
                let job = member.leave();
                self.wait_for(Job { is_alone: true, ..job }, clips);
                None
            }
        };
        self.tidy();
        told
    }

    fn tidy(&mut self) {
        self.rounds.retain(|round| !round.is_over || round.members.iter().any(|member| member.stage != Stage::Gone));
    }
}

/// Encoders that may be open: one for each thread, and one more. So one thread alone can give a picture to two, and of two readings
/// that will each need a second encoder both may begin, where otherwise a thread would wait until one is through.
fn most_open(threads: usize) -> usize {
    threads + 1
}

/// Encoders that are not open.
fn free(claims: &[Claim], threads: usize) -> usize {
    most_open(threads).saturating_sub(claims.iter().map(|claim| claim.open).sum())
}

impl Round {
    /// Its first clip may have an encoder at once.
    fn of(number: u64, jobs: Vec<Job>, places: &[Place]) -> Self {
        let member = |job: Job| Member {
            place: places[job.clip].clone(),
            job,
            stage: Stage::Waiting,
            writer: None,
            is_busy: false,
            last: None,
            events: Events::new(),
        };
        let members = jobs.into_iter().map(member).collect();
        Round { number, reading: None, is_over: false, needs_encoder: false, is_granted: true, members }
    }

    fn claim(&self) -> Claim {
        let count = |stages: &[Stage]| self.members.iter().filter(|member| stages.contains(&member.stage)).count();
        let granted = usize::from(self.is_granted);
        let to_come = self.members.iter().filter(|member| matches!(member.stage, Stage::Waiting | Stage::Open));
        let most = if self.is_over { 0 } else { most_at_once(to_come.map(|member| &member.place.ticks)) };
        Claim {
            open: count(&[Stage::Open, Stage::Read, Stage::GivenUp]) + granted,
            more: most.saturating_sub(count(&[Stage::Open]) + granted),
        }
    }

    /// Whether no encoder has more pictures waiting than it should, so that another one may be decoded.
    fn has_room(&self) -> bool {
        let Some(reading) = &self.reading else { return false };
        let most = reading.most_waiting();
        let waiting = |member: &Member| member.events.iter().filter(|event| matches!(event, Event::Picture(_))).count();
        self.members.iter().all(|member| waiting(member) < most)
    }

    fn take(&mut self, member: usize, event: Event) {
        let member = &mut self.members[member];
        if matches!(member.stage, Stage::GivenUp | Stage::Gone) {
            return;
        }
        if member.stage == Stage::Waiting {
            self.is_granted = false;
        }
        member.stage = match event {
            Event::Begun(_) => Stage::Open,
            Event::Lost(_) | Event::Heard | Event::Alone => Stage::Read,
            Event::Picture(_) | Event::Sound(_) | Event::Shown => member.stage,
        };
        member.events.push_back(event);
    }
}

impl Member {
    /// Nothing more is done for it here. A file that was begun is removed.
    fn leave(&mut self) -> Job {
        self.stage = Stage::Gone;
        self.writer = None;
        self.events.clear();
        let (why, bytes) = (std::mem::take(&mut self.job.why), self.job.bytes.clone());
        Job { clip: self.job.clip, why, is_alone: self.job.is_alone, bytes }
    }
}
