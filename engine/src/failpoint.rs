//! Named moments at which a test kills this process, sets its clock or takes its flushes away. Without the feature
//! `failpoints` every function here is empty, and no release build has the feature: it does not compile with it.
//!
//! - `PIPE_FAILPOINT=name:3`: the process kills itself when it reaches that point for the third time.
//! - `PIPE_FAILPOINT_LOG=file`: the name of each point that is reached is a line of the file.
//! - `PIPE_FAILPOINT_CLOCK=60@name:3`: from then on the machine's clock shows a minute less; without `@`, from the start.
//! - `PIPE_FAILPOINT_BREAK=name:3`: the third time, what stands there fails as it does on a disk that is broken.
//! - `PIPE_FAILPOINT_STALL=1`: a flush of a whole disk does not come back.
//! - `PIPE_FAILPOINT_NO_FLUSH=1`: finished files are not flushed before their manifests are filed. Only a power cut
//!   can tell, and a test of power cuts that cannot tell proves nothing.

/// Every point, in the order in which a run comes to them. Those of attempts elsewhere begin with [`AFAR`].
pub const POINTS: [&str; 29] = [
    "lock.taken",
    "journal.created",
    "journal.before_commit",
    "journal.committed",
    "attempt.folder_made",
    "attempt.described",
    "attempt.spawned",
    "attempt.ended",
    "outcome.written",
    "afar.described",
    "afar.intended",
    "afar.sought",
    "afar.made",
    "afar.submitted",
    "afar.ended",
    "afar.closed",
    "afar.filed",
    "afar.settled",
    "afar.removed",
    "object.half_written",
    "object.staged",
    "group.before_flush",
    "group.flushed",
    "manifest.filed",
    "item.filed",
    "group.filed",
    "copy.begun",
    "copy.noted",
    "hints.saving",
];

/// How the points are named that an attempt comes to which runs elsewhere: it is described, the journal has the intent, nobody
/// knows of a job, there is one, it runs; its job is over, its outcome is known, its result is in the store, the journal has its
/// end, its job is removed.
pub const AFAR: &str = "afar.";

#[cfg(not(feature = "failpoints"))]
mod armed {
    /// A moment at which a test may want this process to die.
    #[inline(always)]
    pub fn reach(_point: &'static str) {}

    /// How many of `whole` bytes are written before a point in the middle of writing them: none where there is none.
    #[inline(always)]
    pub fn part_of(_whole: usize) -> usize {
        0
    }

    /// Whether something fails as on a disk that is broken.
    #[inline(always)]
    pub fn breaks(_what: &'static str) -> bool {
        false
    }

    /// Whether a flush is one.
    #[inline(always)]
    pub fn flushes() -> bool {
        true
    }

    /// A moment that may never end.
    #[inline(always)]
    pub fn stall() {}

    /// What the machine's clock shows, in milliseconds.
    #[inline(always)]
    pub fn clock(millis: u64) -> u64 {
        millis
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use rustix::process::{Signal, getpid, kill_process};
    use std::fs::File;
    use std::io::Write;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    #[cfg(not(debug_assertions))]
    compile_error!("the feature `failpoints` is for tests: build without it, or with debug assertions");

    static KILL: LazyLock<Option<Nth>> = LazyLock::new(|| Nth::of(&std::env::var("PIPE_FAILPOINT").ok()?));
    static LOG: LazyLock<Option<File>> =
        LazyLock::new(|| File::options().append(true).create(true).open(std::env::var_os("PIPE_FAILPOINT_LOG")?).ok());
    static BREAK: LazyLock<Option<Nth>> = LazyLock::new(|| Nth::of(&std::env::var("PIPE_FAILPOINT_BREAK").ok()?));
    static CLOCK: LazyLock<Option<Clock>> = LazyLock::new(|| Clock::of(&std::env::var("PIPE_FAILPOINT_CLOCK").ok()?));

    /// The n-th time at a point.
    struct Nth {
        point: String,
        left: AtomicU64,
    }

    impl Nth {
        fn of(text: &str) -> Option<Self> {
            let (point, nth) = text.split_once(':')?;
            Some(Self { point: point.to_owned(), left: AtomicU64::new(nth.parse().ok()?) })
        }

        fn is_now(&self, point: &str) -> bool {
            self.point == point && self.left.fetch_sub(1, Relaxed) == 1
        }
    }

    /// A clock that is set back.
    struct Clock {
        back: u64,
        when: Option<Nth>,
        now: AtomicU64,
    }

    impl Clock {
        fn of(text: &str) -> Option<Self> {
            let (seconds, when) = text.split_once('@').map_or((text, None), |(s, when)| (s, Some(when)));
            let (back, when) = (seconds.parse::<u64>().ok()? * 1000, when.and_then(Nth::of));
            Some(Self { back, now: AtomicU64::new(if when.is_none() { back } else { 0 }), when })
        }
    }

    /// A moment at which a test may want this process to die.
    pub fn reach(point: &'static str) {
        assert!(super::POINTS.contains(&point), "`{point}` is not in the list");
        if let Some(mut log) = LOG.as_ref() {
            let _ = log.write_all(format!("{point}\n").as_bytes());
        }
        if let Some(clock) = CLOCK.as_ref()
            && clock.when.as_ref().is_some_and(|when| when.is_now(point))
        {
            clock.now.store(clock.back, Relaxed);
        }
        if KILL.as_ref().is_some_and(|kill| kill.is_now(point)) {
            let _ = kill_process(getpid(), Signal::KILL);
            // The kernel may let this thread go on for a moment.
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
    }

    /// How many of `whole` bytes are written before a point in the middle of writing them.
    pub fn part_of(whole: usize) -> usize {
        whole / 2
    }

    /// Whether something fails as on a disk that is broken.
    pub fn breaks(what: &'static str) -> bool {
        BREAK.as_ref().is_some_and(|it| it.is_now(what))
    }

    /// Whether a flush is one.
    pub fn flushes() -> bool {
        std::env::var_os("PIPE_FAILPOINT_NO_FLUSH").is_none()
    }

    /// A moment that may never end.
    pub fn stall() {
        while std::env::var_os("PIPE_FAILPOINT_STALL").is_some() {
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
    }

    /// What the machine's clock shows, in milliseconds.
    pub fn clock(millis: u64) -> u64 {
        millis - CLOCK.as_ref().map_or(0, |clock| clock.now.load(Relaxed))
    }
}

pub use armed::{breaks, clock, flushes, part_of, reach, stall};
