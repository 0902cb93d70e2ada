//! Turns the `trainer = { type = "builtin", ... }` table into checked numbers for training.
//! Knows what each number may be; knows nothing of data or networks.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the built-in trainer learns. Every field has a default that suits a few hundred short clips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many times every training clip is seen.
    pub epochs: NonZeroU32,
    /// How many clips one step of the optimiser looks at.
    pub batch: NonZeroU32,
    /// Step size of AdamW at the start; it falls to zero along half a cosine. Above 0 and at most 1.
    pub learning_rate: f64,
    /// Decoupled weight decay of AdamW, from 0 to 1.
    pub weight_decay: f64,
    /// Decides the first weights, the order of the clips and the shifts: the same seed gives the same model.
    pub seed: u64,
    /// Shifts training clips by up to two pixels. Clips are never mirrored, since left and right are different plays.
    pub augment: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            epochs: NonZeroU32::new(12).expect("12 is not zero"),
            batch: NonZeroU32::new(16).expect("16 is not zero"),
            learning_rate: 0.003,
            weight_decay: 0.01,
            seed: 0,
            augment: true,
        }
    }
}

/// A number in the settings that no training can work with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{field}` is {value}, but it must be {allowed}: change it in the stage's `trainer` table")]
pub struct SettingsError {
    /// The key in the `trainer` table.
    pub field: &'static str,
    /// What was written there.
    pub value: f64,
    /// What may be written there.
    pub allowed: &'static str,
}

impl Settings {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`SettingsError`] names the first field that is out of range (or not a number).
    pub fn check(&self) -> Result<(), SettingsError> {
        let fail = |field, value, allowed| Err(SettingsError { field, value, allowed });
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            return fail("learning_rate", self.learning_rate, "above 0 and at most 1");
        }
        if !(0.0..=1.0).contains(&self.weight_decay) {
            return fail("weight_decay", self.weight_decay, "from 0 to 1");
        }
        Ok(())
    }
}
