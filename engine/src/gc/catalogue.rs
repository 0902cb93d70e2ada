//! `results/` -> what decides about keeping each result, read by as many threads as there are.

use crate::failure::Failure;
use crate::ids::{Fingerprint, RunId, TaskId};
use crate::manifest::{FilePlace, Manifest, Of, Provenance, VERSION};
use crate::store::{Folder, Store, blocking};
use crate::work::store_failed;
use crate::world::Timestamp;
use serde::Deserialize;
use std::thread;

/// One result.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its key.
    pub fingerprint: Fingerprint,
    /// A task or an item.
    pub of: Of,
    /// The pipeline it was made for; empty where nothing tells.
    pub pipeline: String,
    /// The task, as it was named then.
    pub task: TaskId,
    /// The run that made it.
    pub run: RunId,
    /// When it was filed.
    pub published: Timestamp,
    /// Where its files lie.
    pub files: Vec<FilePlace>,
    /// Where a person took it from.
    pub adopted: Option<String>,
    /// Whether a newer version filed it.
    pub is_newer: bool,
}

impl Entry {
    /// Bytes of its files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// All results of a store.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Those that could be read.
    pub results: Vec<Entry>,
    /// Those that are damaged: nothing can be told of them.
    pub damaged: Vec<Fingerprint>,
}

/// What came of reading one manifest.
enum Read {
    Entry(Box<Entry>),
    Damaged(Fingerprint),
    Gone,
}

impl Catalogue {
    /// Reads all manifests.
    ///
    /// # Errors
    /// When the store cannot be read, or a newer version has filed something in it that this one does not understand.
    pub fn read(store: &Folder) -> Result<Self, Failure> {
        let listed = blocking(store.list("results/")).map_err(store_failed)?;
        let names: Vec<Fingerprint> = listed.iter().filter_map(|stat| fingerprint(&stat.at)).collect();
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let part = |names: &[Fingerprint]| names.iter().map(|name| read(store, name)).collect::<Result<Vec<_>, _>>();
        let parts = thread::scope(|scope| {
            let chunks = names.chunks(names.len().div_ceil(threads).max(1));
            let readers: Vec<_> = chunks.map(|chunk| scope.spawn(move || part(chunk))).collect();
            readers.into_iter().map(|reader| reader.join().unwrap_or_else(|_| Ok(Vec::new()))).collect::<Vec<_>>()
        });
        let mut catalogue = Self::default();
        for read in parts.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
            match read {
                Read::Entry(entry) => catalogue.results.push(*entry),
                Read::Damaged(fingerprint) => catalogue.damaged.push(fingerprint),
                Read::Gone => {}
            }
        }
        Ok(catalogue)
    }
}

/// `results/<ff>/<fingerprint>.json`. What has another name is none of ours.
fn fingerprint(at: &str) -> Option<Fingerprint> {
    let [_, folder, name] = at.split('/').collect::<Vec<_>>().try_into().ok()?;
    let digits = name.strip_suffix(".json")?;
    let ours = digits.len() == 64 && digits.starts_with(folder) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    ours.then(|| Fingerprint(digits.to_owned()))
}

/// What is needed of a manifest of any version.
#[derive(Deserialize)]
struct Part {
    version: u32,
    of: Of,
    fingerprint: Fingerprint,
    files: Vec<FilePlace>,
    provenance: Origin,
}

#[derive(Deserialize)]
struct Origin {
    run: RunId,
    task: TaskId,
    published: Timestamp,
    #[serde(default)]
    pipeline: Option<String>,
    #[serde(default)]
    adopted: Option<String>,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

fn read(store: &Folder, fingerprint: &Fingerprint) -> Result<Read, Failure> {
    let at = crate::manifest::place(fingerprint);
    let Some((bytes, _)) = store.get_stamped(&at).map_err(store_failed)? else { return Ok(Read::Gone) };
    match serde_json::from_slice::<Part>(&bytes) {
        Ok(part) if part.fingerprint == *fingerprint => Ok(Read::Entry(Box::new(entry(part)))),
        _ => match serde_json::from_slice::<Version>(&bytes) {
            Ok(Version { version }) if version > u64::from(VERSION) => Err(super::unreadable(&at)),
            _ => Ok(Read::Damaged(fingerprint.clone())),
        },
    }
}

fn entry(part: Part) -> Entry {
    let Part { version, of, fingerprint, files, provenance } = part;
    let Origin { run, task, published, pipeline, adopted } = provenance;
    // Files that others made lie in their folders; most lie in those of the pipeline itself.
    let told = || files.iter().find_map(|file| file.at.strip_prefix("data/")?.split_once('/')).map(|(name, _)| name);
    let pipeline = pipeline.unwrap_or_else(|| told().unwrap_or_default().to_owned());
    Entry { fingerprint, of, pipeline, task, run, published, files, adopted, is_newer: version > VERSION }
}

impl From<Manifest> for Entry {
    fn from(manifest: Manifest) -> Self {
        let Manifest { version, of, fingerprint, files, provenance, .. } = manifest;
        let Provenance { run, task, published, pipeline, adopted, .. } = provenance;
        let files = files.into_iter().map(FilePlace::from).collect();
        entry(Part { version, of, fingerprint, files, provenance: Origin { run, task, published, pipeline, adopted } })
    }
}
