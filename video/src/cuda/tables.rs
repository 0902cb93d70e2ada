//! A plan -> what the kernel is given: one block of tables, the numbers beside it, and how pictures lie on the device.

use super::params::{Axis, Params};
use super::raw::Shape;
use crate::frames::{Chroma, Element, FrameError, Layout, Picture, Plan, Surface, Taps};

/// Rows of the canvas that a block fills, and threads beside each other: `ROWS` and `LANES` of `frames.cu`.
const ROWS: u32 = 8;
const LANES: u32 = 32;

/// Every device has so much shared memory for a block.
const SHARED_BYTES: u32 = 48 * 1024;

/// Rows of a picture begin at multiples of this, so that a device reads them in whole words.
const ALIGNED: usize = 16;

/// All of a plan that does not change from launch to launch.
pub(super) struct Tables {
    /// What goes to the device as it is.
    pub(super) bytes: Vec<u8>,
    /// Addresses are counted from the tables' first byte, until `at` moves them.
    params: Params,
    pub(super) pictures: PictureLayout,
    /// Bytes of one tensor.
    pub(super) tensor_bytes: usize,
    /// The name of the kernel for these samples and numbers.
    pub(super) kernel: &'static str,
    /// What there is to do for a frame.
    pub(super) work: Work,
    grid: [u32; 2],
}

impl Tables {
    /// Computes them.
    ///
    /// # Errors
    /// When pictures are shrunk so much that one column of the result needs more than a block's shared memory.
    pub(super) fn of(plan: &Plan) -> Result<Self, FrameError> {
        let tiles = Tiles::of(&plan.columns, plan)?;
        let pictures = PictureLayout::of(plan);
        let mut block = Block::default();
        let params = Params {
            values: block.put(&values(plan)),
            tile_starts: block.words(&tiles.starts),
            tile_counts: block.words(&tiles.counts),
            rows: block.axis(&plan.rows),
            columns: block.axis(&plan.columns),
            tile_width: tiles.width,
            span: tiles.span,
            ..numbers(plan, &pictures)
        };
        let grid = [plan.canvas.0.div_ceil(tiles.width), plan.canvas.1.div_ceil(ROWS)];
        let (tensor_bytes, kernel) = (plan.frame_bytes(), kernel(plan));
        let work = Work::of(plan, &tiles);
        Ok(Tables { bytes: block.0, params, pictures, tensor_bytes, kernel, work, grid })
    }

    /// The parameters of a launch over pictures and tensors at these addresses.
    pub(super) fn params(&self, tables: u64, pictures: u64, tensors: u64) -> Params {
        let axis = |axis: Axis| Axis {
            starts: axis.starts + tables,
            counts: axis.counts + tables,
            weights: axis.weights + tables,
            ..axis
        };
        Params {
            pictures,
            tensors,
            values: self.params.values + tables,
            tile_starts: self.params.tile_starts + tables,
            tile_counts: self.params.tile_counts + tables,
            rows: axis(self.params.rows),
            columns: axis(self.params.columns),
            ..self.params
        }
    }

    /// The same for one picture that lies as its decoder left it. Planes may lie in any order: the way from luma to chroma is
    /// added to an address, and wraps as that does.
    pub(super) fn params_there(&self, tables: u64, picture: &DevicePicture, tensor: u64) -> Params {
        Params {
            u_offset: picture.u.wrapping_sub(picture.luma),
            v_offset: picture.v.wrapping_sub(picture.luma),
            luma_pitch: picture.luma_pitch,
            chroma_pitch: picture.chroma_pitch,
            ..self.params(tables, picture.luma, tensor)
        }
    }

    /// The blocks of a launch over so many pictures.
    pub(super) fn shape(&self, pictures: u32) -> Shape {
        let shared_bytes = self.params.span * ROWS * 4;
        Shape { grid: [self.grid[0], self.grid[1], pictures], block: [LANES, ROWS, 1], shared_bytes }
    }
}

/// Which source columns each column of blocks looks at.
struct Tiles {
    width: u32,
    starts: Vec<u32>,
    counts: Vec<u32>,
    /// The most that any looks at.
    span: u32,
}

impl Tiles {
    fn of(columns: &Taps, plan: &Plan) -> Result<Self, FrameError> {
        // Narrower blocks look at fewer columns, and do more work twice.
        let mut widths = [32, 16, 8, 4, 2, 1].into_iter().map(|width| Tiles::as_wide_as(width, columns, plan));
        widths.find(|tiles| tiles.span * ROWS * 4 <= SHARED_BYTES).ok_or_else(|| {
            let message = format!("{} columns become {} on a GPU", plan.shape.width, plan.place.width);
            FrameError::new(message, "shrink less, or use the CPU")
        })
    }

