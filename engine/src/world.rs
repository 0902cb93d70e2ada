//! The clock and the source of randomness: the only file that may ask the machine for either.
//! Everything else is given a [`World`], so tests and simulations decide what time it is.
#![expect(clippy::disallowed_methods, reason = "this is the file the lint points to")]

use crate::failpoint;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this moment, zero when `earlier` lies later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The local date and time, as `2026-11-21 23:04:05`.
    pub fn to_local(self) -> String {
        self.told("%Y-%m-%d %H:%M:%S")
    }

    /// The same with its distance from UTC, for those who read it elsewhere: `2026-11-21 23:04:05 +01:00`.
    pub fn to_zoned(self) -> String {
        self.told("%Y-%m-%d %H:%M:%S %:z")
    }

    /// The local month, as `2026-11`.
    pub fn to_month(self) -> String {
        self.told("%Y-%m")
    }

    fn told(self, form: &str) -> String {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        jiff::Timestamp::from_millisecond(millis).map_or_else(
            |_| self.0.to_string(),
            |time| time.to_zoned(jiff::tz::TimeZone::system()).strftime(form).to_string(),
        )
    }
}

/// What the outside world gives: the time, and names nobody else has.
#[derive(Clone)]
pub struct World {
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    random: Arc<dyn Fn() -> u32 + Send + Sync>,
}

impl World {
    /// The machine's own clock and randomness.
    pub fn real() -> Self {
        Self {
            clock: Arc::new(|| {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(failpoint::clock(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
            }),
            random: Arc::new(|| getrandom::u32().unwrap_or_else(|_| std::process::id())),
        }
    }

    /// A world in which `clock` tells the time and `random` deals the numbers, for tests and simulations.
    pub fn with(
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
        random: impl Fn() -> u32 + Send + Sync + 'static,
    ) -> Self {
        Self { clock: Arc::new(clock), random: Arc::new(random) }
    }

    /// The same world with a clock that nobody sets: it goes on from now as time does, sleep of the machine included.
    #[must_use]
    pub fn steady(&self) -> Self {
        let (begun, then) = (self.now(), since_boot());
        Self { clock: Arc::new(move || begun.after(since_boot().saturating_sub(then))), random: self.random.clone() }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// 32 random bits.
    pub fn random(&self) -> u32 {
        (self.random)()
    }
}

/// The time since the machine was started, its sleep included: a clock that nobody sets.
pub(crate) fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    #[test]
    fn a_steady_world_goes_on_when_the_clock_is_set_back_or_forth() {
        let shown = Arc::new(AtomicU64::new(1_000_000));
        let clock = shown.clone();
        let world = World::with(move || Timestamp(clock.load(Relaxed)), || 4);
        let steady = world.steady();
        for set in [0, 1_000_000_000] {
            shown.store(set, Relaxed);
            std::thread::sleep(Duration::from_millis(5));
            let now = steady.now();
            assert!(now > Timestamp(1_000_000) && now < Timestamp(1_060_000), "{now:?}");
        }
        assert_eq!(steady.random(), 4);
    }
}
