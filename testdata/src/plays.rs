//! Turns a recipe into the plays of a game: labels that are balanced, times that lie beside frames.

use crate::dice::Dice;
use crate::generate::Recipe;

/// What happens in a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the domain's own")]
pub enum Label {
    RunLeft,
    RunMiddle,
    RunRight,
    PassLeft,
    PassMiddle,
    PassRight,
}

impl Label {
    /// Every label.
    pub const ALL: [Label; 6] =
        [Label::RunLeft, Label::RunMiddle, Label::RunRight, Label::PassLeft, Label::PassMiddle, Label::PassRight];

    /// The name, as the database carries it.
    pub fn name(self) -> &'static str {
        match self {
            Label::RunLeft => "RUN_LEFT",
            Label::RunMiddle => "RUN_MIDDLE",
            Label::RunRight => "RUN_RIGHT",
            Label::PassLeft => "PASS_LEFT",
            Label::PassMiddle => "PASS_MIDDLE",
            Label::PassRight => "PASS_RIGHT",
        }
    }
}

/// One play of a game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play {
    /// Such as `g1-p07`, numbered from 1.
    pub id: String,
    /// Such as `g1`.
    pub game_id: String,
    /// What happens.
    pub label: Label,
    /// Milliseconds after the video's first frame; the play's first moment.
    pub start_ms: u32,
    /// The first moment after the play.
    pub end_ms: u32,
}

/// Milliseconds before the first play, and from one play to the next.
const LEAD_MS: u32 = 1000;
const STEP_MS: u32 = 2000;

/// Milliseconds a video needs for its plays, with a second of decoys after the last.
pub(crate) fn needed_ms(plays: u32) -> u32 {
    LEAD_MS + plays * STEP_MS + 1000
}

/// The plays of a game in order of time. `game`: its number, from 1.
pub fn plays_of(recipe: &Recipe, game: u32) -> Vec<Play> {
    let mut dice = Dice::new(recipe.seed, [1, u64::from(game), 0]);
    let labels = labels(recipe.plays, &mut dice);
    let play = |(i, label): (u32, Label)| {
        let start_ms = LEAD_MS + STEP_MS * i + dice.between(0, 151);
        let end_ms = start_ms + dice.between(1300, 1501);
        Play { id: format!("g{game}-p{:02}", i + 1), game_id: format!("g{game}"), label, start_ms, end_ms }
    };
    (0..).zip(labels).map(play).collect()
}

/// Labels in random order, each as often as the others, give or take one, and never twice in a row.
fn labels(count: u32, dice: &mut Dice) -> Vec<Label> {
    let mut kinds = Label::ALL;
    dice.shuffle(&mut kinds);
    let mut labels: Vec<Label> = kinds.into_iter().cycle().take(count as usize).collect();
    // About one order in twenty has no neighbours alike; with fewer plays than labels, every order has.
    loop {
        dice.shuffle(&mut labels);
        if labels.windows(2).all(|pair| pair[0] != pair[1]) {
            return labels;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_balanced_within_a_game_and_neighbours_differ() {
        let recipe = Recipe::default();
        for game in 1..=recipe.games {
            let plays = plays_of(&recipe, game);
            assert_eq!(plays.len(), 20);
            assert!(plays.windows(2).all(|pair| pair[0].label != pair[1].label), "g{game}");
            for label in Label::ALL {
                let count = plays.iter().filter(|play| play.label == label).count();
                assert!((3..=4).contains(&count), "g{game} has {label:?} {count} times");
            }
        }
    }

    #[test]
    fn no_two_games_have_the_same_order_of_labels() {
        let recipe = Recipe::default();
        let order = |game| plays_of(&recipe, game).iter().map(|play| play.label).collect::<Vec<_>>();
        for game in 2..=recipe.games {
            assert!((1..game).all(|other| order(other) != order(game)), "g{game}");
        }
    }

    #[test]
    fn plays_have_room_around_them_and_most_begin_beside_a_frame() {
        let recipe = Recipe::default();
        let plays: Vec<Play> = (1..=recipe.games).flat_map(|game| plays_of(&recipe, game)).collect();
        assert_eq!(plays.len(), 160);
        assert!(plays.iter().all(|play| (1300..=1500).contains(&(play.end_ms - play.start_ms))));
        let gaps = plays.windows(2).filter(|pair| pair[0].game_id == pair[1].game_id);
        assert!(gaps.map(|pair| pair[1].start_ms - pair[0].end_ms).all(|gap| gap >= 300));
        let on_a_frame = plays.iter().filter(|play| play.start_ms * recipe.fps % 1000 == 0).count();
        assert!(on_a_frame < 16, "{on_a_frame} of 160 plays begin on a frame");
    }
}
