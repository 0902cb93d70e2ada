//! Boxes and the lines between them -> layers: lines lead from one layer to the next, with as few crossings as a
//! few sweeps find. A line that passes a layer gets a knot there, so that room is kept for it between the boxes.
//!
//! The usual way to draw a directed graph (Sugiyama, Tagawa, Toda 1981), without its first step: plans have no cycles.

use std::collections::BTreeSet;

/// How often the layers are put in order; after this many sweeps pictures of pipelines no longer change.
const SWEEPS: usize = 12;

/// Where boxes and lines stand relative to each other.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// The knots of each layer, in order.
    pub(super) layers: Vec<Vec<usize>>,
    /// The layer of each knot. The first knots are the boxes, under their own numbers; the others are places where
    /// lines pass.
    pub(super) layer_of: Vec<usize>,
    /// Pairs of knots in neighbouring layers that are joined.
    pub(super) links: Vec<(usize, usize)>,
    /// The knots each line goes through, from its first box to its last.
    pub(super) routes: Vec<Vec<usize>>,
}

impl Layers {
    /// Puts boxes into layers. Each line leads from a box to one with a higher number.
    pub(super) fn of(boxes: usize, lines: &[(usize, usize)]) -> Self {
        let mut found = Self { layer_of: depths(boxes, lines), ..Self::default() };
        found.route(lines);
        let count = found.layer_of.iter().map(|layer| layer + 1).max().unwrap_or(0);
        found.layers = vec![Vec::new(); count];
        for (knot, layer) in found.layer_of.iter().enumerate() {
            found.layers[*layer].push(knot);
        }
        found.untangle();
        found
    }

    /// Lines from one box share their knots: they part as late as they can.
    fn route(&mut self, lines: &[(usize, usize)]) {
        let boxes = self.layer_of.len();
        let mut trunks: Vec<Vec<usize>> = vec![Vec::new(); boxes];
        let mut links = BTreeSet::new();
        for (from, to) in lines {
            let passed = self.layer_of[*to] - self.layer_of[*from] - 1;
            while trunks[*from].len() < passed {
                trunks[*from].push(self.layer_of.len());
                self.layer_of.push(self.layer_of[*from] + trunks[*from].len());
            }
            let knots = trunks[*from].iter().take(passed).copied();
            let route: Vec<usize> = std::iter::once(*from).chain(knots).chain([*to]).collect();
            links.extend(route.windows(2).map(|pair| (pair[0], pair[1])));
            self.routes.push(route);
        }
        self.links = links.into_iter().collect();
    }

