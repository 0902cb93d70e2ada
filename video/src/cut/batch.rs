//! Clips that wait to be encoded -> which of them are read together, and whether one more encoder may be opened.

use std::ops::Range;

/// Where a clip lies in its source.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The pictures that are read for it, by their numbers in the index. Clips that have some in common share groups.
    pub(super) pictures: Range<usize>,
    /// The times of its frames, in ticks.
    pub(super) ticks: Range<i64>,
}

/// How many clips are read together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Under way at a time, at most.
    pub(super) open: usize,
    /// A thread's share of those that wait.
    pub(super) share: usize,
    /// In one reading, at most: others are left for other threads.
    pub(super) most: usize,
}

/// The clips to be read together with the first one: each shares a group with one before it. Once there is a share of them, one is left
/// that has more pictures of its own than in common: it would be encoded after them, and another thread can do it beside them.
/// `places`: of the clips that wait, by their starts.
pub(super) fn choose(places: &[Place], limits: Limits) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    let mut reach = 0_usize;
    for (number, place) in places.iter().enumerate() {
        let in_common = reach.saturating_sub(place.pictures.start);
        let has_more = in_common < place.pictures.len().div_ceil(2);
        let is_left = in_common == 0 || chosen.len() >= limits.most || chosen.len() >= limits.share && has_more;
        if !chosen.is_empty() && is_left {
            break;
        }
        let together = chosen.iter().map(|&other| &places[other]).chain([place]);
        if chosen.is_empty() || most_at_once(together.map(|place| &place.ticks)) <= limits.open {
            chosen.push(number);
            reach = reach.max(place.pictures.end);
        }
    }
    chosen
}

/// How many of these clips are under way at a time, at most.
pub(super) fn most_at_once<'a>(clips: impl Iterator<Item = &'a Range<i64>>) -> usize {
    let clips: Vec<&Range<i64>> = clips.collect();
    let at_start = |clip: &Range<i64>| clips.iter().filter(|other| other.contains(&clip.start)).count();
    clips.iter().map(|clip| at_start(clip)).max().unwrap_or(0)
}

/// What a reading has and may come to need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// Encoders that are open for it.
    pub(super) open: usize,
    /// More that it needs at once, at most, before it can let go of these.
    pub(super) more: usize,
}

/// Whether all can come to their ends with so many encoders that are not open, one after another if need be: otherwise each might
/// wait for an encoder that another one has.
pub(super) fn is_safe(mut free: usize, mut claims: Vec<Claim>) -> bool {
    claims.sort_by_key(|claim| claim.more);
    claims.iter().all(|claim| {
        let ends = claim.more <= free;
        free += claim.open;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clips in groups of ten pictures, a tick each.
    fn places(clips: &[Range<i64>]) -> Vec<Place> {
        let place = |ticks: &Range<i64>| Place {
            pictures: usize::try_from(ticks.start / 10 * 10).unwrap()..usize::try_from(ticks.end).unwrap(),
            ticks: ticks.clone(),
        };
        clips.iter().map(place).collect()
    }

    fn limits(open: usize, share: usize, most: usize) -> Limits {
        Limits { open, share, most }
    }

    #[test]
    fn clips_that_share_a_group_are_read_together() {
        assert_eq!(choose(&places(&[5..25, 15..35, 41..50]), limits(9, 9, 9)), [0, 1]);
        // They have no picture in common, and one group.
        assert_eq!(choose(&places(&[5..12, 17..25, 28..29, 30..35]), limits(9, 9, 9)), [0, 1, 2]);
        assert_eq!(choose(&places(&[5..20, 20..25]), limits(9, 9, 9)), [0]);
        assert_eq!(choose(&places(&[]), limits(9, 9, 9)), [0; 0]);
    }

    #[test]
    fn no_more_are_chosen_than_may_be_open_at_once_and_others_are_left() {
        let clips = places(&[0..30, 5..15, 6..16, 16..26, 17..27]);
        assert_eq!(choose(&clips, limits(2, 9, 9)), [0, 1, 3]);
        assert_eq!(choose(&clips, limits(3, 9, 9)), [0, 1, 2, 3, 4]);
        assert_eq!(choose(&clips, limits(9, 2, 2)), [0, 1]);
        assert_eq!(choose(&clips, limits(1, 9, 9)), [0]);
    }

    #[test]
    fn beyond_a_share_clips_with_more_of_their_own_than_in_common_are_left() {
        // One behind the other, and overlapping a little.
        assert_eq!(choose(&places(&[5..35, 36..65, 66..95]), limits(3, 1, 9)), [0]);
        assert_eq!(choose(&places(&[5..35, 33..65, 58..95, 88..120]), limits(3, 2, 9)), [0, 1]);
        assert_eq!(choose(&places(&[5..35, 33..65, 58..95, 88..120]), limits(3, 4, 9)), [0, 1, 2, 3]);
        // Overlapping by much, and in one group to the end.
        assert_eq!(choose(&places(&[5..35, 15..45, 25..50]), limits(3, 1, 9)), [0, 1, 2]);
        assert_eq!(choose(&places(&[1..4, 5..7, 8..9]), limits(3, 1, 9)), [0, 1, 2]);
    }

    #[test]
    fn readings_that_wait_for_each_other_are_not_begun() {
        let claims = |claims: &[(usize, usize)]| claims.iter().map(|&(open, more)| Claim { open, more }).collect();
        assert!(is_safe(1, claims(&[(1, 1), (1, 1)])), "one ends with the third encoder, and then the other");
        assert!(!is_safe(0, claims(&[(1, 1), (1, 1)])));
        assert!(is_safe(0, claims(&[(2, 0), (1, 2)])));
        assert!(!is_safe(1, claims(&[(1, 2), (1, 2)])));
    }
}
