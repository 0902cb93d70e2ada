//! The functions of NVIDIA's video decoder, by the names and arguments of `cuviddec.h`, as far as FFmpeg's NVDEC calls them.
#![expect(unsafe_code, reason = "these are C functions with pointers, and are found by their names")]

use std::ffi::{c_int, c_uint, c_ulong};

use crate::api::{code_of, context, functions};
use crate::decoding::Decoder;
use crate::driver::{Code, Driver, code, driver};

/// `CUVIDDECODECAPS`.
#[repr(C)]
struct Caps {
    codec: c_int,
    chroma: c_int,
    bits_over_8: c_uint,
    reserved: [c_uint; 3],
    is_supported: u8,
    decoders: u8,
    formats: u16,
    most_width: c_uint,
    most_height: c_uint,
    most_blocks: c_uint,
    least_width: u16,
    least_height: u16,
}

/// `CUVIDDECODECREATEINFO`, as far as it is looked at.
#[repr(C)]
struct CreateInfo {
    width: c_ulong,
    height: c_ulong,
    surfaces: c_ulong,
    codec: c_int,
    chroma: c_int,
    flags: c_ulong,
    bits_over_8: c_ulong,
    intra_only: c_ulong,
    most_width: c_ulong,
    most_height: c_ulong,
    reserved: c_ulong,
    shown: [i16; 4],
    format: c_int,
    deinterlacing: c_int,
    target_width: c_ulong,
    target_height: c_ulong,
    outputs: c_ulong,
}

/// `CUVIDPICPARAMS`, as far as it is looked at.
#[repr(C)]
struct PictureInfo {
    blocks: [c_int; 2],
    surface: c_int,
    fields: [c_int; 3],
    bytes: c_uint,
    at: *const u8,
}

/// `CUVIDPROCPARAMS`, as far as it is looked at.
#[repr(C)]
struct MapInfo {
    flags: [c_uint; 6],
    raw_input: u64,
    raw_input_form: [c_uint; 2],
    raw_output: u64,
    raw_output_form: [c_uint; 2],
    stream: usize,
}

/// 4:2:0 by NVIDIA's number, and what it becomes: NV12, and words whose high bits are used.
const CHROMA_420: c_int = 1;
const NV12: c_int = 0;
const P016: c_int = 1;

// SAFETY: for all below: pointers are those that `cuviddec.h` tells callers to give.
functions! {
    #[context]
    fn cuvidGetDecoderCaps(caps: *mut Caps) |d| {
        let caps = unsafe { &mut *caps };
        let known = caps.chroma == CHROMA_420 && matches!(caps.bits_over_8, 0 | 2);
        caps.is_supported = u8::from(known && d.settings.decodes);
        (caps.decoders, caps.formats) = (1, 3);
        (caps.most_width, caps.most_height, caps.most_blocks) = (4096, 4096, 65536);
        (caps.least_width, caps.least_height) = (48, 16);
        Ok(())
    }

    #[context]
    fn cuvidCreateDecoder(decoder: *mut usize, info: *const CreateInfo) |d| {
        let info = unsafe { &*info };
        let (bytes, is_right) = match info.format {
            NV12 => (1, info.bits_over_8 == 0),
            P016 => (2, info.bits_over_8 == 2),
            _ => (0, false),
        };
        let (width, height) = (info.target_width as usize, info.target_height as usize);
        if !is_right || info.chroma != CHROMA_420 || (width | height) % 2 != 0 || !(1..=32).contains(&info.surfaces) {
            return Err(d.refuse(code::NOT_SUPPORTED, "no decoder is like that"));
        }
        let handle = d.handle();
        let made = Decoder {
            row: width * bytes,
            rows: height,
            surfaces: info.surfaces as usize,
            outputs: info.outputs as usize,
            decoded: Default::default(),
            mapped: Vec::new(),
        };
        d.decoding.decoders.insert(handle, made);
        unsafe { decoder.write(handle) };
        Ok(())
    }

    #[context]
    fn cuvidDestroyDecoder(decoder: usize) |d| {
        match d.decoding.decoders.remove(&decoder) {
            Some(decoder) if decoder.mapped.is_empty() => Ok(()),
            Some(_) => Err(d.refuse(code::INVALID_HANDLE, "a decoder goes while its surfaces are handed out")),
            None => Err(code::INVALID_HANDLE),
        }
    }

    #[context]
    fn cuvidDecodePicture(decoder: usize, info: *const PictureInfo) |d| {
        let info = unsafe { &*info };
        let coded = unsafe { std::slice::from_raw_parts(info.at, info.bytes as usize) };
        d.decode(decoder, info.surface, coded)
    }

    #[context]
    fn cuvidMapVideoFrame64(decoder: usize, surface: c_int, at: *mut u64, pitch: *mut c_uint, info: *const MapInfo) |d| {
        let (there, apart) = d.map(decoder, surface, unsafe { &*info }.stream)?;
        unsafe { at.write(there) };
        unsafe { pitch.write(apart as c_uint) };
        Ok(())
    }

    #[context]
    fn cuvidUnmapVideoFrame64(decoder: usize, at: u64) |d| {
        d.unmap(decoder, at)
    }
}
