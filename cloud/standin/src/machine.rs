//! What all containers share: where they print, what images begin with, and how long a process has between two signals.

use crate::doors::Doors;
use crate::process::texts;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};
use tempfile::TempDir;

/// The machine that containers run on.
#[derive(Clone)]
pub(crate) struct Machine(Arc<Shared>);

struct Shared {
    folder: TempDir,
    doors: Doors,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What an image has for an entry point.
    images: BTreeMap<String, Vec<String>>,
    /// What was said of the time between two signals.
    grace: Option<Duration>,
}

impl Machine {
    pub(crate) fn new(doors: Doors) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("standin-logs-").tempdir()?;
        Ok(Self(Arc::new(Shared { folder, doors, state: Mutex::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom containers speak for.
    pub(crate) fn doors(&self) -> &Doors {
        &self.0.doors
    }

    /// From now on containers of this image begin with this program.
    pub(crate) fn image(&self, image: &str, entry_point: &[&str]) {
        let words = entry_point.iter().map(|word| (*word).to_owned()).collect();
        self.state().images.insert(image.to_owned(), words);
    }

    /// The digest of an image of this name, in whichever registry, by its tag or by that digest.
    pub(crate) fn digest(&self, name: &str, reference: &str) -> Option<String> {
        let state = self.state();
        let (_, found) =
            state.images.keys().filter_map(|image| Some((image, parts(image)?))).find(|(_, (_, known, tag))| {
                *known == name && (*tag == reference || digest(known, tag) == reference)
            })?;
        Some(digest(found.1, found.2))
    }

    /// From now on every process has so long between the first signal and the last.
    pub(crate) fn say_grace(&self, grace: Duration) {
        self.state().grace = Some(grace);
    }

    /// What was said of it, or else what the service gives.
    pub(crate) fn grace(&self, of_service: Duration) -> Duration {
        self.state().grace.unwrap_or(of_service)
    }

    /// The words of a container: its command, or what its image begins with, and its arguments.
    pub(crate) fn words(&self, image: &str, container: &Json) -> Result<Vec<String>, String> {
        let mut words = texts(&container["command"]);
        if words.is_empty() {
            words = self.entry_point(image).ok_or_else(|| format!("Image '{image}' not found."))?;
        }
        words.extend(texts(&container["args"]));
        Ok(words)
    }

    /// What an image begins with, by its name with its tag or its digest.
    fn entry_point(&self, image: &str) -> Option<Vec<String>> {
        let state = self.state();
        if let Some(words) = state.images.get(image) {
            return Some(words.clone());
        }
        let (wanted, its) = image.split_once('@')?;
        let is_it = |known: &&String| {
            parts(known).is_some_and(|(host, name, tag)| format!("{host}/{name}") == wanted && digest(name, tag) == its)
        };
        let known = state.images.keys().find(is_it)?;
        state.images.get(known).cloned()
    }

    /// Where a process of this name prints.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.0.folder.path().join(format!("{name}.log"))
    }

    /// What those of these names have printed.
    pub(crate) fn printed(&self, names: &[String]) -> String {
        names.iter().map(|name| fs::read_to_string(self.log(name)).unwrap_or_default()).collect()
    }
}

/// The registry, the name and the tag of an image. One without a tag is the latest.
fn parts(image: &str) -> Option<(&str, &str, &str)> {
    let (host, rest) = image.split_once('/')?;
    let (name, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
    Some((host, name, tag))
}

/// What is in an image of the stand-in is its name.
fn digest(name: &str, tag: &str) -> String {
    format!("sha256:{:064x}", crc32c::crc32c(format!("{name}:{tag}").as_bytes()))
}
