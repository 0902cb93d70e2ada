//! The pictures that a run's results hold for people -> those that the page shows, within what a mail may weigh.

use super::base64;
use crate::words;
use pipe_engine::account::Picture;
use serde::Serialize;
use std::fs;

/// Bytes of one picture, at most.
const OF_ONE: u64 = 4 << 20;
/// Bytes of all, at most: as text they take a third more, and many mail servers take 20 MB.
const OF_ALL: u64 = 12 << 20;

/// The pictures of a page.
pub(super) struct Chosen {
    pub(super) shown: Vec<Shown>,
    pub(super) left_out: Vec<LeftOut>,
}

/// A picture in the page.
#[derive(Serialize)]
pub(super) struct Shown {
    task: String,
    path: String,
    file: String,
    is_new: bool,
    /// The picture itself, as an address.
    data: String,
}

/// A picture that is not in the page.
#[derive(Serialize)]
pub(super) struct LeftOut {
    task: String,
    file: String,
    why: String,
}

/// What is said of the bound.
pub(super) fn bound() -> String {
    format!("{} each and {} together", words::bytes(OF_ONE), words::bytes(OF_ALL))
}

/// Takes pictures, the new ones first, as long as there is room.
pub(super) fn chosen(pictures: &[Picture]) -> Chosen {
    let mut chosen = Chosen { shown: Vec::new(), left_out: Vec::new() };
    let mut room = OF_ALL;
    for picture in pictures {
        match take(picture, room) {
            Ok(shown) => {
                room -= picture.bytes;
                chosen.shown.push(shown);
            }
            Err(why) => {
                let (task, file) = (picture.task.clone(), picture.file.clone());
                chosen.left_out.push(LeftOut { task, file, why });
            }
        }
    }
    chosen
}

fn take(picture: &Picture, room: u64) -> Result<Shown, String> {
    if picture.bytes > OF_ONE.min(room) {
        return Err(words::bytes(picture.bytes));
    }
    let bytes = fs::read(&picture.file).map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 != picture.bytes {
        return Err("it is not what was filed any more".to_owned());
    }
    let data = format!("data:{};base64,{}", picture.media, base64::encode(&bytes));
    let Picture { task, path, file, is_new, .. } = picture.clone();
    Ok(Shown { task, path, file, is_new, data })
}
