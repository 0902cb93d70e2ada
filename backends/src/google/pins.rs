//! The tag of an image -> the digest that it had when it was first asked for, so that all jobs of a run are of the same program,
//! whatever is pushed under that tag meanwhile.

use super::registry::{Pinned, pinned};
use pipe_engine::attempt::Attempt;
use std::collections::BTreeMap;
use tokio::sync::Mutex;

/// Images under their digests, by the names that specs have for them.
#[derive(Default)]
pub(crate) struct Pins(Mutex<BTreeMap<String, String>>);

impl Pins {
    /// An attempt whose image, or else this one, has its digest in its name. `endpoint`: where the service is asked that is to fetch
    /// it.
    pub(crate) async fn pin(&self, attempt: &Attempt, usual: Option<&str>, endpoint: Option<&str>) -> Attempt {
        let mut attempt = attempt.clone();
        let provision = attempt.provision.get_or_insert_default();
        if let Some(image) = provision.image.as_deref().or(usual) {
            provision.image = Some(self.pinned(image, endpoint).await);
        }
        attempt
    }

    /// Others wait for the first who asks. Where a registry tells nothing, the service that fetches the image takes the tag for what
    /// it is then.
    async fn pinned(&self, image: &str, endpoint: Option<&str>) -> String {
        let mut known = self.0.lock().await;
        if let Some(known) = known.get(image) {
            return known.clone();
        }
        match pinned(image, endpoint).await {
            Pinned::As(digest) => {
                tracing::info!(image, digest, "jobs get the image that its tag stands for now");
                known.insert(image.to_owned(), digest.clone());
                digest
            }
            Pinned::Closed => {
                tracing::debug!(image, "which image its tag stands for is not told");
                known.insert(image.to_owned(), image.to_owned());
                image.to_owned()
            }
            Pinned::Unknown => image.to_owned(),
        }
    }
}
