//! Google's services on loopback, for tests and for a demonstration without an account. Each request is held against
//! Google's own published definitions before anything is done, so what is accepted here has the form that Google accepts;
//! what a service then does is our reading of its pages. It can be told to misbehave.
//!
//! Nothing that was asked for is passed over: what the definitions know and the stand-in does not do is answered with 501.

mod answer;
mod definitions;
mod mischief;

mod call;
mod pages;
mod route;
mod tokens;

mod process;

mod doors;
mod ear;
mod machine;

mod registry;

mod secrets;

mod jobs;
mod storage;
mod vertex;

mod control;
mod server;

pub use definitions::{Definitions, DefinitionsError};
pub use mischief::{Asked, Fault};
pub use server::{Standin, StandinError};
