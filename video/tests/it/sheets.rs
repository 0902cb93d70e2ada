//! Clips can be looked at.

use pipe_video::frames::{Element, Layout};
use pipe_video::{FrameSpec, Sampling, VideoErrorKind, contact_sheet, sample, tensor_sheet};

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

#[test]
fn a_sheet_of_tensors_shows_the_pixels_that_went_in() {
    let folder = folder();
    let clip = made_in(&folder, "clip.mp4", &Made { frames: 6, ..Made::default() });
    let pixels = |element, layout| {
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let spec = FrameSpec { mean, std, element, layout, ..FrameSpec::plain(20, 10) };
        let tensor = sample(&clip, Sampling::Uniform { n: 3 }, &spec).unwrap().data;
        let bytes = tensor_sheet(&[tensor.clone(), tensor], &spec, 2, 10).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        // Two columns of 10 pixels and two rows of 5, with 4 pixels between and around.
        assert_eq!((reader.info().width, reader.info().height), (32, 22));
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels
    };
    let bytes = pixels(Element::U8, Layout::Nhwc);
    for element in [Element::F16, Element::F32] {
        for layout in [Layout::Nchw, Layout::Nhwc] {
            assert!(pixels(element, layout) == bytes, "{element:?}, {layout:?}");
        }
    }
}
