//! Places elsewhere, held against stand-ins for them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers as well")]

#[cfg(feature = "cloud")]
mod bench;
#[cfg(feature = "cloud")]
mod cloud_run;
#[cfg(feature = "cloud")]
mod images;
#[cfg(feature = "cloud")]
mod vertex;
#[cfg(feature = "cloud")]
mod vertex_tuning;
