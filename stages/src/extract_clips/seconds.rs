//! Moments in seconds as exact fractions: frames of 29.97 a second lie at no whole millisecond.

use pipe_video::Exact;
use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Sub};

/// Seconds, as a fraction with a number above 0 below the line. Not always in lowest terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds {
    num: i128,
    den: i128,
}

impl Seconds {
    pub(super) const ZERO: Self = Self { num: 0, den: 1 };

    /// `den` is above 0.
    pub(super) fn ratio(num: i128, den: i128) -> Self {
        Self { num, den: den.max(1) }
    }

    pub(super) fn from_ms(ms: i64) -> Self {
        Self::ratio(ms.into(), 1000)
    }

    pub(super) fn exact(self) -> Exact {
        let (mut a, mut b) = (self.num.abs(), self.den);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let fit = |value: i128| i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX });
        Exact { num: fit(self.num / a.max(1)), den: fit(self.den / a.max(1)).max(1) }
    }

    /// As records have it: the number above the line, and the one below.
    pub(super) fn parts(self) -> [i64; 2] {
        let Exact { num, den } = self.exact();
        [num, den]
    }

    /// Whole milliseconds, rounded down; what lies before 0 is 0.
    pub(super) fn ms(self) -> u64 {
        u64::try_from((self.num * 1000).div_euclid(self.den)).unwrap_or(0)
    }
}

impl From<Exact> for Seconds {
    fn from(exact: Exact) -> Self {
        Self::ratio(exact.num.into(), exact.den.into())
    }
}

impl Add for Seconds {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let sum = Self::ratio(self.num * other.den + other.num * self.den, self.den * other.den);
        // What is added up again and again stays small.
        Self::from(sum.exact())
    }
}

impl Sub for Seconds {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + Self::ratio(-other.num, other.den)
    }
}

impl PartialEq for Seconds {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Seconds {}

impl PartialOrd for Seconds {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Seconds {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.num * other.den).cmp(&(other.num * self.den))
    }
}

impl fmt::Display for Seconds {
    /// The fraction in lowest terms, as it stands in keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [num, den] = self.parts();
        write!(f, "{num}/{den}")
    }
}
