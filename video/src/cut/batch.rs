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

/// The clips to be read together with the first one: each shares a group with one before it. No more than `most_open` are under way at
/// a time, and no more than `most` are chosen: others are left for other threads. `places`: of the clips that wait, by their starts.
pub(super) fn choose(places: &[Place], most_open: usize, most: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    let mut reach = 0;
    for (number, place) in places.iter().enumerate() {
        if !chosen.is_empty() && (chosen.len() >= most || place.pictures.start >= reach) {
            break;
        }
        let together = chosen.iter().map(|&other| &places[other]).chain([place]);
        if chosen.is_empty() || most_at_once(together.map(|place| &place.ticks)) <= most_open {
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

    #[test]
    fn clips_that_share_a_group_are_read_together() {
        assert_eq!(choose(&places(&[5..25, 15..35, 41..50]), 9, 9), [0, 1]);
        // They have no picture in common, and one group.
        assert_eq!(choose(&places(&[5..12, 17..25, 28..29, 30..35]), 9, 9), [0, 1, 2]);
        assert_eq!(choose(&places(&[5..20, 20..25]), 9, 9), [0]);
        assert_eq!(choose(&places(&[]), 9, 9), [0; 0]);
    }

    #[test]
    fn no_more_are_chosen_than_may_be_open_at_once_and_others_are_left() {
        let clips = places(&[0..30, 5..15, 6..16, 16..26, 17..27]);
        assert_eq!(choose(&clips, 2, 9), [0, 1, 3]);
        assert_eq!(choose(&clips, 3, 9), [0, 1, 2, 3, 4]);
        assert_eq!(choose(&clips, 9, 2), [0, 1]);
        assert_eq!(choose(&clips, 1, 9), [0]);
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
