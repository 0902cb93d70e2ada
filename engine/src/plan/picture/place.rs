//! Layers -> coordinates. `along` is the way the lines go, `across` the other; neither knows left from up.

use super::layers::Layers;

/// How often the layers are shifted towards each other.
const SWEEPS: usize = 24;
/// Room between two things in one layer.
const APART: f64 = 16.0;
/// What a passing line takes of its layer.
const LINE: f64 = 2.0;
/// How strongly the parts of a passing line hold together; boxes do by their size.
const STRAIGHT: f64 = 500.0;
/// Room between layers: the least, the most, and what is added for each point that a line must climb.
const BETWEEN: (f64, f64) = (44.0, 180.0);
const CLIMB: f64 = 0.16;

/// How much room something takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    pub(super) along: f64,
    pub(super) across: f64,
}

/// Where everything stands. Nothing has a negative coordinate.
#[derive(Debug)]
pub(super) struct Placed {
    /// The middle of each knot, across.
    pub(super) middle: Vec<f64>,
    /// Where each layer begins and ends, along.
    pub(super) spans: Vec<(f64, f64)>,
    /// The size of it all.
    pub(super) whole: Size,
}

/// Finds a place for every box and every passing line. Boxes of one layer never meet: they lie apart across.
pub(super) fn place(layers: &Layers, sizes: &[Size]) -> Placed {
    let across = |knot: usize| sizes.get(knot).map_or(LINE, |size| size.across);
    let mut middle = stacked(layers, &across);
    let (before, after) = layers.neighbours();
    let count = layers.layers.len();
    for sweep in 0..SWEEPS {
        for step in 0..count {
            // There and back, and at last with an eye on both sides.
            let (layer, sides): (usize, &[&Vec<Vec<usize>>]) = match sweep {
                _ if sweep + 2 >= SWEEPS => (step, &[&before, &after]),
                _ if sweep % 2 == 0 => (step, &[&before]),
                _ => (count - 1 - step, &[&after]),
            };
            shift(&layers.layers[layer], sides, sizes.len(), &across, &mut middle);
        }
    }
    let top = (0..middle.len()).map(|knot| middle[knot] - across(knot) / 2.0).fold(f64::INFINITY, f64::min);
    middle.iter_mut().for_each(|middle| *middle = (*middle - top).round());
    let bottom = (0..middle.len()).map(|knot| middle[knot] + across(knot) / 2.0).fold(0.0, f64::max);
    let spans = spans(layers, sizes, &middle);
    let along = spans.last().map_or(0.0, |span| span.1);
    Placed { middle, spans, whole: Size { along, across: bottom } }
}

/// Each layer by itself, one thing after the other, around a common middle.
fn stacked(layers: &Layers, across: &impl Fn(usize) -> f64) -> Vec<f64> {
    let mut middle = vec![0.0; layers.layer_of.len()];
    for layer in &layers.layers {
        let height: f64 = layer.iter().map(|knot| across(*knot) + APART).sum();
        let mut at = -height / 2.0;
        for knot in layer {
            middle[*knot] = at + across(*knot) / 2.0;
            at += across(*knot) + APART;
        }
    }
    middle
}

/// Moves the things of one layer as near to their neighbours as their order and the room between them allow.
fn shift(
    layer: &[usize],
    sides: &[&Vec<Vec<usize>>],
    boxes: usize,
    across: &impl Fn(usize) -> f64,
    middle: &mut [f64],
) {
    let mut wanted = Vec::with_capacity(layer.len());
    for knot in layer {
        let (mut sum, mut weight) = (0.0, 0.0);
        for near in sides.iter().flat_map(|side| &side[*knot]) {
            // A passing line is to be straight. Of boxes, the large ones are to be level: many lines join them.
            let pull = match (*knot >= boxes, *near >= boxes) {
                (true, true) => STRAIGHT,
                (false, false) => across(*knot).min(across(*near)),
                _ => STRAIGHT / 4.0,
            };
            sum += pull * middle[*near];
            weight += pull;
        }
        let alone = weight == 0.0;
        wanted.push(if alone { (middle[*knot], 1.0) } else { (sum / weight, weight) });
    }
    let apart: Vec<f64> = layer.windows(2).map(|pair| (across(pair[0]) + across(pair[1])) / 2.0 + APART).collect();
    for (knot, at) in layer.iter().zip(settle(&wanted, &apart)) {
        middle[*knot] = at;
    }
}

