//! The sound of a game: a quiet hiss, and a short beep where a play begins.

use crate::dice::Dice;
use crate::plays::Play;

/// Samples a second.
pub(crate) const RATE: u32 = 16_000;
const BEEP_MS: u32 = 100;
/// Samples of one wave of the beep: 800 Hz. Whole numbers only, so no library's sine decides the bytes.
const WAVE: i32 = 20;

pub(crate) struct Sound<'a> {
    plays: &'a [Play],
    dice: Dice,
    sent: u32,
}

impl<'a> Sound<'a> {
    pub(crate) fn new(plays: &'a [Play], dice: Dice) -> Self {
        Sound { plays, dice, sent: 0 }
    }

    /// The samples from where the last call ended up to, and without, sample `until`.
    pub(crate) fn until(&mut self, until: u32) -> Vec<f32> {
        let samples = (self.sent..until).map(|at| {
            let hiss = self.dice.around(300) as f32 / 30_000.0;
            hiss + self.beep(at)
        });
        let samples = samples.collect();
        self.sent = until;
        samples
    }

    fn beep(&self, at: u32) -> f32 {
        let ms = at / (RATE / 1000);
        let beeps = self.plays.iter().any(|play| (play.start_ms..play.start_ms + BEEP_MS).contains(&ms));
        if beeps { ((at as i32 % WAVE) - WAVE / 2).abs() as f32 / WAVE as f32 - 0.25 } else { 0.0 }
    }
}
