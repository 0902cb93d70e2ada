//! Tensors of clips -> the bytes of one file, and back. safetensors, NumPy and WebDataset, written without a time in them.

use super::settings::{FormatName, Settings};
use pipe_engine::failure::Failure;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::json;

/// One clip of a shard.
pub(super) struct Clip {
    pub(super) id: String,
    /// The numbers of its frames in the clip.
    pub(super) frames: Vec<usize>,
    pub(super) tensor: Vec<u8>,
}

/// How a shard's file ends.
pub(super) fn extension(format: FormatName) -> &'static str {
    match format {
        FormatName::Safetensors => "safetensors",
        FormatName::Npy => "npy",
        FormatName::Webdataset => "tar",
    }
}

/// The file of some clips.
pub(super) fn write(settings: &Settings, clips: &[Clip]) -> Result<Vec<u8>, Failure> {
    match settings.format {
        FormatName::Safetensors => safetensors(settings, clips),
        FormatName::Npy => {
            let mut bytes = npy_header(settings, &[&[clips.len()], settings.shape().as_slice()].concat());
            clips.iter().for_each(|clip| bytes.extend_from_slice(&clip.tensor));
            Ok(bytes)
        }
        FormatName::Webdataset => Ok(tar(settings, clips)),
    }
}

/// The first clips' tensors of a file that `write` made.
pub(super) fn first(settings: &Settings, bytes: &[u8], most: usize) -> Vec<Vec<u8>> {
    let length = settings.clip_bytes();
    let after = |header: usize| bytes.get(header..).unwrap_or_default().chunks_exact(length).take(most);
    match settings.format {
        FormatName::Safetensors => {
            let header = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length) as usize);
            after(8 + header).map(<[u8]>::to_vec).collect()
        }
        FormatName::Npy => {
            let header = bytes.get(8..10).map_or(0, |length| usize::from(u16::from_le_bytes([length[0], length[1]])));
            after(10 + header).map(<[u8]>::to_vec).collect()
        }
        FormatName::Webdataset => {
            let header = npy_header(settings, &settings.shape()).len();
            let arrays = entries(bytes).filter(|(name, _)| name.ends_with(".npy")).take(most);
            arrays.filter_map(|(_, data)| data.get(header..).map(<[u8]>::to_vec)).collect()
        }
    }
}

fn safetensors(settings: &Settings, clips: &[Clip]) -> Result<Vec<u8>, Failure> {
    let shape = [&[clips.len()], settings.shape().as_slice()].concat();
    let bytes: Vec<u8> = clips.iter().flat_map(|clip| clip.tensor.iter().copied()).collect();
    let dtype = match settings.dtype.element() {
        pipe_video::frames::Element::U8 => Dtype::U8,
        pipe_video::frames::Element::F16 => Dtype::F16,
        pipe_video::frames::Element::F32 => Dtype::F32,
    };
    let failed =
        |e: safetensors::SafeTensorError| Failure::failed("bad_tensor", "the frames do not make a tensor").source(e);
    let view = TensorView::new(dtype, shape, &bytes).map_err(failed)?;
    serialize([("frames", view)], None).map_err(failed)
}

/// NumPy's format 1.0: a magic number, the length of the header, a Python literal that ends at a multiple of 64 bytes.
fn npy_header(settings: &Settings, shape: &[usize]) -> Vec<u8> {
    let kind = match settings.dtype.element() {
        pipe_video::frames::Element::U8 => "|u1",
        pipe_video::frames::Element::F16 => "<f2",
        pipe_video::frames::Element::F32 => "<f4",
    };
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", sides.join(", "));
    text.push_str(&" ".repeat((64 - (10 + text.len() + 1) % 64) % 64));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

/// WebDataset: files of one sample have one name and stand side by side. The name is the place in the shard, because a dot
/// in a clip's id would end it; the id is in the JSON.
fn tar(settings: &Settings, clips: &[Clip]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, clip) in clips.iter().enumerate() {
        let mut array = npy_header(settings, &settings.shape());
        array.extend_from_slice(&clip.tensor);
        entry(&mut bytes, &format!("{place:08}.npy"), &array);
        let facts = json!({ "id": clip.id, "frames": clip.frames }).to_string();
        entry(&mut bytes, &format!("{place:08}.json"), facts.as_bytes());
    }
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

const BLOCK: usize = 512;

/// One file in the form of POSIX.1-1988 (ustar), owned by nobody and of no time.
fn entry(to: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", data.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    to.extend(header);
    to.extend(data);
    to.resize(to.len().next_multiple_of(BLOCK), 0);
}

/// The files of an archive that `tar` made.
fn entries(bytes: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let text = |field: &'_ [u8]| std::str::from_utf8(field).ok().map(|text| text.len());
        let header = rest.get(..BLOCK).filter(|header| header[0] != 0 && text(&header[..100]).is_some())?;
        let name = std::str::from_utf8(&header[..100]).ok()?.trim_end_matches('\0');
        let size = std::str::from_utf8(&header[124..135]).ok()?;
        let size = usize::from_str_radix(size, 8).ok()?;
        let data = rest.get(BLOCK..BLOCK + size)?;
        rest = rest.get(BLOCK + size.next_multiple_of(BLOCK)..).unwrap_or_default();
        Some((name, data))
    })
}
