//! Makes sample games that can prove a pipeline right: what a play's label means is visible only in its own frames.
//!
//! A bright orange disc stands in one of six zones of the pitch. While a play runs, the zone is the one that its label
//! has from that camera angle; between plays the disc jumps about in zones of other labels. So a model that learned from
//! these clips is right only if clips begin and end on the right frames, come from the right game and angle, and carry
//! the right label. Nothing else in the pictures differs between angles.
//!
//! The same recipe gives the same bytes. Knows nothing of pipelines, stages or stores.

mod dice;

mod plays;
mod zones;

mod film;
mod noise;
mod scene;
mod sound;

mod database;
mod stamp;

mod generate;

pub use generate::{Recipe, Summary, TestdataError, generate};
pub use noise::{NOISE_FPS, NOISE_GROUP, noise};
pub use plays::{Label, Play, plays_of};
pub use zones::{Angle, Zone, zone_of};
