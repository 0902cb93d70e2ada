//! What a finished task or item made: `results/<ff>/<fingerprint>.json`. A frozen format.
//! Knows the words, not where they are kept.

use crate::ids::{AttemptId, Fingerprint, RunId, TaskId};
use crate::key::Fields;
use crate::world::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::borrow::Cow;

/// The version of the manifest this build writes. Older ones are read.
pub const VERSION: u32 = 1;

/// One file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileEntry {
    /// Its path inside the artifact, with `/` between the parts.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of the bytes, in hexadecimal.
    pub blake3: String,
    /// Where the bytes lie, from the store's root. Items of an earlier attempt lie in that attempt's folder.
    pub at: String,
}

/// Where the bytes of a file lie, and how many there must be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FilePlace {
    /// As [`FileEntry::at`].
    pub at: String,
    /// As [`FileEntry::size`].
    pub size: u64,
}

/// Whether a manifest speaks of a task or of one item inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// A whole task.
    Task,
    /// One item, such as a clip.
    Item,
}

/// Where a result came from. It says nothing about what the result is, so it is in no key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// The run that made it.
    pub run: RunId,
    /// The attempt that made it.
    pub attempt: AttemptId,
    /// The task, as it was named then.
    pub task: TaskId,
    /// When the manifest was written.
    pub published: Timestamp,
    /// The files outside the store that went in, as they were named then.
    #[serde(default)]
    pub sources: Vec<String>,
    /// The pipeline of the task. Results of the first versions do not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Where a person took the files from, when no attempt made them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<String>,
}

/// A finished result. Create-only: whoever comes second reads the first one's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// The format's version.
    pub version: u32,
    /// Task or item.
    pub of: Of,
    /// The key this result is filed under.
    pub fingerprint: Fingerprint,
    /// The key's fields in words.
    pub key: Fields,
    /// The artifact's digest: see [`digest`].
    pub digest: String,
    /// Its files, sorted by path.
    pub files: Vec<FileEntry>,
    /// A few small facts the stage tells: counts, accuracy.
    #[serde(default)]
    pub result: Json,
    /// Where it came from.
    pub provenance: Provenance,
}

/// What those that follow need of a finished result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// The key the result is filed under.
    pub fingerprint: Fingerprint,
    /// The artifact's digest: see [`digest`].
    pub digest: String,
    /// Its files, sorted by path.
    pub files: Vec<FileEntry>,
    /// A few small facts the stage tells.
    #[serde(default)]
    pub result: Json,
}

impl Artifact {
    /// The same without room for more: a run may hold a hundred thousand of them to its end.
    #[must_use]
    pub fn in_little_room(mut self) -> Self {
        self.files.shrink_to_fit();
        for file in &mut self.files {
            [&mut file.path, &mut file.blake3, &mut file.at].into_iter().for_each(String::shrink_to_fit);
        }
        self
    }
}

impl From<Manifest> for Artifact {
    fn from(manifest: Manifest) -> Self {
        let Manifest { fingerprint, digest, files, result, .. } = manifest;
        Self { fingerprint, digest, files, result }
    }
}

impl Manifest {
    /// The manifest that was filed under `fingerprint`. `None` when it is damaged, of a newer version, or somebody else's.
    pub fn read(fingerprint: &Fingerprint, bytes: &[u8]) -> Option<Self> {
        let manifest = serde_json::from_slice::<Self>(bytes).ok()?;
        Some(manifest).filter(|manifest| manifest.version <= VERSION && manifest.fingerprint == *fingerprint)
    }

    /// The folder of the result from the store's root: that of the attempt itself where it made anything. Items may lie in
    /// folders of earlier attempts.
    pub fn folder(&self) -> Option<&str> {
        // An attempt's name begins as its key does, which need not be the one that its result was filed under.
        let attempt = &self.provenance.attempt.0;
        let own = attempt.get(..8).zip(attempt.rsplit_once('-')).map(|(key, (_, number))| format!("@{key}-{number}"));
        let mut folders = self.files.iter().filter_map(|f| f.at.strip_suffix(&f.path)?.strip_suffix('/'));
        let first = folders.clone().next();
        folders.find(|folder| own.as_ref().is_some_and(|own| folder.ends_with(own))).or(first)
    }
}

