//! A slot -> text and back: `2026-11-22T02:00:00Z`.

use jiff::Zoned;
use jiff::tz::TimeZone;
use pipe_engine::world::Timestamp;

/// A slot as environments, files and events hold it.
pub fn told(slot: Timestamp) -> String {
    instant(slot).to_string()
}

/// A slot out of any time of RFC 3339.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    let instant: jiff::Timestamp =
        text.parse().map_err(|_| "write it as 2026-11-22T02:00:00Z, or with an offset such as +01:00".to_owned())?;
    let millis = u64::try_from(instant.as_millisecond()).map_err(|_| "slots begin in 1970".to_owned())?;
    Ok(Timestamp(millis))
}

/// A slot on the clocks of a time zone.
pub fn zoned(slot: Timestamp, zone: &TimeZone) -> Zoned {
    instant(slot).to_zoned(zone.clone())
}

/// A moment that no calendar holds is as late as one can be.
pub(crate) fn instant(moment: Timestamp) -> jiff::Timestamp {
    let millis = i64::try_from(moment.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX)
}

/// The other way; moments before 1970 are its beginning.
pub(crate) fn moment(instant: jiff::Timestamp) -> Timestamp {
    Timestamp(u64::try_from(instant.as_millisecond()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_reads_as_it_was_told_and_with_any_offset() {
        let slot = parse("2026-11-22T03:00:00+01:00").unwrap();
        assert_eq!(told(slot), "2026-11-22T02:00:00Z");
        assert_eq!(parse(&told(slot)), Ok(slot));
        assert!(parse("tomorrow").unwrap_err().contains("2026-11-22T02:00:00Z"));
        assert!(parse("1969-01-01T00:00:00Z").is_err());
    }
}
