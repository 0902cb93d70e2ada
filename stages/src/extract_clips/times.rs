//! What a play's row says of when it begins and ends -> moments of a video. Milliseconds, timecodes, numbers of frames.

use super::seconds::Seconds;
use crate::columns::{no_column, wrong};
use crate::records::Row;
use pipe_engine::failure::Failure;
use pipe_video::{Counting, Ratio, Timecode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value as Json;
use std::borrow::Cow;

/// What the plays' columns hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TimesName {
    /// Columns `start_ms` and `end_ms`: whole milliseconds from the beginning of the video.
    #[default]
    Ms,
    /// Columns `start` and `end`: `00:12:34.567`, or `00:12:34:15` and `00:12:34;15`, of which the last number counts frames
    /// and `;` says that the count drops numbers, as it does at 29.97 and 59.94 frames a second. The video's first frame has the
    /// timecode that `start_timecode` says.
    Timecode,
    /// Columns `start_frame` and `end_frame`: numbers of frames, of which the video's first is 0.
    Frame,
}

impl TimesName {
    /// The columns that say when a play begins, and which moment is the first after it.
    pub(super) fn columns(self) -> [&'static str; 2] {
        match self {
            Self::Ms => ["start_ms", "end_ms"],
            Self::Timecode => ["start", "end"],
            Self::Frame => ["start_frame", "end_frame"],
        }
    }

    /// Reads one of them.
    pub(super) fn read(self, row: &Row, column: &str) -> Result<Mark, Failure> {
        let value = row.get(column).ok_or_else(|| no_column(row, column))?;
        let mark = match self {
            Self::Ms => value.as_u64().and_then(|ms| i64::try_from(ms).ok()).map(|ms| Mark::At(Seconds::from_ms(ms))),
            Self::Frame => value.as_u64().map(Mark::Frame),
            Self::Timecode => value.as_str().and_then(timecode),
        };
        mark.ok_or_else(|| wrong(row, column, &format!("is {value}, not {}", self.wanted(value))))
    }

    fn wanted(self, value: &Json) -> &'static str {
        match self {
            Self::Ms => "milliseconds from 0",
            Self::Frame => "the number of a frame from 0",
            Self::Timecode if value.is_string() => {
                "a timecode such as `00:12:34.567`, `00:12:34:15` or, where numbers are dropped, `00:12:34;15`"
            }
            Self::Timecode => {
                "a timecode such as `00:12:34.567`; a number needs `times = \"ms\"` or `times = \"frame\"`"
            }
        }
    }
}

/// Which timecode the first frame of a video has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum StartTimecode {
    /// The one that the video carries, or `00:00:00:00`.
    #[default]
    Video,
    At(Timecode),
}

impl StartTimecode {
    /// The timecode that times of a video are counted from. `None`: they are counted from 0.
    pub(super) fn of(self, times: TimesName, counting: Option<&Counting>) -> Option<Timecode> {
        match (times, self) {
            (TimesName::Ms | TimesName::Frame, _) => None,
            (TimesName::Timecode, Self::Video) => counting?.timecode,
            (TimesName::Timecode, Self::At(timecode)) => Some(timecode),
        }
    }
}

impl<'de> Deserialize<'de> for StartTimecode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "video" => Ok(Self::Video),
            text => text.parse().map(Self::At).map_err(|e| de::Error::custom(format!("{e}, or `video`"))),
        }
    }
}

impl JsonSchema for StartTimecode {
    fn schema_name() -> Cow<'static, str> {
        "StartTimecode".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "examples": ["video", "10:00:00:00", "10:00:00;00"] })
    }
}

/// A moment as a row writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// On the clock that players show.
    At(Seconds),
    /// When this frame is shown.
    Frame(u64),
    /// When the frame that is counted so is shown.
    Counted { minutes: u64, seconds: u64, frames: u64, drops: bool },
}

