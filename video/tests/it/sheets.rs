//! Clips can be looked at.

use pipe_video::{VideoErrorKind, contact_sheet};

use crate::made::{Made, folder, made_in};

#[test]
fn a_contact_sheet_is_a_png_with_one_thumbnail_a_clip() {
    let folder = folder();
    let clip = made_in(&folder, "clip.mp4", &Made { frames: 5, ..Made::default() });
    let bytes = contact_sheet(&[clip.clone(), clip.clone(), clip], 2, 32).unwrap();
    let reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    // Two columns and two rows of 32 pixels, with 4 pixels between and around.
    assert_eq!((reader.info().width, reader.info().height), (76, 76));
}

#[test]
fn a_contact_sheet_of_nothing_is_refused() {
    assert_eq!(contact_sheet(&[], 2, 32).unwrap_err().kind, VideoErrorKind::BadOption);
}