/// The positions nearest to those that are wanted, each with its weight, that are at least `apart` from one to the
/// next. Least squares under an order: neighbours that would meet move together (pool adjacent violators).
fn settle(wanted: &[(f64, f64)], apart: &[f64]) -> Vec<f64> {
    let mut offsets = vec![0.0];
    for distance in apart {
        offsets.push(offsets[offsets.len() - 1] + distance);
    }
    // Of each pool: its position before the offsets, its weight, how many are in it.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for ((position, weight), offset) in wanted.iter().zip(&offsets) {
        let mut pool = (position - offset, *weight, 1);
        while let Some(before) = pools.pop_if(|before| before.0 > pool.0) {
            let weight = before.1 + pool.1;
            pool = ((before.0 * before.1 + pool.0 * pool.1) / weight, weight, before.2 + pool.2);
        }
        pools.push(pool);
    }
    let positions = pools.iter().flat_map(|(position, _, count)| std::iter::repeat_n(*position, *count));
    positions.zip(&offsets).map(|(position, offset)| position + offset).collect()
}

/// Where each layer begins and ends: as wide as its widest box, and the farther the lines between two layers climb,
/// the more room they get to do so.
fn spans(layers: &Layers, sizes: &[Size], middle: &[f64]) -> Vec<(f64, f64)> {
    let mut climb = vec![0.0_f64; layers.layers.len()];
    for (from, to) in &layers.links {
        let layer = layers.layer_of[*from];
        climb[layer] = climb[layer].max((middle[*from] - middle[*to]).abs());
    }
    let mut at = 0.0;
    let mut spans = Vec::new();
    for (layer, climb) in layers.layers.iter().zip(climb) {
        let thick = layer.iter().filter_map(|knot| sizes.get(*knot)).map(|size| size.along).fold(0.0, f64::max);
        spans.push((at, at + thick));
        at += thick + (BETWEEN.0 + CLIMB * climb).min(BETWEEN.1).round();
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_that_want_the_same_place_share_the_way_there() {
        assert_eq!(settle(&[(10.0, 1.0), (10.0, 1.0), (10.0, 1.0)], &[4.0, 4.0]), [6.0, 10.0, 14.0]);
        assert_eq!(settle(&[(0.0, 1.0), (10.0, 1.0)], &[4.0]), [0.0, 10.0], "those that do not meet stay");
        assert_eq!(settle(&[(10.0, 3.0), (10.0, 1.0)], &[4.0]), [9.0, 13.0], "the heavier one moves less");
    }

    #[test]
    fn a_chain_is_a_straight_line() {
        let layers = Layers::of(4, &[(0, 1), (1, 2), (2, 3)]);
        let placed = place(&layers, &[Size { along: 100.0, across: 40.0 }; 4]);
        assert_eq!(placed.middle, [20.0; 4]);
        assert_eq!(placed.whole.across, 40.0);
    }

    use proptest::prelude::*;

    /// Boxes of many sizes, and lines from lower to higher numbers.
    fn graphs() -> impl Strategy<Value = (Vec<Size>, Vec<(usize, usize)>)> {
        let size = (20_u32..300, 20_u32..300).prop_map(|(a, b)| Size { along: a.into(), across: b.into() });
        proptest::collection::vec(size, 2..24).prop_flat_map(|sizes| {
            let count = sizes.len();
            let line = (0..count, 0..count).prop_map(|(a, b)| (a.min(b), a.max(b)));
            let lines = proptest::collection::btree_set(line, 0..40);
            let lines = lines.prop_map(|lines| lines.into_iter().filter(|(a, b)| a != b).collect());
            (Just(sizes), lines)
        })
    }

    proptest! {
        #[test]
        fn no_two_things_in_a_layer_meet_and_layers_lie_apart((sizes, lines) in graphs()) {
            let layers = Layers::of(sizes.len(), &lines);
            let placed = place(&layers, &sizes);
            let across = |knot: usize| sizes.get(knot).map_or(LINE, |size| size.across);
            for layer in &layers.layers {
                for pair in layer.windows(2) {
                    let apart = placed.middle[pair[1]] - placed.middle[pair[0]] - (across(pair[0]) + across(pair[1])) / 2.0;
                    // Positions are rounded, each by half a point at most.
                    prop_assert!(apart >= APART - 1.0, "{apart}");
                }
            }
            for (knot, size) in sizes.iter().enumerate() {
                let (begin, end) = placed.spans[layers.layer_of[knot]];
                prop_assert!(end - begin >= size.along);
                prop_assert!(placed.middle[knot] - size.across / 2.0 >= -0.5);
                prop_assert!(placed.middle[knot] + size.across / 2.0 <= placed.whole.across + 0.5);
            }
            prop_assert!(placed.spans.windows(2).all(|pair| pair[1].0 >= pair[0].1 + BETWEEN.0));
        }

        #[test]
        fn every_line_leads_from_layer_to_layer((sizes, lines) in graphs()) {
            let layers = Layers::of(sizes.len(), &lines);
            for (line, route) in lines.iter().zip(&layers.routes) {
                prop_assert_eq!((route[0], route[route.len() - 1]), *line);
                prop_assert!(route.windows(2).all(|pair| layers.layer_of[pair[0]] + 1 == layers.layer_of[pair[1]]));
            }
        }
    }
}