    /// Sorts each layer by where its neighbours stand in the layer before, then in the one after, again and again, and
    /// keeps the order with the fewest crossings.
    fn untangle(&mut self) {
        let (before, after) = self.neighbours();
        let mut best = (self.crossings(&before), self.layers.clone());
        for sweep in 0..SWEEPS {
            if best.0 == 0 {
                break;
            }
            let forward = sweep % 2 == 0;
            let count = self.layers.len();
            for step in 1..count {
                let layer = if forward { step } else { count - 1 - step };
                self.sort(layer, if forward { &before } else { &after });
            }
            let crossings = self.crossings(&before);
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    fn sort(&mut self, layer: usize, neighbours: &[Vec<usize>]) {
        let place = self.places();
        let wanted = |knot: usize| match neighbours[knot].as_slice() {
            [] => place[knot] as f64,
            near => near.iter().map(|n| place[*n] as f64).sum::<f64>() / near.len() as f64,
        };
        self.layers[layer].sort_by(|a, b| wanted(*a).total_cmp(&wanted(*b)));
    }

    /// Of each knot those it is joined with in the layer before, and in the one after.
    pub(super) fn neighbours(&self) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let mut before = vec![Vec::new(); self.layer_of.len()];
        let mut after = before.clone();
        for (from, to) in &self.links {
            after[*from].push(*to);
            before[*to].push(*from);
        }
        (before, after)
    }

    /// Where each knot stands in its layer.
    fn places(&self) -> Vec<usize> {
        let mut place = vec![0; self.layer_of.len()];
        for layer in &self.layers {
            layer.iter().enumerate().for_each(|(at, knot)| place[*knot] = at);
        }
        place
    }

    /// How many pairs of links cross: the pairs that are in one order on the left and in the other on the right.
    fn crossings(&self, before: &[Vec<usize>]) -> usize {
        let place = self.places();
        self.layers
            .windows(2)
            .map(|pair| {
                let mut seen = Ranks::new(pair[0].len());
                let mut found = 0;
                for knot in &pair[1] {
                    let near = before[*knot].iter().map(|n| place[*n]);
                    found += near.clone().map(|at| seen.above(at)).sum::<usize>();
                    near.for_each(|at| seen.add(at));
                }
                found
            })
            .sum()
    }
}

/// The layer of each box: as far to the left as its inputs allow, and a box without inputs beside the first that
/// needs it.
fn depths(boxes: usize, lines: &[(usize, usize)]) -> Vec<usize> {
    let mut depth = vec![0; boxes];
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); boxes];
    for (from, to) in lines {
        debug_assert!(from < to, "lines lead forward");
        needs[*to].push(*from);
    }
    for place in 0..boxes {
        depth[place] = needs[place].iter().map(|need| depth[*need] + 1).max().unwrap_or(0);
    }
    let mut nearest = vec![usize::MAX; boxes];
    for (from, to) in lines {
        nearest[*from] = nearest[*from].min(depth[*to]);
    }
    for place in (0..boxes).filter(|place| needs[*place].is_empty() && nearest[*place] != usize::MAX) {
        depth[place] = nearest[place] - 1;
    }
    depth
}

/// Counts numbers that were added, by rank (a Fenwick tree).
struct Ranks {
    sums: Vec<usize>,
    all: usize,
}

impl Ranks {
    fn new(size: usize) -> Self {
        Self { sums: vec![0; size + 1], all: 0 }
    }

    fn add(&mut self, number: usize) {
        self.all += 1;
        let mut at = number + 1;
        while at < self.sums.len() {
            self.sums[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    /// How many of the added numbers are greater.
    fn above(&self, number: usize) -> usize {
        let (mut at, mut not_above) = (number + 1, 0);
        while at > 0 {
            not_above += self.sums[at];
            at -= at & at.wrapping_neg();
        }
        self.all - not_above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_stands_behind_all_it_needs_and_a_long_line_keeps_room_in_the_layer_it_passes() {
        let layers = Layers::of(3, &[(0, 1), (1, 2), (0, 2)]);
        assert_eq!(layers.layer_of, [0, 1, 2, 1]);
        assert_eq!(layers.routes, [vec![0, 1], vec![1, 2], vec![0, 3, 2]]);
    }

    #[test]
    fn a_box_without_inputs_stands_beside_the_first_that_needs_it() {
        assert_eq!(Layers::of(4, &[(0, 1), (1, 3), (2, 3)]).layer_of, [0, 1, 1, 2]);
    }

    #[test]
    fn lines_that_need_not_cross_do_not() {
        // Four parallel lines, written down in the other order on the right.
        let layers = Layers::of(8, &[(0, 7), (1, 6), (2, 5), (3, 4)]);
        let (before, _) = layers.neighbours();
        assert_eq!(layers.crossings(&before), 0);
    }

    #[test]
    fn lines_of_one_box_share_their_way() {
        // 0 -> 1 -> 2 -> 3, and 0 reaches 2 and 3 directly as well.
        let layers = Layers::of(4, &[(0, 1), (1, 2), (2, 3), (0, 2), (0, 3)]);
        assert_eq!(layers.routes[3..], [vec![0, 4, 2], vec![0, 4, 5, 3]]);
    }
}
