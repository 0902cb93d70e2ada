//! A result <-> the bytes it is remembered in. Where its files lie stands first, since of most results nothing else is asked.

use crate::ids::Fingerprint;
use crate::manifest::{Artifact, FileEntry, FilePlace};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;

/// What comes after the places of the files, as JSON.
#[derive(Deserialize)]
struct Rest {
    digest: String,
    /// The path inside the artifact and the BLAKE3 of each file.
    files: Vec<(String, String)>,
    result: Json,
}

/// As [`Rest`], of a result that is there already.
#[derive(Serialize)]
struct RestOf<'a> {
    digest: &'a str,
    #[serde(serialize_with = "pairs")]
    files: &'a [FileEntry],
    result: &'a Json,
}

/// Writes a result behind what stands in `bytes` already.
pub(super) fn write(artifact: &Artifact, bytes: &mut Vec<u8>) {
    number(artifact.files.len(), bytes);
    for file in &artifact.files {
        bytes.extend(file.size.to_le_bytes());
        number(file.at.len(), bytes);
        bytes.extend(file.at.as_bytes());
    }
    let rest = RestOf { digest: &artifact.digest, files: &artifact.files, result: &artifact.result };
    serde_json::to_writer(bytes, &rest).expect("it has string keys and finite numbers only");
}

/// Where the files of a result lie. `None` when these are not the bytes of one.
pub(super) fn places(bytes: &[u8]) -> Option<Vec<FilePlace>> {
    split(bytes).map(|(places, _)| places)
}

/// The result that was seen under a fingerprint. `None` when these are not the bytes of one.
pub(super) fn read(fingerprint: &Fingerprint, bytes: &[u8]) -> Option<Artifact> {
    let (places, rest) = split(bytes)?;
    let Rest { digest, files, result } = serde_json::from_slice(rest).ok()?;
    if files.len() != places.len() {
        return None;
    }
    let whole = |(FilePlace { at, size }, (path, blake3))| FileEntry { path, size, blake3, at };
    let files = places.into_iter().zip(files).map(whole).collect();
    Some(Artifact { fingerprint: fingerprint.clone(), digest, files, result })
}

fn pairs<S: Serializer>(files: &&[FileEntry], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(files.iter().map(|file| (&file.path, &file.blake3)))
}

fn number(number: usize, bytes: &mut Vec<u8>) {
    bytes.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn split(bytes: &[u8]) -> Option<(Vec<FilePlace>, &[u8])> {
    let (count, mut bytes) = bytes.split_first_chunk()?;
    let mut places = Vec::new();
    for _ in 0..u32::from_le_bytes(*count) {
        let (size, after) = bytes.split_first_chunk()?;
        let (length, after) = after.split_first_chunk()?;
        let (at, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        places.push(FilePlace { at: std::str::from_utf8(at).ok()?.to_owned(), size: u64::from_le_bytes(*size) });
        bytes = after;
    }
    Some((places, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn artifact(files: &[&str]) -> Artifact {
        let file = |at: &&str| FileEntry { path: "a".into(), size: u64::MAX, blake3: "b".into(), at: (*at).to_owned() };
        Artifact {
            fingerprint: Fingerprint("f".into()),
            digest: "d".into(),
            files: files.iter().map(file).collect(),
            result: json!({"rows": 3}),
        }
    }

    #[test]
    fn a_result_comes_back_as_it_was_remembered() {
        for files in [&[][..], &["data/a"], &["data/ä", ""]] {
            let (artifact, mut bytes) = (artifact(files), Vec::new());
            write(&artifact, &mut bytes);
            assert_eq!(read(&artifact.fingerprint, &bytes).as_ref(), Some(&artifact));
            let places = places(&bytes).unwrap();
            assert_eq!(places, artifact.files.into_iter().map(FilePlace::from).collect::<Vec<_>>());
        }
    }

    #[test]
    fn bytes_that_are_cut_short_or_of_another_kind_are_no_result() {
        let (artifact, mut bytes) = (artifact(&["data/a", "data/b"]), Vec::new());
        write(&artifact, &mut bytes);
        for length in 0..bytes.len() {
            assert_eq!(read(&artifact.fingerprint, &bytes[..length]), None, "{length} bytes");
        }
        assert_eq!(places(&[255; 40]), None);
        assert_eq!(places(b"{\"digest\": \"d\", \"files\": []}"), None);
    }
}
