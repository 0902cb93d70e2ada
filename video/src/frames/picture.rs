//! One decoded picture as bytes: its planes and how numbers lie in them. Knows no decoder and no colour.

/// How the samples of a picture lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PixelFormat {
    /// Bits of a sample, 8 to 16. Above 8 a sample is a 16-bit little-endian word.
    pub depth: u32,
    /// By how many bits a word is shifted to the left: 16 - depth for P010 and its kin, else 0.
    pub shift: u32,
    /// Whether and how colour is stored.
    pub chroma: Chroma,
    /// Chroma has half the columns if this is 1, all if it is 0.
    pub sub_x: u32,
    /// Chroma has half the rows if this is 1, all if it is 0.
    pub sub_y: u32,
}

/// Where the colour of a picture lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chroma {
    /// Nowhere: the picture is grey.
    None,
    /// U in the second plane, V in the third.
    Planar,
    /// U and V in turn in the second plane.
    Interleaved,
}

impl PixelFormat {
    /// 8 bits, 4:2:0, three planes.
    pub const I420: PixelFormat = PixelFormat::planar(8, 1, 1);
    /// 8 bits, 4:2:0, U and V in turn.
    pub const NV12: PixelFormat = PixelFormat { chroma: Chroma::Interleaved, ..PixelFormat::I420 };
    /// 10 bits in the high bits of words, 4:2:0, U and V in turn.
    pub const P010: PixelFormat = PixelFormat { depth: 10, shift: 6, ..PixelFormat::NV12 };

    /// Three planes, samples in the low bits.
    pub const fn planar(depth: u32, sub_x: u32, sub_y: u32) -> Self {
        PixelFormat { depth, shift: 0, chroma: Chroma::Planar, sub_x, sub_y }
    }

    /// Luma alone.
    pub const fn grey(depth: u32) -> Self {
        PixelFormat { depth, shift: 0, chroma: Chroma::None, sub_x: 0, sub_y: 0 }
    }

    /// Bytes of a sample.
    pub const fn sample_bytes(self) -> usize {
        if self.depth > 8 { 2 } else { 1 }
    }

    /// How many planes there are.
    pub const fn planes(self) -> usize {
        match self.chroma {
            Chroma::None => 1,
            Chroma::Interleaved => 2,
            Chroma::Planar => 3,
        }
    }

    /// Bytes of a row and number of rows of a plane of a picture of this size, without padding.
    pub const fn plane_size(self, plane: usize, width: u32, height: u32) -> (usize, usize) {
        if plane == 0 {
            return (width as usize * self.sample_bytes(), height as usize);
        }
        let columns = ((width + self.sub_x) >> self.sub_x) as usize;
        let rows = ((height + self.sub_y) >> self.sub_y) as usize;
        let samples = if matches!(self.chroma, Chroma::Interleaved) { columns * 2 } else { columns };
        (samples * self.sample_bytes(), rows)
    }
}

/// A plane: rows that begin `stride` bytes apart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plane<'a> {
    /// From the first row's first byte to at least the last row's last.
    pub bytes: &'a [u8],
    /// Bytes from one row to the next, padding included.
    pub stride: usize,
}

/// The planes of one picture of the size and format that its plan was made for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Picture<'a> {
    /// As many as the format has; the rest is empty.
    pub planes: [Plane<'a>; 3],
}

impl Picture<'_> {
    /// Whether every plane is long enough for a picture of this format and size.
    pub fn fits(&self, format: PixelFormat, width: u32, height: u32) -> bool {
        (0..format.planes()).all(|number| {
            let (bytes, rows) = format.plane_size(number, width, height);
            let plane = &self.planes[number];
            let needed = rows.saturating_sub(1).checked_mul(plane.stride).and_then(|before| before.checked_add(bytes));
            plane.stride >= bytes && needed.is_some_and(|needed| plane.bytes.len() >= needed)
        })
    }
}
