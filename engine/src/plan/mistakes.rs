//! What is wrong with the cells of one stage -> each mistake once, however many cells make it.

use crate::text::{Diagnostic, Span};
use std::collections::HashMap;

/// After so many cells that are wrong, the others are not looked at.
const ENOUGH: usize = 1000;

/// The mistakes of a stage's cells so far.
#[derive(Default)]
pub(super) struct Mistakes {
    cells: usize,
    found: Vec<Mistake>,
    /// The place of each in `found`: one mistake is one code at one place.
    places: HashMap<(&'static str, Span), usize>,
}

struct Mistake {
    first: Diagnostic,
    /// How many cells make it in other words, since their values are others.
    others: usize,
}

impl Mistakes {
    /// Takes what is wrong with one cell.
    pub(super) fn take(&mut self, problems: Vec<Diagnostic>) {
        self.cells += 1;
        for problem in problems {
            let place = *self.places.entry((problem.code, problem.span())).or_insert(self.found.len());
            match self.found.get_mut(place) {
                Some(known) => known.others += usize::from(known.first.message != problem.message),
                None => self.found.push(Mistake { first: problem, others: 0 }),
            }
        }
    }

    /// Whether there is no point in looking for more.
    pub(super) fn are_enough(&self) -> bool {
        self.cells >= ENOUGH
    }

    /// Each mistake once, and how many more there are like it.
    pub(super) fn told(self) -> impl Iterator<Item = Diagnostic> {
        let at_least = if self.are_enough() { "at least " } else { "" };
        self.found.into_iter().map(move |Mistake { first, others }| match others {
            0 => first,
            n => Diagnostic { message: format!("{}, and {at_least}{n} more like it", first.message), ..first },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(message: &str, at: usize) -> Vec<Diagnostic> {
        vec![Diagnostic::error("P0000", message, at..at + 1, "")]
    }

    fn told(mistakes: Mistakes) -> Vec<String> {
        mistakes.told().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_mistake_of_many_cells_is_told_once_with_their_number() {
        let mut mistakes = Mistakes::default();
        for message in ["`argv[0]` is 0", "`argv[0]` is 1", "`argv[0]` is 2"] {
            mistakes.take(problem(message, 7));
        }
        mistakes.take(problem("`size` is wrong", 9));
        mistakes.take(problem("`size` is wrong", 9));
        assert_eq!(told(mistakes), ["`argv[0]` is 0, and 2 more like it", "`size` is wrong"]);
    }

    #[test]
    fn after_a_thousand_cells_that_are_wrong_nobody_needs_to_see_the_rest() {
        let mut mistakes = Mistakes::default();
        let looked_at = (0..5000).take_while(|n| {
            mistakes.take(problem(&format!("{n}"), 0));
            !mistakes.are_enough()
        });
        assert_eq!(looked_at.count(), 999);
        assert_eq!(told(mistakes), ["0, and at least 999 more like it"]);
    }
}
