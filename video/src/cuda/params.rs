//! What a launch is told, as `video/kernels/params.h` has it.

/// How one axis is resized. Fields are addresses on the device and numbers of `Taps`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Axis {
    pub(super) starts: u64,
    pub(super) counts: u64,
    pub(super) weights: u64,
    pub(super) width: u32,
    pub(super) shift: u32,
}

/// The one parameter of every kernel.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Params {
    pub(super) pictures: u64,
    pub(super) tensors: u64,
    pub(super) values: u64,
    pub(super) tile_starts: u64,
    pub(super) tile_counts: u64,
    pub(super) rows: Axis,
    pub(super) columns: Axis,
    pub(super) picture_bytes: u64,
    pub(super) tensor_numbers: u64,
    pub(super) u_offset: u64,
    pub(super) v_offset: u64,
    pub(super) luma_pitch: u32,
    pub(super) chroma_pitch: u32,
    pub(super) chroma_step: u32,
    pub(super) sub_x: u32,
    pub(super) sub_y: u32,
    pub(super) sample_shift: u32,
    pub(super) sample_mask: u32,
    pub(super) luma_zero: i32,
    pub(super) chroma_zero: i32,
    pub(super) luma: i32,
    pub(super) red_v: i32,
    pub(super) green_v: i32,
    pub(super) green_u: i32,
    pub(super) blue_u: i32,
    pub(super) colour_shift: u32,
    pub(super) canvas_width: u32,
    pub(super) canvas_height: u32,
    pub(super) place_left: u32,
    pub(super) place_top: u32,
    pub(super) place_width: u32,
    pub(super) place_height: u32,
    pub(super) tile_width: u32,
    pub(super) span: u32,
    pub(super) pad: u32,
    pub(super) step_x: i32,
    pub(super) step_y: i32,
    pub(super) step_channel: i32,
    pub(super) origin: u64,
}

const _: () = assert!(size_of::<Axis>() == 32 && size_of::<Params>() == 256, "params.h has the same sizes");