impl Mark {
    /// The moment in a video whose frames are counted so. `Err` says why there is none, and what to do.
    pub(super) fn moment(
        self,
        counting: Option<&Counting>,
        start: Option<Timecode>,
    ) -> Result<Seconds, (String, &'static str)> {
        if let Some(start) = start {
            return self.moment_after(start, counting);
        }
        let number = match self {
            Self::At(moment) => return Ok(moment),
            Self::Frame(number) => Ok(number),
            Self::Counted { .. } => Err(()),
        };
        let rate = rate_of(counting)?;
        let number = match number {
            Ok(number) => number,
            Err(()) => self.frame(rate)?,
        };
        Ok(first_of(counting) + length(number, rate))
    }

    /// The moment in a video whose first frame has a timecode. The count begins anew at midnight, and so may the video.
    fn moment_after(self, start: Timecode, counting: Option<&Counting>) -> Result<Seconds, (String, &'static str)> {
        let (passed, day) = match self {
            // What has a fraction of a second was read from a clock; so much has passed on it since the start.
            Self::At(moment) => (moment - clock(start, counting)?, Seconds::ratio(24 * 3600, 1)),
            mark => mark.counted_after(start, rate_of(counting)?)?,
        };
        let end = counting.and_then(|counting| counting.end).map(Seconds::from);
        let found = [passed, passed + day].into_iter().find(|passed| *passed >= Seconds::ZERO);
        let is_inside = |moment: &Seconds| passed >= Seconds::ZERO || end.is_none_or(|end| *moment <= end);
        found.map(|passed| first_of(counting) + passed).filter(is_inside).ok_or_else(|| {
            let message = format!("it lies before the first frame of the video, which is {start}");
            (message, "check that the play belongs to this video, or set `start_timecode`")
        })
    }

    /// How much later than a timecode it is counted, perhaps less than nothing, and how long a day is by the count.
    fn counted_after(self, start: Timecode, rate: Ratio) -> Result<(Seconds, Seconds), (String, &'static str)> {
        let began = Self::from(start);
        began.check_same_count(self)?;
        let drops = matches!(self, Self::Counted { drops: true, .. });
        let day = Self::Counted { minutes: 24 * 60, seconds: 0, frames: 0, drops };
        let [mark, day] = [self.frame(rate)?, day.frame(rate)?].map(|number| length(number, rate));
        let began = began.frame(rate).map_err(|(message, _)| {
            let help = "set `start_timecode` to that of the video's first frame";
            (format!("the video is said to start at {start}: {message}"), help)
        })?;
        Ok((mark - length(began, rate), day))
    }

    /// Two counts go together when both drop numbers or neither does. At the very start there is nothing to count yet.
    fn check_same_count(self, other: Self) -> Result<(), (String, &'static str)> {
        let (Self::Counted { minutes, seconds, frames, drops }, Self::Counted { drops: others, .. }) = (self, other)
        else {
            return Ok(());
        };
        if drops == others || (minutes, seconds, frames) == (0, 0, 0) {
            return Ok(());
        }
        let (message, help) = if drops {
            ("the video's timecode drops numbers, and this one does not", "write `;` before the number of frames")
        } else {
            ("the video's timecode drops no numbers, and this one does", "write `:` before the number of frames")
        };
        Err((message.to_owned(), help))
    }

