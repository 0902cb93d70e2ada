//! The threads that encode clips whole. Clips that share groups of pictures are read together, once; any thread gives pictures to any
//! encoder, and one clip's in their order, so that who does it changes no byte.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::cut::CutOptions;
use crate::cut::batch::Place;
use crate::cut::clip::ClipWriter;
use crate::cut::report::CutReport;
use crate::cut::rounds::{Events, Job, Outcome, State, Task};
use crate::cut::ticks::Clock;
use crate::cut::together::{Event, Reading, Step, wishes};
use crate::error::{VideoError, VideoErrorKind};
use crate::media::Media;
use crate::pulse::{At, Pulse};
use crate::shelf::Waiting;
use crate::source::Source;
use crate::time::Stretch;

/// Cuts a clip for itself, whose bytes have been waited for.
type Alone<'a> = dyn Fn(usize, &mut Option<Source>, &Waiting) -> Result<CutReport, VideoError> + Sync + 'a;
/// Hears of a clip.
type Told<'a> = dyn Fn(usize, &str, Result<CutReport, VideoError>) + Sync + 'a;

/// What clips are cut out of, and how.
pub(super) struct Bench<'a> {
    pub(super) media: &'a Media,
    pub(super) options: &'a CutOptions,
    pub(super) clips: &'a [(Stretch, PathBuf)],
    pub(super) clock: &'a Clock,
    pub(super) pulse: &'a Pulse,
    /// The bytes that are read for each clip.
    pub(super) reads: &'a [Vec<Range<u64>>],
    /// Where each clip lies in its source. Empty: they cannot share a reading.
    pub(super) places: &'a [Place],
    /// Cuts a clip for itself, out of the thread's own source.
    pub(super) alone: &'a Alone<'a>,
    /// Hears what became of a clip, and why it is encoded whole.
    pub(super) told: &'a Told<'a>,
    /// How many threads work.
    pub(super) threads: usize,
}

/// The clips to be encoded, and those under way.
#[derive(Default)]
pub(super) struct Crew {
    state: Mutex<State>,
    /// Rings when a thread that had nothing to do may find something.
    bell: Condvar,
}

/// Nobody waits for a thread that has panicked.
struct Guard<'a>(&'a Crew);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().is_broken = true;
            self.0.bell.notify_all();
        }
    }
}

impl Crew {
    /// Adds a clip, why it is encoded whole, and its bytes.
    pub(super) fn add(&self, clip: usize, (why, bytes): (String, Waiting), clips: &[(Stretch, PathBuf)]) {
        self.lock().wait_for(Job { clip, why, is_alone: false, bytes: Arc::new(bytes) }, clips);
        self.bell.notify_all();
    }

    /// Works until nothing is left to do for this thread.
    pub(super) fn work(&self, bench: &Bench<'_>) {
        let _guard = Guard(self);
        let mut source = None;
        while let Some(task) = self.next(bench) {
            match task {
                Task::Alone(job) => {
                    let outcome = (bench.alone)(job.clip, &mut source, &job.bytes);
                    // What it has not read is wanted no more.
                    source.iter().for_each(|source| source.want(Vec::new()));
                    self.lock().alone -= 1;
                    (bench.told)(job.clip, &job.why, outcome);
                }
                Task::Begin { round, clips } => self.begin(bench, round, &clips, &mut source),
                Task::Read { round, reading, is_granted, clip } => {
                    let _at = bench.pulse.begin(At::Clip(clip));
                    self.read(bench, round, (reading, is_granted), &mut source);
                }
                Task::Make { round, member, clip, writer, events } => {
                    let at = bench.pulse.begin(At::Clip(clip));
                    let outcome = make(bench, writer, events);
                    drop(at);
                    let told = self.lock().made((round, member), outcome, bench.clips);
                    told.into_iter().for_each(|(job, result)| (bench.told)(job.clip, &job.why, result));
                }
            }
            self.bell.notify_all();
        }
    }

    /// What there is to do. `None`: nothing, and nothing will be.
    fn next(&self, bench: &Bench<'_>) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.is_broken {
                return None;
            }
            let task = state.next(std::thread::current().id(), bench.threads, bench.places);
            if task.is_some() || state.is_done() {
                return task;
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gets ready to read for several clips.
    fn begin(&self, bench: &Bench<'_>, round: u64, clips: &[usize], source: &mut Option<Source>) {
        let opened = match source.take() {
            Some(source) => Ok(source),
            None => {
                let _at = clips.first().map(|clip| bench.pulse.begin(At::Clip(*clip)));
                bench.media.open()
            }
        };
        match opened {
            Ok(source) => {
                let wishes = wishes(&source, bench.clock, clips.iter().map(|&clip| &bench.clips[clip]));
                let reads = clips.iter().flat_map(|&clip| bench.reads[clip].iter().cloned()).collect();
                self.lock().is_ready(round, Box::new(Reading::new(source, wishes, reads)));
            }
            // Each clip says it for itself.
            Err(_) => self.lock().give_up(round, bench.clips),
        }
    }

    fn read(
        &self,
        bench: &Bench<'_>,
        round: u64,
        (mut reading, is_granted): (Box<Reading>, bool),
        source: &mut Option<Source>,
    ) {
        match reading.step(bench.clock, bench.options, is_granted) {
            Some((events, Step::Over)) => {
                *source = Some(reading.end());
                self.lock().has_read(round, events, None);
            }
            Some((events, step)) => {
                let needs_encoder = matches!(step, Step::NeedsEncoder);
                self.lock().has_read(round, events, Some((reading, needs_encoder)));
            }
            None => {
                *source = Some(reading.end());
                self.lock().give_up(round, bench.clips);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives a clip what has come for it.
fn make(bench: &Bench<'_>, mut writer: Option<Box<ClipWriter>>, events: Events) -> Outcome {
    for event in events {
        let done = match (event, &mut writer) {
            (Event::Begun(begun), writer) => {
                *writer = Some(begun);
                Ok(())
            }
            (Event::Lost(error), _) => Err(error),
            (Event::Picture(mut frame), Some(writer)) => writer.push(&mut frame, bench.clock.frame_ticks),
            (Event::Sound(packet), Some(writer)) => writer.hear(packet),
            (Event::Shown, Some(writer)) => writer.end_pictures(),
            (Event::Heard, Some(_)) => {
                return writer.map_or(Outcome::IsAlone, |writer| Outcome::Ends(Box::new(writer.finish(bench.clock))));
            }
            (Event::Alone, _) | (_, None) => return Outcome::IsAlone,
        };
        match done {
            Ok(()) => {}
            // Who is read for itself is looked for from earlier on.
            Err(error) if error.kind == VideoErrorKind::Corrupt => return Outcome::IsAlone,
            Err(error) => return Outcome::Ends(Box::new(Err(error))),
        }
    }
    writer.map_or(Outcome::IsAlone, Outcome::Goes)
}
