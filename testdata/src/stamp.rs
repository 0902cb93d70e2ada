//! Remembers what was made, with sizes and digests, so that a second call sees that nothing is to do.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use crate::generate::Recipe;

/// Raised when the same recipe comes to give other bytes.
const VERSION: u32 = 1;

/// The file that holds the stamp: among the videos, which git ignores as a whole.
pub(crate) const NAME: &str = "videos/made.stamp";

/// What a folder holds when everything of a recipe is there: `files` in order, with their sizes and digests.
pub(crate) fn of_folder(recipe: &Recipe, folder: &Path, files: &[String]) -> io::Result<String> {
    let mut text = format!("version {VERSION}, libraries {}\nrecipe {recipe:?}\n", pipe_video::versions());
    for file in files {
        let bytes = fs::read(folder.join(file))?;
        writeln!(text, "{file} {} {:016x}", bytes.len(), digest(&bytes)).expect("writing to a string cannot fail");
    }
    Ok(text)
}

/// Whether the folder holds exactly what its stamp says, for this recipe.
pub(crate) fn holds(recipe: &Recipe, folder: &Path, files: &[String]) -> bool {
    let written = fs::read_to_string(folder.join(NAME));
    matches!((written, of_folder(recipe, folder, files)), (Ok(was), Ok(is)) if was == is)
}

/// FNV-1a over eight bytes at a time: it finds files that were cut short or changed by accident, which is all it is for.
fn digest(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(0xcbf2_9ce4_8422_2325, |sum, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
