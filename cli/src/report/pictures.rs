//! The pictures that a run's results hold for people -> those that the page shows, within what a mail may weigh.

use super::base64;
use crate::words;
use pipe_engine::account::Picture;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
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

/// Takes pictures as long as there is room, and shows them in their order.
pub(super) fn chosen(pictures: &[Picture]) -> Chosen {
    let mut room = OF_ALL;
    let taken: BTreeMap<usize, Result<Shown, String>> = in_turns(pictures)
        .into_iter()
        .map(|place| {
            let taken = take(&pictures[place], room);
            room -= taken.as_ref().map_or(0, |_| pictures[place].bytes);
            (place, taken)
        })
        .collect();
    let mut chosen = Chosen { shown: Vec::new(), left_out: Vec::new() };
    for (place, taken) in taken {
        let Picture { task, file, .. } = pictures[place].clone();
        match taken {
            Ok(shown) => chosen.shown.push(shown),
            Err(why) => chosen.left_out.push(LeftOut { task, file, why }),
        }
    }
    chosen
}

/// The places of the pictures in the order in which they get room: new ones first, and then one of each stage after the other,
/// so that a stage of many tasks does not crowd out the one curve of another.
fn in_turns(pictures: &[Picture]) -> Vec<usize> {
    let mut turns: HashMap<(bool, &str), usize> = HashMap::new();
    let mut places: Vec<(bool, usize, usize)> = Vec::new();
    for (place, picture) in pictures.iter().enumerate() {
        let stage = picture.task.split('[').next().unwrap_or_default();
        let turn = turns.entry((picture.is_new, stage)).or_default();
        places.push((!picture.is_new, *turn, place));
        *turn += 1;
    }
    places.sort_unstable();
    places.into_iter().map(|(.., place)| place).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(task: &str, is_new: bool) -> Picture {
        let (task, path, file, media) = (task.into(), "x.png".into(), String::new(), "image/png".into());
        Picture { task, path, file, bytes: 1, media, is_new }
    }

    #[test]
    fn each_stage_gets_room_for_one_picture_before_another_gets_it_for_two() {
        let pictures =
            [("a[n=1]", true), ("a[n=2]", true), ("a[n=3]", true), ("b", true), ("c", false), ("b[x=1]", true)];
        let order = in_turns(&pictures.map(|(task, is_new)| picture(task, is_new)));
        assert_eq!(order, [0, 3, 1, 5, 2, 4]);
    }
}
