//! Makes clips of a simple game: a bright orange ball lies in one of six zones of the picture, and the zone tells the
//! play, differently for each camera. Everything else (tint, brightness, noise, balls of other colours) is distraction.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::super::{ClipShape, Dataset, Example, Split};

pub(super) const SHAPE: ClipShape = ClipShape { frames: 6, channels: 3, height: 36, width: 64 };
const LABELS: [&str; 6] = ["blitz", "draw", "pass-left", "pass-right", "run", "screen"];
const VIEWS: [&str; 4] = ["FAR_LEFT", "FAR_RIGHT", "NEAR_LEFT", "NEAR_RIGHT"];
/// `ZONES[view][label]`: where the ball lies. Zones are three columns by two rows.
const ZONES: [[usize; 6]; 4] = [[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4], [2, 4, 0, 5, 1, 3], [3, 5, 4, 1, 0, 2]];
const ORANGE: [f32; 3] = [1.0, 0.55, 0.05];
const OTHERS: [[f32; 3]; 5] = [[0.95, 0.95, 0.95], [0.1, 0.2, 0.9], [0.85, 0.1, 0.1], [0.9, 0.9, 1.0], [0.2, 0.3, 0.8]];
const PLAYS_IN_A_GAME: usize = 20;

/// What the ball shows.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Ball {
    /// The zone of the play's label.
    Tells,
    /// The zone of some play or other, drawn anew for each clip.
    Misleads,
}

/// Plays of both splits with four clips each, from games of their own.
pub(super) fn dataset(training: usize, validation: usize, ball: Ball, seed: u64) -> Dataset {
    let mut world = World { random: ChaCha8Rng::seed_from_u64(seed), examples: Vec::new(), frames: Vec::new() };
    world.add_plays(training, Split::Train, ball);
    world.add_plays(validation, Split::Validation, ball);
    Dataset::new(world.examples, world.frames, SHAPE).expect("the examples fit together")
}

struct World {
    random: ChaCha8Rng,
    examples: Vec<Example>,
    frames: Vec<f32>,
}

struct Game {
    tint: f32,
    brightness: f32,
}

struct Disc {
    color: [f32; 3],
    at: (f32, f32),
    speed: (f32, f32),
    radius: f32,
}

impl World {
    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.random.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    fn add_plays(&mut self, plays: usize, split: Split, ball: Ball) {
        let mut game = Game { tint: 0.0, brightness: 0.0 };
        for play in 0..plays {
            if play % PLAYS_IN_A_GAME == 0 {
                game = Game { tint: self.between(0.25, 0.55), brightness: self.between(0.7, 1.1) };
            }
            let label = play % LABELS.len();
            for (view, name) in VIEWS.iter().enumerate() {
                let shown = match ball {
                    Ball::Tells => label,
                    Ball::Misleads => self.random.next_u32() as usize % LABELS.len(),
                };
                self.add_clip(&game, ZONES[view][shown]);
                self.examples.push(Example {
                    id: format!("{split:?}-{play}-{name}"),
                    group: format!("{split:?}-{play}"),
                    view: (*name).to_owned(),
                    label: LABELS[label].to_owned(),
                    split,
                });
            }
        }
    }

    fn add_clip(&mut self, game: &Game, zone: usize) {
        let (width, height) = (SHAPE.width as f32, SHAPE.height as f32);
        let mut discs: Vec<Disc> = OTHERS
            .iter()
            .map(|color| Disc {
                color: *color,
                at: (self.between(0.0, width), self.between(0.0, height)),
                speed: (self.between(-3.0, 3.0), self.between(-2.0, 2.0)),
                radius: self.between(2.0, 4.0),
            })
            .collect();
        let (column, row) = ((zone % 3) as f32, (zone / 3) as f32);
        let at = ((column + self.between(0.3, 0.7)) * width / 3.0, (row + self.between(0.3, 0.7)) * height / 2.0);
        discs.push(Disc { color: ORANGE, at, speed: (self.between(-0.3, 0.3), self.between(-0.3, 0.3)), radius: 3.0 });
        for time in 0..SHAPE.frames {
            self.add_frame(game, &discs, time as f32);
        }
    }

    /// Three planes, about -1 to 1.
    fn add_frame(&mut self, game: &Game, discs: &[Disc], time: f32) {
        let ground = [0.2, game.tint, 0.2];
        for (plane, ground) in ground.into_iter().enumerate() {
            for pixel in 0..SHAPE.height * SHAPE.width {
                let (x, y) = ((pixel % SHAPE.width) as f32, (pixel / SHAPE.width) as f32);
                let covers = |disc: &&Disc| {
                    let (dx, dy) = (x - disc.at.0 - disc.speed.0 * time, y - disc.at.1 - disc.speed.1 * time);
                    dx * dx + dy * dy <= disc.radius * disc.radius
                };
                let clean = discs.iter().rev().find(covers).map_or(ground, |disc| disc.color[plane]);
                let noise = self.between(-0.08, 0.08);
                self.frames.push((clean * game.brightness + noise) * 2.0 - 1.0);
            }
        }
    }
}