    /// The number of the frame that is counted so, by the rules of SMPTE ST 12-1: frames are counted at the whole rate next to
    /// the true one. Where that is 1000/1001 of it and the count drops, the first two numbers of each minute but every tenth
    /// are left out, four at twice the rate, so that the count keeps to the clock on the wall.
    fn frame(self, rate: Ratio) -> Result<u64, (String, &'static str)> {
        let Self::Counted { minutes, seconds, frames, drops } = self else { return Ok(0) };
        let whole = u64::from(rate.num.div_ceil(rate.den));
        let is_ntsc = u64::from(rate.num) * 1001 == whole * 1000 * u64::from(rate.den);
        let told = f64::from(rate.num) / f64::from(rate.den);
        if frames >= whole {
            let message = format!("frame {frames} of a second, of a video with {told:.2} frames a second");
            return Err((
                message,
                "the last number of a timecode counts frames: write `.` before a fraction of a second",
            ));
        }
        let dropped = match (drops, whole) {
            (false, _) => 0,
            (true, 30 | 60) if is_ntsc => whole / 15,
            (true, _) => {
                let message =
                    format!("numbers are dropped at 29.97 and 59.94 frames a second, and the video has {told:.2}");
                return Err((message, "write `:` before the number of frames"));
            }
        };
        if seconds == 0 && minutes % 10 != 0 && frames < dropped {
            let message = format!("there is no frame {frames} in the first second of a minute that drops numbers");
            return Err((message, "correct the play's times, or write `:` if nothing is dropped"));
        }
        Ok((minutes * 60 + seconds) * whole + frames - dropped * (minutes - minutes / 10))
    }
}

impl From<Timecode> for Mark {
    fn from(timecode: Timecode) -> Self {
        Self::Counted {
            minutes: u64::from(timecode.hours) * 60 + u64::from(timecode.minutes),
            seconds: timecode.seconds.into(),
            frames: timecode.frames.into(),
            drops: timecode.drops,
        }
    }
}

/// What a clock shows at a timecode.
fn clock(timecode: Timecode, counting: Option<&Counting>) -> Result<Seconds, (String, &'static str)> {
    let minutes = i128::from(timecode.hours) * 60 + i128::from(timecode.minutes);
    let whole = Seconds::ratio(minutes * 60 + i128::from(timecode.seconds), 1);
    match timecode.frames {
        0 => Ok(whole),
        frames => Ok(whole + length(frames.into(), rate_of(counting)?)),
    }
}

fn rate_of(counting: Option<&Counting>) -> Result<Ratio, (String, &'static str)> {
    counting.and_then(|counting| counting.rate).ok_or((
        "the frames of the video do not come at one rate, so that a number of frames is no time".to_owned(),
        "give milliseconds: `times = \"ms\"`",
    ))
}

/// When the video's first frame is shown.
fn first_of(counting: Option<&Counting>) -> Seconds {
    counting.map_or(Seconds::ZERO, |counting| counting.first.into())
}

/// How long so many frames are shown.
fn length(frames: u64, rate: Ratio) -> Seconds {
    Seconds::ratio(i128::from(frames) * i128::from(rate.den), rate.num.into())
}

