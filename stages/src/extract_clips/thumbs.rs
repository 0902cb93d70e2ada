//! A finished clip -> its thumbnail. It is filed like a clip, so it is made once however often the clip is asked for.

use percent_encoding::utf8_percent_encode;
use pipe_engine::failure::Failure;
use pipe_engine::key::KeyWriter;
use pipe_engine::manifest::FileEntry;
use pipe_engine::work::Work;
use pipe_video::{jpeg, still};
use serde_json::Value as Json;
use std::fs;

use super::FOLDER;

/// Raised whenever the same clip would give another thumbnail.
const CODE: u32 = 1;
/// Pixels.
pub(super) const HEIGHT: u32 = 180;
/// Where thumbnails lie in the artifact.
const PLACE: &str = "thumbnails";

/// The path of a clip's thumbnail in the artifact.
pub(super) fn path_of(clip: &str) -> String {
    format!("{PLACE}/{}.jpg", clip.strip_suffix(".mp4").unwrap_or(clip))
}

/// The folder of an angle in the artifact.
pub(super) fn folder_of(angle: &str) -> String {
    utf8_percent_encode(angle, &FOLDER).to_string()
}

/// The thumbnail of a clip. `None`: none can be made of it, which is no reason to be without the clip.
///
/// # Errors
/// When the store cannot be read or written.
pub(super) fn thumbnail(work: &Work<'_>, clip: &FileEntry, code: &str) -> Result<Option<FileEntry>, Failure> {
    let key = KeyWriter::default()
        .field("kind", "extract-clips/thumbnail")
        .field("code", format!("{CODE} {code}"))
        .field("clip", &clip.blake3)
        .field("height", HEIGHT)
        .finish();
    let path = path_of(&clip.path);
    if let Some(found) = work.find_beside(&key, &path)? {
        return Ok(Some(found.file));
    }
    let _at = work.doing().begin(&format!("the thumbnail of `{}`", clip.path));
    let made = still(&work.path(clip), HEIGHT).and_then(|still| jpeg(&still));
    let bytes = match made {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::warn!(clip = clip.path, "no thumbnail: {error}");
            return Ok(None);
        }
    };
    let write = |place: &std::path::Path| {
        fs::write(place, &bytes).map_err(|e| Failure::io("write", place, &e))?;
        Ok(Json::Null)
    };
    work.beside(&key, &path, write).map(|item| Some(item.file))
}
