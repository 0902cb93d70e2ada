//! What Google's services have in common: where they are reached, how their refusals are read, what their labels take.

#[cfg(feature = "cloud")]
mod client;
#[cfg(feature = "cloud")]
pub(crate) mod code;
#[cfg(feature = "cloud")]
mod doubles;
mod endpoint;
#[cfg(feature = "cloud")]
mod errors;
#[cfg(feature = "cloud")]
mod labels;
#[cfg(feature = "cloud")]
mod pins;
#[cfg(feature = "cloud")]
mod registry;
#[cfg(feature = "cloud")]
mod secret;
#[cfg(feature = "cloud")]
mod secret_there;

#[cfg(feature = "cloud")]
pub(crate) use client::{of_region, once};
#[cfg(feature = "cloud")]
pub(crate) use doubles::{Doubts, age, ran_ms};
pub(crate) use endpoint::check_endpoint;
#[cfg(feature = "cloud")]
pub(crate) use endpoint::is_on_loopback;
#[cfg(feature = "cloud")]
pub(crate) use errors::{Service, failed, is_missing, more_quota, no_client, says_no_machine, says_quota};
#[cfg(feature = "cloud")]
pub(crate) use labels::{about, labels};
#[cfg(feature = "cloud")]
pub(crate) use pins::Pins;
#[cfg(feature = "cloud")]
pub(crate) use registry::image_there;
#[cfg(feature = "cloud")]
pub use secret::fetch_secret;
#[cfg(feature = "cloud")]
pub(crate) use secret_there::secrets_there;

/// Where jobs are.
#[cfg(feature = "cloud")]
#[derive(Clone, Debug)]
pub(crate) struct Where {
    pub(crate) project: String,
    pub(crate) region: String,
}

#[cfg(feature = "cloud")]
impl std::fmt::Display for Where {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "projects/{}/locations/{}", self.project, self.region)
    }
}

/// Chooses what encrypts. Somebody in this process may have chosen before, which serves as well.
#[cfg(feature = "cloud")]
pub(crate) fn choose_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
