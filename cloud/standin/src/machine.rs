//! What all containers share: where they print, what images begin with, and how long a process has between two signals.

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
    pub(crate) fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("standin-logs-").tempdir()?;
        Ok(Self(Arc::new(Shared { folder, state: Mutex::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on containers of this image begin with this program.
    pub(crate) fn image(&self, image: &str, entry_point: &[&str]) {
        let words = entry_point.iter().map(|word| (*word).to_owned()).collect();
        self.state().images.insert(image.to_owned(), words);
    }

    /// Whether there is an image of this name, in whichever registry. One without a tag is the latest.
    pub(crate) fn has_image(&self, name: &str, tag: &str) -> bool {
        self.state().images.keys().any(|image| {
            let rest = image.split_once('/').map_or("", |(_, rest)| rest);
            let (known, its) = rest.split_once(':').unwrap_or((rest, "latest"));
            (known, its) == (name, tag)
        })
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
            words = self.state().images.get(image).cloned().ok_or_else(|| format!("Image '{image}' not found."))?;
        }
        words.extend(texts(&container["args"]));
        Ok(words)
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