/// `HH:MM:SS`, `HH:MM:SS.mmm`, `HH:MM:SS:FF` or `HH:MM:SS;FF`.
fn timecode(text: &str) -> Option<Mark> {
    let number = |text: &str, most: u64| {
        let is_plain = !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|number| is_plain && *number <= most)
    };
    let (hours, rest) = text.trim().split_once(':')?;
    let (minutes, rest) = rest.split_once(':')?;
    let minutes = number(hours, 999)? * 60 + number(minutes, 59)?;
    let end = rest.find([':', ';', '.', ',']).unwrap_or(rest.len());
    let (seconds, rest) = rest.split_at(end);
    let seconds = number(seconds, 59)?;
    let whole = Seconds::ratio((minutes * 60 + seconds).into(), 1);
    match rest.split_at_checked(1) {
        None => Some(Mark::At(whole)),
        Some((sign @ (":" | ";"), frames)) => {
            Some(Mark::Counted { minutes, seconds, frames: number(frames, 999)?, drops: sign == ";" })
        }
        Some((_, fraction)) => {
            let is_plain = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
            let (num, den) = (fraction.parse::<u32>().ok().filter(|_| is_plain)?, 10_i128.pow(fraction.len() as u32));
            Some(Mark::At(whole + Seconds::ratio(num.into(), den)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipe_video::Exact;
    use serde_json::json;

    const NTSC: Ratio = Ratio { num: 30_000, den: 1001 };
    const TWICE: Ratio = Ratio { num: 60_000, den: 1001 };

    fn counting(rate: Ratio) -> Counting {
        Counting { first: Exact { num: 0, den: 1 }, rate: Some(rate), end: None, timecode: None }
    }

    fn frame(text: &str, rate: Ratio) -> Result<u64, String> {
        timecode(text).unwrap().frame(rate).map_err(|(message, _)| message)
    }

    #[test]
    fn a_timecode_counts_frames_as_the_standard_does() {
        // The examples that are told everywhere of ST 12-1: 00:01:00;02 follows 00:00:59;29, an hour has 107,892 frames and ten
        // minutes have 17,982; without dropping they have 108,000 and 18,000. At 59.94, twice as many.
        let cases = [
            ("00:00:59;29", NTSC, 1799),
            ("00:01:00;02", NTSC, 1800),
            ("00:09:59;29", NTSC, 17_981),
            ("00:10:00;00", NTSC, 17_982),
            ("01:00:00;00", NTSC, 107_892),
            ("01:00:00:00", NTSC, 108_000),
            ("00:10:00:00", NTSC, 18_000),
            ("00:01:00;04", TWICE, 3600),
            ("01:00:00;00", TWICE, 215_784),
            ("00:00:01:24", Ratio { num: 25, den: 1 }, 49),
            ("00:00:01:00", Ratio { num: 24_000, den: 1001 }, 24),
        ];
        for (text, rate, number) in cases {
            assert_eq!(frame(text, rate), Ok(number), "{text} at {rate:?}");
        }
    }

    #[test]
    fn a_count_that_drops_keeps_to_the_clock_on_the_wall() {
        // After an hour of drop-frame count, an hour has passed but for 3.6 ms.
        let moment = timecode("01:00:00;00").unwrap().moment(Some(&counting(NTSC)), None).unwrap();
        assert_eq!(moment, Seconds::ratio(107_892 * 1001, 30_000));
        assert_eq!(moment.ms(), 3_599_996);
    }

    /// How far into a video that starts at one timecode another one lies.
    fn after(text: &str, start: &str, rate: Ratio, end: Option<i64>) -> Result<Seconds, String> {
        let counting = Counting { end: end.map(|seconds| Exact { num: seconds, den: 1 }), ..counting(rate) };
        let mark = timecode(text).unwrap();
        mark.moment(Some(&counting), Some(start.parse().unwrap())).map_err(|(message, _)| message)
    }

    #[test]
    fn timecodes_are_counted_from_that_of_the_first_frame() {
        // By hand, with ST 12-1: from 10:00:00;00 to 10:01:00;02 the numbers ;00 and ;01 of a minute are left out, so that 1800
        // frames lie between; in ten minutes 17,982 do.
        let pal = Ratio { num: 25, den: 1 };
        let cases = [
            ("10:00:05:00", "10:00:00:00", pal, 125),
            ("10:00:05:03", "10:00:00:24", pal, 104),
            ("10:00:00;00", "10:00:00;00", NTSC, 0),
            ("10:01:00;02", "10:00:00;00", NTSC, 1800),
            ("10:10:00;00", "10:00:00;00", NTSC, 17_982),
            ("11:00:00;00", "10:00:00;00", NTSC, 107_892),
            ("11:00:00:00", "10:00:00:00", NTSC, 108_000),
            ("10:01:00;04", "10:00:00;00", TWICE, 3600),
            // Over midnight: the last second of the day has its thirty numbers, and the first of the next day, too.
            ("00:00:01;00", "23:59:59;00", NTSC, 60),
            ("00:00:01:00", "23:59:59:00", NTSC, 60),
            ("00:00:00;02", "00:00:00:00", NTSC, 2),
        ];
        for (text, start, rate, number) in cases {
            let moment = Seconds::ratio(number * i128::from(rate.den), rate.num.into());
            assert_eq!(after(text, start, rate, Some(9000)), Ok(moment), "{text} from {start}");
        }
    }

    #[test]
    fn what_has_a_fraction_is_as_much_later_as_a_clock_says() {
        let pal = Ratio { num: 25, den: 1 };
        assert_eq!(after("10:00:05.5", "10:00:00:00", pal, None), Ok(Seconds::ratio(11, 2)));
        assert_eq!(after("10:00:05", "10:00:00:05", pal, None), Ok(Seconds::ratio(24, 5)));
        assert_eq!(after("00:00:01.5", "23:59:59:00", pal, Some(60)), Ok(Seconds::ratio(5, 2)));
    }

    #[test]
    fn a_timecode_before_the_first_frame_is_refused_and_so_is_one_that_is_counted_otherwise() {
        let message = after("00:00:05:00", "10:00:00:00", NTSC, Some(60)).unwrap_err();
        assert_eq!(message, "it lies before the first frame of the video, which is 10:00:00:00");
        assert!(after("09:59:59.9", "10:00:00:00", NTSC, Some(60)).is_err());
        assert!(after("10:00:05:00", "10:00:00;00", NTSC, None).unwrap_err().contains("drops numbers, and this one"));
        assert!(
            after("10:00:05;00", "10:00:00:00", NTSC, None).unwrap_err().contains("drops no numbers, and this one")
        );
        let message = after("10:00:05:00", "10:00:00:29", Ratio { num: 25, den: 1 }, None).unwrap_err();
        assert!(message.starts_with("the video is said to start at 10:00:00:29: frame 29 of a second"), "{message}");
    }

    #[test]
    fn timecodes_that_no_video_has_are_refused() {
        for text in ["00:01:00;00", "00:01:00;01", "00:00:00:30", "00:00:00;30"] {
            assert!(frame(text, NTSC).is_err(), "{text}");
        }
        assert!(frame("00:00:01;00", Ratio { num: 25, den: 1 }).is_err());
        assert!(frame("00:00:01;00", Ratio { num: 30, den: 1 }).is_err());
        for text in [
            "",
            "12",
            "1:2",
            "00:60:00",
            "00:00:60",
            "0:0:0.",
            "0:0:0.1234567890",
            "-0:0:1",
            "0:0:1:",
            "0:0:+1",
            "a:b:c",
        ] {
            assert_eq!(timecode(text), None, "{text}");
        }
    }

    #[test]
    fn a_fraction_of_a_second_is_exact() {
        assert_eq!(timecode("01:02:03.25"), Some(Mark::At(Seconds::ratio(3723 * 4 + 1, 4))));
        assert_eq!(timecode("0:0:7"), Some(Mark::At(Seconds::ratio(7, 1))));
        assert_eq!(timecode("0:0:7,001"), Some(Mark::At(Seconds::ratio(7001, 1000))));
    }

    #[test]
    fn frames_are_counted_from_the_first_one() {
        let counting = Counting { first: Exact { num: 1, den: 2 }, ..counting(NTSC) };
        assert_eq!(
            Mark::Frame(30).moment(Some(&counting), None),
            Ok(Seconds::ratio(1, 2) + Seconds::ratio(1001, 1000))
        );
        let uneven = Counting { rate: None, ..counting };
        assert!(Mark::Frame(30).moment(Some(&uneven), None).unwrap_err().0.contains("one rate"));
    }

    #[test]
    fn a_value_of_another_kind_is_told_with_its_row_and_column() {
        let row =
            json!({ "id": "b", "start": 17, "start_ms": "00:01", "start_frame": -1 }).as_object().unwrap().clone();
        let cases = [
            (
                TimesName::Timecode,
                "start",
                "column `start` is 17, not a timecode such as `00:12:34.567`; a number needs",
            ),
            (TimesName::Ms, "start_ms", "column `start_ms` is \"00:01\", not milliseconds"),
            (TimesName::Frame, "start_frame", "column `start_frame` is -1, not the number of a frame"),
        ];
        for (times, column, message) in cases {
            let failure = times.read(&row, column).unwrap_err();
            assert!(failure.message.starts_with(message), "{}", failure.message);
            assert!(failure.on.is_some_and(|on| on.contains("\"id\":\"b\"")));
        }
    }
}