    fn as_wide_as(width: u32, columns: &Taps, plan: &Plan) -> Self {
        let (left, right) = (plan.place.left, plan.place.left + plan.place.width);
        let of_block = |first: u32| {
            let inside = first.max(left)..(first + width).min(right);
            let taps = |x: u32| (columns.starts[(x - left) as usize], columns.counts[(x - left) as usize]);
            let start = inside.clone().map(|x| taps(x).0).min().unwrap_or(0);
            let end = inside.map(taps).map(|(start, count)| start + count).max().unwrap_or(0);
            (start, end - start)
        };
        let (starts, counts): (Vec<u32>, Vec<u32>) = (0..plan.canvas.0).step_by(width as usize).map(of_block).unzip();
        let span = counts.iter().copied().max().unwrap_or(0).max(1);
        Tiles { width, starts, counts, span }
    }
}

/// How often the parts of the kernel are done for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    /// Source pixels that are weighed in the first pass, and the sums that they are added up to.
    pub(super) products_of_columns: u64,
    pub(super) sums_of_columns: u64,
    /// Threads that make such sums, and all others.
    pub(super) threads: u64,
    pub(super) others: u64,
    /// Pixels that are weighed in the second pass.
    pub(super) products_of_rows: u64,
    /// Pixels of the resized picture, and around it.
    pub(super) pixels: u64,
    pub(super) bars: u64,
}

impl Work {
    fn of(plan: &Plan, tiles: &Tiles) -> Self {
        let sum = |counts: &[u32]| counts.iter().map(|count| u64::from(*count)).sum::<u64>();
        let (wide, high) = (u64::from(plan.place.width), u64::from(plan.place.height));
        let blocks = tiles.counts.len() as u64 * u64::from(plan.canvas.1.div_ceil(ROWS));
        let threads = tiles.counts.iter().map(|count| u64::from(*count.min(&LANES))).sum::<u64>() * high;
        Work {
            products_of_columns: sum(&tiles.counts) * sum(&plan.rows.counts),
            sums_of_columns: sum(&tiles.counts) * high,
            threads,
            others: blocks * u64::from(ROWS * LANES) - threads,
            products_of_rows: sum(&plan.columns.counts) * high,
            pixels: wide * high,
            bars: u64::from(plan.canvas.0) * u64::from(plan.canvas.1) - wide * high,
        }
    }
}

/// Bytes that grow, each table at a multiple of eight.
#[derive(Default)]
struct Block(Vec<u8>);

impl Block {
    /// Where the table begins.
    fn put(&mut self, table: &[u8]) -> u64 {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let at = self.0.len() as u64;
        self.0.extend_from_slice(table);
        at
    }

    fn words(&mut self, table: &[u32]) -> u64 {
        self.put(&table.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>())
    }

    fn axis(&mut self, taps: &Taps) -> Axis {
        let weights: Vec<u8> = taps.weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
        Axis {
            starts: self.words(&taps.starts),
            counts: self.words(&taps.counts),
            weights: self.put(&weights),
            width: taps.width as u32,
            shift: taps.shift,
        }
    }
}

