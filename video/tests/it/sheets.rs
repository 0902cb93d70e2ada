//! Clips can be looked at.

use pipe_video::frames::{Element, Layout};
use pipe_video::{FrameSpec, Sampling, VideoErrorKind, contact_sheet, sample, tensor_sheet};

use crate::film::{BARS, BARS_709, Film, Look};
use crate::made::{Made, folder, made_in};

/// Every type and order of numbers that there is.
const KINDS: [(Element, Layout); 6] = [
    (Element::U8, Layout::Nhwc),
    (Element::U8, Layout::Nchw),
    (Element::F16, Layout::Nhwc),
    (Element::F16, Layout::Nchw),
    (Element::F32, Layout::Nhwc),
    (Element::F32, Layout::Nchw),
];

/// A picture as people see it: width, height, and red, green and blue of every pixel.
fn read(png: Vec<u8>) -> (usize, usize, Vec<[u8; 3]>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    (info.width as usize, info.height as usize, bytes.as_chunks::<3>().0.to_vec())
}

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

#[test]
fn a_sheet_of_tensors_of_a_film_of_known_colours_shows_them_where_they_are() {
    let folder = folder();
    let path = folder.path().join("bars.mp4");
    let x264 = "qp=0:open-gop=0:bframes=0";
    Film { times: vec![0, 1], look: Look::Quarters(BARS_709), x264, ..Film::default() }.write(&path);
    for (element, layout) in KINDS {
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let spec = FrameSpec { mean, std, element, layout, ..FrameSpec::plain(24, 20) };
        let tensor = sample(&path, Sampling::Every { n: 1 }, &spec).unwrap().data;
        // Two clips, of two frames and of one. Half of the pixels are shown.
        let clips = [tensor.clone(), tensor[..spec.frame_bytes()].to_vec()];
        let (width, height, pixels) = read(tensor_sheet(&clips, &spec, 8, 12).unwrap());
        assert_eq!((width, height), (2 * (12 + 4) + 4, 2 * (10 + 4) + 4), "{element:?}, {layout:?}");
        let at = |x: usize, y: usize| pixels[y * width + x];
        for (left, top) in [(4, 4), (20, 4), (4, 18)] {
            // The middle of each quarter.
            let seen = [(3, 2), (9, 2), (3, 7), (9, 7)].map(|(x, y)| at(left + x, top + y));
            let apart = seen.as_flattened().iter().zip(BARS.as_flattened()).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(apart <= Some(2), "{element:?}, {layout:?} at {left}, {top}: {seen:?}");
        }
        // Around pictures, and where there is no third frame, nothing is shown.
        for place in [(0, 0), (3, 3), (17, 8), (35, 31), (24, 24)] {
            assert_eq!(at(place.0, place.1), [24; 3], "{element:?}, {layout:?} at {place:?}");
        }
    }
}
