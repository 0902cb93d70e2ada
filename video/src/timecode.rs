//! `HH:MM:SS:FF` <-> what it says: the name that a frame goes by, as SMPTE ST 12-1 counts frames.

use std::fmt;
use std::str::FromStr;

/// The name of a frame: a time of day, and which frame of that second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timecode {
    /// 0 to 23.
    pub hours: u8,
    /// 0 to 59.
    pub minutes: u8,
    /// 0 to 59.
    pub seconds: u8,
    /// From 0.
    pub frames: u16,
    /// Whether numbers are dropped, so that the count keeps to the clock on the wall: written `;` before the frames.
    pub drops: bool,
}

impl fmt::Display for Timecode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timecode { hours, minutes, seconds, frames, drops } = self;
        let mark = if *drops { ';' } else { ':' };
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}{mark}{frames:02}")
    }
}

impl FromStr for Timecode {
    type Err = String;

    /// As FFmpeg and cameras write it; some put `.` where numbers are dropped.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is no timecode: write one such as `10:00:00:00`, or `10:00:00;00` if numbers are dropped")
        };
        let number = |part: &str, most: u16| {
            let is_plain = (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u16>().ok().filter(|number| is_plain && *number <= most).ok_or_else(wrong)
        };
        let small = |part: &str, most: u16| number(part, most).and_then(|n| u8::try_from(n).map_err(|_| wrong()));
        let (clock, frames) = text.rsplit_once([':', ';', '.']).ok_or_else(wrong)?;
        let parts: Vec<&str> = clock.split(':').collect();
        let [hours, minutes, seconds] = parts[..] else { return Err(wrong()) };
        Ok(Timecode {
            hours: small(hours, 23)?,
            minutes: small(minutes, 59)?,
            seconds: small(seconds, 59)?,
            frames: number(frames, 999)?,
            drops: !text[..text.len() - frames.len()].ends_with(':'),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timecode_reads_back_as_it_was_written() {
        for text in ["10:00:00:00", "23:59:59;29", "00:00:00:119"] {
            assert_eq!(text.parse::<Timecode>().unwrap().to_string(), text);
        }
        assert_eq!("01:02:03.04".parse::<Timecode>().unwrap().to_string(), "01:02:03;04");
    }

    #[test]
    fn what_is_no_timecode_is_refused() {
        for text in [
            "",
            "10:00:00",
            "24:00:00:00",
            "10:60:00:00",
            "10:00:60:00",
            "-1:00:00:00",
            "a:b:c:d",
            "1:2:3:",
            "0:1:2:3:4",
        ] {
            assert!(text.parse::<Timecode>().is_err(), "{text}");
        }
    }
}
