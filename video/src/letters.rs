//! A line of text -> pixels in a picture.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// The height of a line in pixels.
pub(crate) const LINE: usize = RasterHeight::Size16.val();

/// The width of a letter in pixels.
pub(crate) fn letter_width() -> usize {
    get_raster_width(FontWeight::Regular, RasterHeight::Size16)
}

/// A text that fits a width, its end cut off where it does not.
pub(crate) fn fitting(text: &str, width: usize) -> String {
    let most = width / letter_width();
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(2)).chain("..".chars().take(most)).collect()
}

/// A text in lines that fit a width, broken between words; a longer word is cut off.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let fits = |line: &str| line.chars().count() * letter_width() <= width;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| fits(&format!("{line} {word}"))) {
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(fitting(word, width)),
        }
    }
    lines
}

/// Tells of each pixel that a letter covers where it is and by how much it is covered, of 255. A letter that the font does
/// not have is a question mark.
pub(crate) fn draw(text: &str, mut put: impl FnMut(usize, usize, u8)) {
    let raster = |letter| get_raster(letter, FontWeight::Regular, RasterHeight::Size16);
    for (place, letter) in text.chars().enumerate() {
        let Some(drawn) = raster(letter).or_else(|| raster('?')) else { continue };
        for (y, row) in drawn.rows().enumerate() {
            for (x, cover) in row.iter().enumerate().filter(|(_, cover)| **cover > 0) {
                put(place * letter_width() + x, y, *cover);
            }
        }
    }
}
