//! Threads that cut -> the end of the attempt when one of them hangs: a decoder that never comes back cannot be told to, and
//! whoever waits for it waits for ever.

use pipe_engine::failure::{Class, Failure};
use pipe_video::{At, Pulse};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often the threads are looked at, and how often in a row one may not have got on. Looks are counted and not time, so that
/// a machine that slept accuses nobody.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) every: Duration,
    pub(super) looks: u32,
}

/// Five minutes without a packet or a picture: the largest picture takes seconds, and on a machine that does ten other things
/// not yet a minute.
pub(super) const PATIENCE: Patience = Patience { every: Duration::from_secs(10), looks: 30 };

/// Does the work, and looks at its threads meanwhile. `give_up` hears what one of them hangs on, once.
pub(super) fn watched<R>(
    pulse: &Pulse,
    patience: Patience,
    give_up: &(dyn Fn(At) + Sync),
    work: impl FnOnce() -> R,
) -> R {
    let end = End::default();
    thread::scope(|scope| {
        // Without a thread for it nobody watches; the work is the same.
        let _ = thread::Builder::new().name("watch".into()).spawn_scoped(scope, || {
            while !end.comes_within(patience.every) {
                let hangs = pulse.look().filter(|(_, looks)| *looks >= patience.looks);
                if let Some((at, _)) = hangs {
                    return give_up(at);
                }
            }
        });
        let _ends = Ends(&end);
        work()
    })
}

/// What the threads of a plan are at, as a sentence takes it.
pub(super) struct Names {
    pub(super) video: String,
    /// By the clips' numbers in the plan.
    pub(super) clips: Vec<String>,
}

impl Names {
    pub(super) fn of(&self, at: At) -> &str {
        match at {
            At::Clip(number) => self.clips.get(number).unwrap_or(&self.video),
            At::Source => &self.video,
        }
    }
}

/// What is said of a thread that hangs. `what`: the play, where one is known, or else the video.
pub(super) fn hanging(what: &str, video: &str) -> Failure {
    let minutes = PATIENCE.every.as_secs() * u64::from(PATIENCE.looks) / 60;
    let message = format!("nothing moves in {what}: no packet and no picture for {minutes} minutes");
    Failure::of(Class::Stalled, "hangs", message).on(video).help(
        "a damaged or hostile file can do that to a decoder: look at the video there, or leave the play out; clips that are \
         finished are kept",
    )
}

#[derive(Default)]
struct End {
    is_there: Mutex<bool>,
    bell: Condvar,
}

impl End {
    /// Waits until the work has ended, so long at most.
    fn comes_within(&self, most: Duration) -> bool {
        let is_there = self.is_there.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(is_there, most, |is_there| !*is_there);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Says that the work has ended, also by a panic.
struct Ends<'a>(&'a End);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        *self.0.is_there.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.bell.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipe_video::{CutOptions, CutPlan, Media, ReadAt, ReadFailure, Stat};
    use std::io;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A video whose bytes never come, until somebody lets go of it.
    struct Stuck(Mutex<Receiver<()>>);

    impl ReadAt for Stuck {
        fn stat(&self) -> io::Result<Stat> {
            Ok(Stat { len: 1000, identity: "stuck".into() })
        }

        fn read_at(&self, _: &str, _: u64, _: &mut [u8]) -> Result<usize, ReadFailure> {
            let _ = self.0.lock().unwrap().recv();
            Err(ReadFailure::Lost(io::Error::other("it was let go")))
        }
    }

    fn stuck() -> (Sender<()>, CutPlan) {
        let (let_go, waits) = channel();
        let media = Media::of(Path::new("stuck.mp4"), Arc::new(Stuck(Mutex::new(waits))));
        let mut plan = CutPlan::new(media, CutOptions::default());
        plan.add(pipe_video::Span { start_ms: 0, end_ms: 1000 }, Path::new("never.mp4"));
        (let_go, plan)
    }

    #[test]
    fn a_plan_that_hangs_is_given_up_with_what_it_hangs_on() {
        let (let_go, plan) = stuck();
        let let_go = Mutex::new(Some(let_go));
        let (given_up, told) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        // Were it not given up, this test would never end.
        watched(
            &plan.pulse(),
            Patience { every: Duration::from_millis(2), looks: 3 },
            &|at| {
                given_up.lock().unwrap().push(at);
                drop(let_go.lock().unwrap().take());
            },
            || plan.run(1, &|clip, outcome| told.lock().unwrap().push((clip, outcome.is_err()))),
        );
        assert_eq!(*given_up.lock().unwrap(), [At::Source]);
        assert_eq!(*told.lock().unwrap(), [(0, true)]);
    }

    #[test]
    fn work_that_ends_is_given_up_by_nobody() {
        let patience = Patience { every: Duration::from_secs(1000), looks: 0 };
        let give_up = |at: At| panic!("{at:?} was given up");
        assert_eq!(watched(&Pulse::default(), patience, &give_up, || 7), 7);
    }

    #[test]
    fn what_hangs_is_told_with_the_play_and_the_video() {
        let names = Names { video: "the video `game.mp4`".into(), clips: vec!["play `a`".into(), "play `b`".into()] };
        assert_eq!(
            [At::Source, At::Clip(0), At::Clip(7)].map(|at| names.of(at)),
            ["the video `game.mp4`", "play `a`", "the video `game.mp4`"]
        );
        let failure = hanging(names.of(At::Clip(1)), "game.mp4");
        assert_eq!((failure.class, failure.on.as_deref()), (Class::Stalled, Some("game.mp4")));
        assert!(failure.message.contains("play `b`") && failure.message.contains("5 minutes"), "{failure:?}");
    }
}
