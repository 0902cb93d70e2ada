//! The times of a group's frames, and a clip -> how much of the group is copied, and which of its frames are encoded.

use std::ops::Range;

use crate::cut::CutMode;

/// What one clip takes of a group.
pub(super) struct Part {
    /// So many packets from the group's front are copied.
    pub(super) copied: usize,
    /// The frames with these times are encoded, behind the copied ones.
    pub(super) encoded: Range<i64>,
    /// Whether these are all frames of the clip, so that nothing has to join them.
    pub(super) is_whole: bool,
}

/// What a clip takes of a group whose frames have these times, in the order they are decoded.
pub(super) fn part_of(times: &[i64], ticks: &Range<i64>, mode: CutMode) -> Option<Part> {
    if !times.iter().any(|time| ticks.contains(time)) {
        return None;
    }
    let latest = |count: usize| times[..count].iter().copied().max().unwrap_or(i64::MIN);
    // Behind so many packets nothing is shown that belongs before what was copied.
    let closed = |count: usize, end: i64| times[count..].iter().all(|time| *time > latest(count) || *time >= end);
    if mode == CutMode::Copy {
        let (copied, _) = only_copied(times, ticks.end)?;
        return Some(Part { copied, encoded: 0..0, is_whole: false });
    }
    if times.iter().any(|time| *time < ticks.start) {
        return Some(Part { copied: 0, encoded: ticks.clone(), is_whole: false });
    }
    let copied = (0..=times.len()).rev().find(|&count| latest(count) < ticks.end && closed(count, ticks.end))?;
    let encoded = latest(copied).saturating_add(1).max(ticks.start)..ticks.end;
    Some(Part { copied, encoded, is_whole: false })
}

/// How much of a group a clip copies that encodes nothing, and the time of the last frame of that: as few packets from the
/// front as hold all frames before the end, and behind which nothing is shown that belongs before.
fn only_copied(times: &[i64], end: i64) -> Option<(usize, i64)> {
    let last = times.iter().copied().filter(|time| *time < end).max().unwrap_or(i64::MIN);
    // The earliest that is shown of what stands at each place and behind it.
    let mut behind = times.to_vec();
    for at in (1..behind.len()).rev() {
        behind[at - 1] = behind[at - 1].min(behind[at]);
    }
    let mut latest = i64::MIN;
    for (at, time) in times.iter().enumerate() {
        latest = latest.max(*time);
        if latest >= last && behind.get(at + 1).is_none_or(|next| *next > latest) {
            return Some((at + 1, latest));
        }
    }
    None
}

/// Whether a clip that ends at `end` and encodes nothing needs nothing more of a group of which this was read. `next`: when
/// what follows is decoded, and before which none of it is shown.
pub(super) fn is_all_copied(times: &[i64], end: i64, next: i64) -> bool {
    next >= end && only_copied(times, end).is_some_and(|(_, latest)| latest < next)
}

/// Whether a clip would show a picture that the source hides.
pub(super) fn hides(hidden: &[i64], part: Option<&Part>, ticks: &Range<i64>) -> bool {
    part.is_some_and(|part| hidden.iter().any(|time| part.copied > 0 || ticks.contains(time)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I P B B B P B B B, shown in the order 0 2 3 4 1 ...
    const TIMES: [i64; 9] = [0, 4, 2, 1, 3, 8, 6, 5, 7];

    fn part(ticks: Range<i64>, mode: CutMode) -> Option<(usize, Vec<i64>)> {
        let part = part_of(&TIMES, &ticks, mode)?;
        Some((part.copied, (0..9).filter(|time| part.encoded.contains(time)).collect()))
    }

    #[test]
    fn a_clip_copies_the_largest_part_behind_which_nothing_is_missing() {
        assert_eq!(part(0..100, CutMode::Smart), Some((9, vec![])));
        assert_eq!(part(0..5, CutMode::Smart), Some((5, vec![])));
        assert_eq!(part(0..7, CutMode::Smart), Some((5, vec![5, 6])));
        assert_eq!(part(0..3, CutMode::Smart), Some((1, vec![1, 2])));
        assert_eq!(part(-5..1, CutMode::Smart), Some((1, vec![])));
    }

    #[test]
    fn a_clip_that_begins_inside_a_group_encodes_its_frames() {
        assert_eq!(part(2..100, CutMode::Smart), Some((0, vec![2, 3, 4, 5, 6, 7, 8])));
        assert_eq!(part(2..4, CutMode::Smart), Some((0, vec![2, 3])));
        assert_eq!(part(9..12, CutMode::Smart), None);
    }

    #[test]
    fn a_clip_that_only_copies_takes_what_surrounds_its_frames() {
        assert_eq!(part(2..4, CutMode::Copy), Some((5, vec![])));
        assert_eq!(part(2..6, CutMode::Copy), Some((9, vec![])));
        assert_eq!(part(0..1, CutMode::Copy), Some((1, vec![])));
    }

    #[test]
    fn a_clip_that_only_copies_has_enough_when_nothing_that_follows_is_shown_before_its_last_frame() {
        // Each is decoded two ticks before its place in the order they are shown, so the next of nine is at 7.
        assert!(!is_all_copied(&TIMES, 6, 7), "up to 8 is copied, and 8 itself might follow");
        assert!(is_all_copied(&[&TIMES[..], &[12, 10]].concat(), 6, 9));
        assert!(!is_all_copied(&[&TIMES[..], &[12]].concat(), 9, 8), "the end is not reached");
        assert!(is_all_copied(&TIMES[..7], 4, 5));
        assert!(!is_all_copied(&TIMES[..3], 3, 3), "1 and 3 are missing before 4");
    }
}
