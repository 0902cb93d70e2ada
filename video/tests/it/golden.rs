//! The referee is held against what torchvision, Pillow and OpenCV made of one small picture. `make golden` makes the
//! files of `video/tests/golden` anew.

use std::fs;

use pipe_video::frames::{
    ColourMatrix, Element, Filter, Fit, FrameSpec, Layout, Picture, PixelFormat, Plan, Plane, Reference, Shape,
};

use crate::pictures::{bytes, run, shape};

const WIDTH: u32 = 96;
const HEIGHT: u32 = 64;

fn file(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn tensor(picture: &str, matrix: ColourMatrix, spec: &FrameSpec) -> Vec<u8> {
    let planes = file(picture);
    let (luma, chroma) = planes.split_at((WIDTH * HEIGHT) as usize);
    let (u, v) = chroma.split_at(chroma.len() / 2);
    let plane = |bytes, stride| Plane { bytes, stride };
    let picture = Picture { planes: [plane(luma, 96), plane(u, 48), plane(v, 48)] };
    let plan = Plan::new(spec, &Shape { matrix, ..shape(PixelFormat::I420, WIDTH, HEIGHT) }).unwrap();
    run(&mut Reference, &plan, picture).unwrap()
}

/// The largest difference in levels, and the mean.
fn differences(seen: &[u8], wanted: &[u8]) -> (u8, f64) {
    assert_eq!(seen.len(), wanted.len());
    let off = || seen.iter().zip(wanted).map(|(a, b)| a.abs_diff(*b));
    (off().max().unwrap(), off().map(f64::from).sum::<f64>() / seen.len() as f64)
}

/// `most`: in levels, 3 at most.
#[track_caller]
fn assert_near(name: &str, matrix: ColourMatrix, spec: FrameSpec, most: u8) {
    assert_picture_near("picture.i420", name, matrix, spec, most);
}

#[track_caller]
fn assert_picture_near(picture: &str, name: &str, matrix: ColourMatrix, spec: FrameSpec, most: u8) {
    let (max, mean) = differences(&tensor(picture, matrix, &spec), &file(name));
    assert!(max <= most, "{name}: {max} levels off, {mean:.3} in the mean");
}

#[test]
fn colours_are_those_of_real_numbers_and_of_opencv() {
    assert_near("float64-bt709.rgb", ColourMatrix::Bt709, bytes(WIDTH, HEIGHT), 1);
    assert_near("opencv-bt601.rgb", ColourMatrix::Bt601, bytes(WIDTH, HEIGHT), 2);
}

#[test]
fn filters_are_those_of_torchvision_and_pillow() {
    for (width, height) in [(37, 29), (131, 77)] {
        for tool in ["torchvision", "pillow"] {
            let name = format!("{tool}-triangle-{width}x{height}.rgb");
            assert_near(&name, ColourMatrix::Bt709, bytes(width, height), 3);
            // Where a cubic overshoots, it is clipped between the passes, whose order differs: the soft picture has none.
            let spec = FrameSpec { filter: Filter::Bicubic, ..bytes(width, height) };
            let name = format!("{tool}-bicubic-{width}x{height}.rgb");
            assert_picture_near("soft.i420", &name, ColourMatrix::Bt709, spec, 3);
        }
    }
    let spec = FrameSpec { filter: Filter::Nearest, ..bytes(37, 29) };
    assert_near("pillow-nearest-37x29.rgb", ColourMatrix::Bt709, spec, 1);
}

#[test]
fn the_area_filter_is_that_of_opencv() {
    let spec = FrameSpec { filter: Filter::Area, ..bytes(37, 29) };
    assert_near("opencv-area-37x29.rgb", ColourMatrix::Bt709, spec, 3);
}

#[test]
fn bars_and_cuts_lie_where_pillow_has_them() {
    let spec = FrameSpec { fit: Fit::Letterbox, ..bytes(48, 48) };
    assert_near("pillow-letterbox-48x48.rgb", ColourMatrix::Bt709, spec, 3);
    let spec = FrameSpec { fit: Fit::Crop, ..bytes(40, 40) };
    assert_near("pillow-crop-40x40.rgb", ColourMatrix::Bt709, spec, 3);
}

#[test]
fn normalised_tensors_are_those_of_torchvision() {
    let std = [0.229, 0.224, 0.225];
    let spec = FrameSpec {
        mean: [0.485, 0.456, 0.406],
        std,
        element: Element::F32,
        layout: Layout::Nchw,
        ..FrameSpec::plain(37, 29)
    };
    let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<f32>>();
    let (seen, wanted) =
        (floats(&tensor("picture.i420", ColourMatrix::Bt709, &spec)), floats(&file("torchvision-imagenet-37x29.f32")));
    assert_eq!(seen.len(), wanted.len());
    for (i, (a, b)) in seen.iter().zip(&wanted).enumerate() {
        let levels = (a - b).abs() * std[i / (37 * 29)] * 255.0;
        assert!(levels <= 3.01, "number {i} is {a}, not {b}");
    }
}