impl Artifact {
    /// What those that follow need of the manifest that was filed under `fingerprint`; the rest of it is not looked at.
    /// `None` when it is damaged, of a newer version, or somebody else's.
    pub fn from_manifest(fingerprint: &Fingerprint, bytes: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Part {
            version: u32,
            fingerprint: Fingerprint,
            digest: String,
            files: Vec<FileEntry>,
            #[serde(default)]
            result: Json,
        }
        let part = serde_json::from_slice::<Part>(bytes).ok();
        let Part { fingerprint, digest, files, result, .. } =
            part.filter(|part| part.version <= VERSION && part.fingerprint == *fingerprint)?;
        Some(Self { fingerprint, digest, files, result })
    }
}

impl FilePlace {
    /// The files of the manifest that was filed under `fingerprint`; the rest of it is not looked at. `None` when it is
    /// damaged, of a newer version, or somebody else's.
    pub fn all_of_manifest(fingerprint: &Fingerprint, bytes: &[u8]) -> Option<Vec<Self>> {
        #[derive(Deserialize)]
        struct Part<'m> {
            version: u32,
            #[serde(borrow)]
            fingerprint: Cow<'m, str>,
            files: Vec<FilePlace>,
        }
        let part = serde_json::from_slice::<Part<'_>>(bytes).ok()?;
        (part.version <= VERSION && part.fingerprint == fingerprint.0).then_some(part.files)
    }
}

impl From<FileEntry> for FilePlace {
    fn from(file: FileEntry) -> Self {
        Self { at: file.at, size: file.size }
    }
}

/// The digest of an artifact: BLAKE3 over its sorted (path, size, BLAKE3). Where the bytes lie is not part of it.
pub fn digest(files: &[FileEntry]) -> String {
    let mut sorted: Vec<&FileEntry> = files.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut hasher = blake3::Hasher::new_derive_key("pipe 2026-11 artifact v1");
    for file in sorted {
        for part in [&file.path, &file.blake3] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(&file.size.to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// The place of a manifest, from the store's root.
pub fn place(fingerprint: &Fingerprint) -> String {
    format!("results/{}/{fingerprint}.json", fingerprint.short(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file(path: &str, at: &str) -> FileEntry {
        FileEntry { path: path.into(), size: 1, blake3: "00".into(), at: at.into() }
    }

    #[test]
    fn a_digest_depends_on_paths_and_bytes_but_not_on_order_or_place() {
        let a = digest(&[file("a", "x"), file("b", "x")]);
        assert_eq!(a, digest(&[file("b", "y"), file("a", "z")]));
        assert_ne!(a, digest(&[file("a", "x"), file("c", "x")]));
    }

    fn filed(fingerprint: &str, attempt: &str, files: &[(&str, &str)]) -> Manifest {
        let file = |(path, folder): &(&str, &str)| json!({ "path": path, "at": format!("{folder}/{path}"), "size": 1, "blake3": "ab" });
        let manifest = json!({
            "version": VERSION, "of": "task", "fingerprint": fingerprint, "key": {}, "digest": "cd",
            "files": files.iter().map(file).collect::<Vec<_>>(), "result": {},
            "provenance": { "run": "r", "attempt": attempt, "task": { "stage": "clips" }, "published": 1, "sources": [] },
        });
        serde_json::from_value(manifest).unwrap()
    }

    #[test]
    fn a_result_lies_where_its_last_attempt_wrote_and_its_items_may_lie_elsewhere() {
        let (old, new) = ("data/p/clips/all@0123abcd-1", "data/p/clips/all@89ef4567-12");
        let files = [("a.mp4", old), ("clips.jsonl", new), ("g1/b.mp4", new)];
        // The key of a result that lacks items is not that of its attempt.
        for fingerprint in ["89ef456789ef", "777777777777"] {
            assert_eq!(filed(fingerprint, "89ef456789ef01234567-12", &files).folder(), Some(new));
        }
        assert_eq!(filed("89ef456789ef", "89ef456789ef01234567-12", &files[..1]).folder(), Some(old));
        assert_eq!(filed("89ef456789ef", "89ef456789ef01234567-12", &[]).folder(), None);
    }
}
