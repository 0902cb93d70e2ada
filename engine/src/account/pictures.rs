//! The results of a run -> the pictures among their files that are there for people.
//!
//! The rule: a picture that lies at the top of a result, and not in a folder of it, is for people. So a contact sheet, a
//! preview and a curve are, a thousand thumbnails are not, and a program of anybody's shows a picture by writing it there.

use super::results::Found;
use crate::report::{RunView, Standing};
use crate::store::Folder;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;

/// Pictures of one result, at most: whoever writes more at its top has made data.
const OF_ONE: usize = 4;
/// Pictures of one run, at most.
const OF_ALL: usize = 1000;

/// A picture that a result holds for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Picture {
    /// The task.
    pub task: String,
    /// Its path in the result.
    pub path: String,
    /// Where it lies on this machine.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// What it is, such as `image/jpeg`.
    pub media: String,
    /// Whether this run made it, and did not find it.
    pub is_new: bool,
}

/// The type of a picture that browsers show, by its name.
pub fn media_type(path: &str) -> Option<&'static str> {
    let extension = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "png" => Some("image/png"),
        "jpg" | "jpeg" => Some("image/jpeg"),
        "gif" => Some("image/gif"),
        "webp" => Some("image/webp"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

/// Whether a file of a result is a picture for people.
pub(super) fn is_for_people(path: &str) -> bool {
    !path.contains('/') && media_type(path).is_some()
}

/// The pictures of a run, those that it made itself first.
pub(super) fn of(run: &RunView, found: &IndexMap<String, Found>, store: Option<&Folder>) -> Vec<Picture> {
    let Some(store) = store else { return Vec::new() };
    let is_new = |task: &String| run.tasks.get(task).is_some_and(|task| task.standing == Standing::Succeeded);
    let mut pictures = Vec::new();
    for (task, found) in found {
        pictures.extend(found.pictures.iter().take(OF_ONE).map(|file| Picture {
            task: task.clone(),
            path: file.path.clone(),
            file: store.path(&file.at).display().to_string(),
            bytes: file.size,
            media: media_type(&file.path).unwrap_or_default().to_owned(),
            is_new: is_new(task),
        }));
    }
    pictures.sort_by_key(|picture| !picture.is_new);
    pictures.truncate(OF_ALL);
    pictures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_at_the_top_of_a_result_are_for_people() {
        let said =
            ["contact-sheet.jpg", "loss.SVG", "thumbnails/a.jpg", "clips.jsonl", "png", ".png"].map(is_for_people);
        assert_eq!(said, [true, true, false, false, false, false]);
    }
}
