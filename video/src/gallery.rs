//! Small pictures with captions -> one picture that a person can look at.

use crate::error::VideoError;
use crate::frames::Still;
use crate::jpeg::{jpeg, pixels};
use crate::letters::{LINE, draw, fitting, wrapped};

/// Pixels between two tiles and around them all, and between a picture and its caption.
const GAP: usize = 12;
const NEAR: usize = 4;
/// Narrower pictures leave room at their sides, so that their captions can be read.
const NARROWEST: usize = 200;

const BACKGROUND: [u8; 3] = [24, 24, 27];
const EMPTY: [u8; 3] = [52, 30, 32];
const TITLE: [u8; 3] = [240, 240, 240];
const STRONG: [u8; 3] = [228, 228, 231];
const FAINT: [u8; 3] = [161, 161, 170];
const BAD: [u8; 3] = [248, 113, 113];

/// One picture of a gallery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// The picture as a JPEG file. `None`: there is none.
    pub jpeg: Option<Vec<u8>>,
    /// What it is.
    pub caption: String,
    /// More about it, in a line below; where there is no picture, in its place.
    pub detail: String,
}

/// Tiles in rows of so many under a title, as a JPEG file. Pictures are `height` pixels high; others are set into a place
/// of that height, and cut off where they are higher.
///
/// # Errors
/// `BadOption` when the whole becomes larger than a JPEG can be.
pub fn gallery(title: &str, tiles: &[Tile], columns: usize, height: u32) -> Result<Vec<u8>, VideoError> {
    let pictures: Vec<Option<Still>> = tiles.iter().map(|tile| tile.jpeg.as_deref().and_then(pixels)).collect();
    let widest = pictures.iter().flatten().map(|picture| picture.width as usize).max().unwrap_or(0);
    let (wide, high) = (widest.max(NARROWEST), height as usize);
    let columns = columns.clamp(1, tiles.len().max(1));
    let caption = NEAR + 2 * LINE;
    let rows = tiles.len().div_ceil(columns);
    let mut canvas = Canvas::new(columns * (wide + GAP) + GAP, 2 * GAP + LINE + rows * (high + caption + GAP));
    let width = canvas.width - 2 * GAP;
    canvas.write(&fitting(title, width), (GAP, GAP), TITLE);
    for (i, (tile, picture)) in tiles.iter().zip(&pictures).enumerate() {
        let left = GAP + (i % columns) * (wide + GAP);
        let top = 2 * GAP + LINE + (i / columns) * (high + caption + GAP);
        match picture {
            Some(picture) => canvas.paste(picture, (left + (wide - picture.width as usize) / 2, top), high),
            None => {
                canvas.fill((left, top), (wide, high), EMPTY);
                let lines = wrapped(&tile.detail, wide - 2 * GAP).into_iter().take((high - GAP.min(high)) / LINE);
                lines.enumerate().for_each(|(i, line)| canvas.write(&line, (left + GAP, top + GAP + i * LINE), BAD));
            }
        }
        canvas.write(&fitting(&tile.caption, wide), (left, top + high + NEAR), STRONG);
        if picture.is_some() {
            canvas.write(&fitting(&tile.detail, wide), (left, top + high + NEAR + LINE), FAINT);
        }
    }
    jpeg(&canvas.into_still())
}

struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Canvas { width, height, rgb: BACKGROUND.repeat(width * height) }
    }

    /// The bytes of one pixel; none outside.
    fn pixel(&mut self, x: usize, y: usize) -> Option<&mut [u8]> {
        let at = (y * self.width + x) * 3;
        if x < self.width { self.rgb.get_mut(at..at + 3) } else { None }
    }

    fn fill(&mut self, (left, top): (usize, usize), (wide, high): (usize, usize), colour: [u8; 3]) {
        for (y, x) in (top..top + high).flat_map(|y| (left..left + wide).map(move |x| (y, x))) {
            self.pixel(x, y).into_iter().for_each(|pixel| pixel.copy_from_slice(&colour));
        }
    }

    fn paste(&mut self, picture: &Still, (left, top): (usize, usize), most_rows: usize) {
        let rows = picture.rgb.chunks_exact(picture.width as usize * 3).take(most_rows);
        for (y, row) in rows.enumerate() {
            for (x, from) in row.chunks_exact(3).enumerate() {
                self.pixel(left + x, top + y).into_iter().for_each(|pixel| pixel.copy_from_slice(from));
            }
        }
    }

    fn write(&mut self, text: &str, (left, top): (usize, usize), colour: [u8; 3]) {
        draw(text, |x, y, cover| {
            let cover = u16::from(cover);
            for (value, ink) in self.pixel(left + x, top + y).into_iter().flatten().zip(colour) {
                let mixed = (u16::from(*value) * (255 - cover) + u16::from(ink) * cover) / 255;
                *value = u8::try_from(mixed).unwrap_or(u8::MAX);
            }
        });
    }

    fn into_still(self) -> Still {
        let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
        Still { width: side(self.width), height: side(self.height), rgb: self.rgb }
    }
}