fn values(plan: &Plan) -> Vec<u8> {
    match plan.spec.element {
        Element::U8 => (0..3).flat_map(|_| 0_u8..=255).collect(),
        Element::F16 => plan.values.f16.as_flattened().iter().flat_map(|bits| bits.to_le_bytes()).collect(),
        Element::F32 => plan.values.f32.as_flattened().iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

fn kernel(plan: &Plan) -> &'static str {
    match (plan.shape.format.sample_bytes(), plan.spec.element) {
        (1, Element::U8) => "frames_8_u8",
        (1, Element::F16) => "frames_8_f16",
        (1, Element::F32) => "frames_8_f32",
        (_, Element::U8) => "frames_16_u8",
        (_, Element::F16) => "frames_16_f16",
        (_, Element::F32) => "frames_16_f32",
    }
}

/// All of the parameters but tables and addresses.
fn numbers(plan: &Plan, pictures: &PictureLayout) -> Params {
    let (format, colour) = (plan.shape.format, plan.colour);
    let is_grey = format.chroma == Chroma::None;
    // Grey has no chroma to read: any sample does, as long as nothing is made of it.
    let of_chroma = |coefficient: i32| if is_grey { 0 } else { coefficient };
    let steps = Steps::of(plan);
    Params {
        picture_bytes: pictures.bytes as u64,
        tensor_numbers: (plan.frame_bytes() / plan.spec.element.size()) as u64,
        u_offset: pictures.u_offset as u64,
        v_offset: pictures.v_offset as u64,
        luma_pitch: pictures.planes[0].pitch as u32,
        chroma_pitch: pictures.planes[1].pitch as u32,
        chroma_step: pictures.chroma_step as u32,
        sub_x: format.sub_x,
        sub_y: format.sub_y,
        sample_shift: format.shift,
        sample_mask: (1 << format.depth) - 1,
        luma_zero: colour.luma_zero,
        chroma_zero: colour.chroma_zero,
        luma: colour.luma,
        red_v: of_chroma(colour.red_v),
        green_v: of_chroma(colour.green_v),
        green_u: of_chroma(colour.green_u),
        blue_u: of_chroma(colour.blue_u),
        colour_shift: colour.shift,
        canvas_width: plan.canvas.0,
        canvas_height: plan.canvas.1,
        place_left: plan.place.left,
        place_top: plan.place.top,
        place_width: plan.place.width,
        place_height: plan.place.height,
        pad: u32::from_le_bytes([plan.spec.pad[0], plan.spec.pad[1], plan.spec.pad[2], 0]),
        step_x: steps.x as i32,
        step_y: steps.y as i32,
        step_channel: steps.channel as i32,
        origin: steps.origin as u64,
        ..Params::default()
    }
}

/// Layout and turn in four numbers: where a place of the canvas lies in a tensor.
struct Steps {
    x: i64,
    y: i64,
    channel: i64,
    origin: i64,
}

impl Steps {
    fn of(plan: &Plan) -> Self {
        let (width, height) = (i64::from(plan.spec.width), i64::from(plan.spec.height));
        let (right, down, channel) = match plan.spec.layout {
            Layout::Nchw => (1, width, width * height),
            Layout::Nhwc => (3, 3 * width, 1),
        };
        // With `transpose`, a step along the canvas's columns is one down the result.
        let turn = plan.shape.turn;
        let (x, y) = if turn.transpose { (down, right) } else { (right, down) };
        let (last_x, last_y) = (i64::from(plan.canvas.0) - 1, i64::from(plan.canvas.1) - 1);
        let flipped = |flip: bool, step: i64, last: i64| if flip { (-step, step * last) } else { (step, 0) };
        let ((x, from_x), (y, from_y)) = (flipped(turn.flip_x, x, last_x), flipped(turn.flip_y, y, last_y));
        Steps { x, y, channel, origin: from_x + from_y }
    }
}

/// A picture on the device, as its decoder left it: addresses of planes there, which may lie anywhere, and bytes from row
/// to row. Whoever gives it has waited for the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DevicePicture {
    /// The first sample of luma.
    pub luma: u64,
    /// The first sample of U.
    pub u: u64,
    /// The first sample of V: in NV12 and its kin, the one after U's.
    pub v: u64,
    /// From one row of luma to the next.
    pub luma_pitch: u32,
    /// From one row of chroma to the next, in both planes when there are two.
    pub chroma_pitch: u32,
}

impl DevicePicture {
    /// The surface of a decoder, whose chroma is U and V in turn.
    pub(super) fn of(surface: &Surface<'_>) -> Self {
        let ([luma, chroma], [luma_pitch, chroma_pitch]) = (surface.there.planes, surface.there.pitches);
        let v = chroma + surface.format.sample_bytes() as u64;
        DevicePicture { luma, u: chroma, v, luma_pitch, chroma_pitch }
    }
}

/// How a picture that was copied lies on the device.
pub(super) struct PictureLayout {
    planes: [PlaneLayout; 3],
    /// How many planes are copied.
    count: usize,
    u_offset: usize,
    v_offset: usize,
    chroma_step: usize,
    /// From one picture to the next.
    pub(super) bytes: usize,
}

/// Where a plane begins, the bytes from row to row, those of a row that count, and the rows.
#[derive(Clone, Copy, Default)]
struct PlaneLayout {
    offset: usize,
    pitch: usize,
    row_bytes: usize,
    rows: usize,
}

impl PictureLayout {
    fn of(plan: &Plan) -> Self {
        let (shape, format) = (&plan.shape, plan.shape.format);
        let mut planes = [PlaneLayout::default(); 3];
        let mut bytes = 0;
        for (number, plane) in planes.iter_mut().enumerate().take(format.planes()) {
            let (row_bytes, rows) = format.plane_size(number, shape.width, shape.height);
            let pitch = row_bytes.next_multiple_of(ALIGNED);
            *plane = PlaneLayout { offset: bytes, pitch, row_bytes, rows };
            bytes += pitch * rows;
        }
        let sample = format.sample_bytes();
        let (u_offset, v_offset, chroma_step) = match format.chroma {
            Chroma::None => (0, 0, 0),
            Chroma::Planar => (planes[1].offset, planes[2].offset, sample),
            Chroma::Interleaved => (planes[1].offset, planes[1].offset + sample, 2 * sample),
        };
        PictureLayout { planes, count: format.planes(), u_offset, v_offset, chroma_step, bytes }
    }

    /// Copies a picture's rows to where the kernel reads them. What lies between rows is left as it was.
    pub(super) fn copy(&self, picture: &Picture<'_>, to: &mut [u8]) {
        for (plane, layout) in picture.planes.iter().zip(&self.planes).take(self.count) {
            let rows = plane.bytes.chunks(plane.stride).zip(to[layout.offset..].chunks_mut(layout.pitch));
            for (from, to) in rows.take(layout.rows) {
                to[..layout.row_bytes].copy_from_slice(&from[..layout.row_bytes]);
            }
        }
    }
}
