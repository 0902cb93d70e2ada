//! Milliseconds, stream ticks and how they compare, without rounding.
//! Knows nothing of files: a tick means something only together with the time base it is given.

use ffmpeg_next::Rational;

/// A fraction as a container states it: a frame rate in frames a second, a time base in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio {
    /// Above the line.
    pub num: u32,
    /// Below the line; never 0.
    pub den: u32,
}

impl Ratio {
    /// The fraction as a float, for people and not for comparisons.
    pub fn to_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    pub(crate) fn from_libav(value: Rational) -> Option<Self> {
        let num = u32::try_from(value.numerator()).ok()?;
        let den = u32::try_from(value.denominator()).ok()?;
        (num > 0 && den > 0).then_some(Ratio { num, den })
    }
}

/// A part of a video: from `start_ms` up to, and without, `end_ms`. Milliseconds after the video's first moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first moment inside.
    pub start_ms: u64,
    /// The first moment after.
    pub end_ms: u64,
}

/// A moment in seconds as a fraction in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exact {
    /// Above the line.
    pub num: i64,
    /// Below the line; above 0.
    pub den: i64,
}

impl Exact {
    pub(crate) fn of(moment: Moment) -> Self {
        let (num, den) = moment.reduced();
        Exact { num, den }
    }
}

/// A part of a video like `Span`, with ends that may lie between milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// The first moment inside.
    pub(crate) start: Moment,
    /// The first moment after.
    pub(crate) end: Moment,
}

impl Stretch {
    /// From a moment up to, and without, another, both in seconds after the video's first moment.
    pub fn new(start: Exact, end: Exact) -> Self {
        let moment = |exact: Exact| Moment::ratio(exact.num.into(), exact.den.max(1).into());
        Stretch { start: moment(start), end: moment(end) }
    }
}

impl From<Span> for Stretch {
    fn from(span: Span) -> Self {
        Stretch { start: Moment::from_ms(span.start_ms), end: Moment::from_ms(span.end_ms) }
    }
}

/// A moment in seconds, as an exact fraction with a positive denominator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    num: i128,
    den: i128,
}

impl Moment {
    pub(crate) const ZERO: Moment = Moment { num: 0, den: 1 };

    pub(crate) fn from_ms(ms: u64) -> Self {
        Moment { num: i128::from(ms), den: 1000 }
    }

    pub(crate) fn from_ticks(ticks: i64, base: Rational) -> Self {
        Moment { num: i128::from(ticks) * i128::from(base.numerator()), den: i128::from(base.denominator()) }
    }

    /// `num / den` seconds; `den` is above 0.
    pub(crate) fn ratio(num: i128, den: i128) -> Self {
        Moment { num, den }
    }

    pub(crate) fn plus(self, other: Moment) -> Self {
        Moment { num: self.num * other.den + other.num * self.den, den: self.den * other.den }
    }

    pub(crate) fn minus(self, other: Moment) -> Self {
        self.plus(Moment { num: -other.num, den: other.den })
    }

    /// The first tick that is not before this moment: `tick < first_tick(m)` says exactly that the tick is before m.
    pub(crate) fn first_tick(self, base: Rational) -> i64 {
        let num = self.num * i128::from(base.denominator());
        let den = self.den * i128::from(base.numerator());
        let ceil = num.div_euclid(den) + i128::from(num.rem_euclid(den) != 0);
        i64::try_from(ceil).unwrap_or(if ceil < 0 { i64::MIN } else { i64::MAX })
    }

    /// Seconds as a fraction in lowest terms. What does not fit is nearest to it.
    pub(crate) fn reduced(self) -> (i64, i64) {
        let (mut a, mut b) = (self.num.abs(), self.den);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let fit = |value: i128| i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX });
        (fit(self.num / a), fit(self.den / a))
    }

    /// Whole milliseconds, rounded to the nearest, for people and reports. Moments before zero are 0.
    pub(crate) fn to_ms(self) -> u64 {
        let doubled = self.num * 2000 + self.den;
        u64::try_from(doubled.div_euclid(self.den * 2)).unwrap_or(0)
    }

    /// Whole microseconds, rounded up, as FFmpeg's seek wants them.
    pub(crate) fn to_us_ceil(self) -> i64 {
        self.first_tick(Rational(1, 1_000_000))
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.num * other.den == other.num * self.den
    }
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (self.num * other.den).partial_cmp(&(other.num * self.den))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_at_29_97_is_compared_without_rounding() {
        // Frame 10 of 30000/1001 fps lies at 10010/30000 s = 333.6667 ms: after 333 ms and before 334 ms.
        let base = Rational(1001, 30000);
        assert_eq!(Moment::from_ms(333).first_tick(base), 10);
        assert_eq!(Moment::from_ms(334).first_tick(base), 11);
    }

    #[test]
    fn a_frame_exactly_on_the_moment_is_not_before_it() {
        assert_eq!(Moment::from_ms(2000).first_tick(Rational(1, 15)), 30);
        assert_eq!(Moment::from_ms(2001).first_tick(Rational(1, 15)), 31);
    }

    #[test]
    fn moments_before_zero_round_up_towards_zero() {
        let quarter_before = Moment::ZERO.minus(Moment::from_ms(250));
        assert_eq!(quarter_before.first_tick(Rational(1, 1)), 0);
        assert_eq!(quarter_before.first_tick(Rational(1, 10)), -2);
        assert_eq!(quarter_before.to_ms(), 0);
    }

    #[test]
    fn a_fraction_in_lowest_terms_is_the_same_moment() {
        assert_eq!(Moment::from_ticks(3003, Rational(1, 90_000)).reduced(), (1001, 30_000));
        assert_eq!(Moment::ZERO.minus(Moment::from_ms(500)).reduced(), (-1, 2));
        assert_eq!(Moment::ratio(0, 7).reduced(), (0, 1));
    }

    #[test]
    fn milliseconds_round_to_the_nearest() {
        assert_eq!(Moment::from_ticks(1001, Rational(1, 30000)).to_ms(), 33);
        assert_eq!(Moment::from_ticks(2002, Rational(1, 30000)).to_ms(), 67);
    }
}
