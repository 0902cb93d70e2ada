//! Matrix, range and depth of a stream -> the integers its pixels are multiplied with. `docs/frames.md`, section 2.

/// Which red, green and blue a video's luma and colour differences were made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColourMatrix {
    /// Standard definition.
    Bt601,
    /// High definition.
    Bt709,
    /// Ultra high definition.
    Bt2020,
    /// Early high definition.
    Smpte240,
    /// Television of the United States of 1953.
    Fcc,
}

/// Which numbers stand for black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColourRange {
    /// 16 and 235, of 8 bits.
    Limited,
    /// 0 and 255.
    Full,
}

impl ColourMatrix {
    /// Kr and Kb in ten-thousandths.
    const fn weights(self) -> (u64, u64) {
        match self {
            ColourMatrix::Bt601 => (2990, 1140),
            ColourMatrix::Bt709 => (2126, 722),
            ColourMatrix::Bt2020 => (2627, 593),
            ColourMatrix::Smpte240 => (2120, 870),
            ColourMatrix::Fcc => (3000, 1100),
        }
    }
}

/// What turns luma and chroma into red, green and blue:
///
/// ```text
/// l = luma * (Y - luma_zero) + (1 << (shift - 1))
/// R = clip((l + red_v * (V - chroma_zero)) >> shift)
/// G = clip((l - green_v * (V - chroma_zero) - green_u * (U - chroma_zero)) >> shift)
/// B = clip((l + blue_u * (U - chroma_zero)) >> shift)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Coefficients {
    /// The luma of black.
    pub luma_zero: i32,
    /// The chroma of grey.
    pub chroma_zero: i32,
    /// What luma is multiplied with; like all of these it fits 16 bits.
    pub luma: i32,
    /// What V gives to red.
    pub red_v: i32,
    /// What V takes from green.
    pub green_v: i32,
    /// What U takes from green.
    pub green_u: i32,
    /// What U gives to blue.
    pub blue_u: i32,
    /// How many bits of the sum are its fraction.
    pub shift: u32,
}

impl Coefficients {
    /// The coefficients of a matrix, a range and 8 to 16 bits a sample.
    pub fn new(matrix: ColourMatrix, range: ColourRange, depth: u32) -> Self {
        let step = 1_u64 << (depth - 8);
        let (luma_zero, luma_span, chroma_span) = match range {
            ColourRange::Limited => (16 * step, 219 * step, 224 * step),
            ColourRange::Full => (0, (1 << depth) - 1, (1 << depth) - 1),
        };
        let shift = 13 + depth - 8;
        let one = 10_000_u64;
        let (red, blue) = matrix.weights();
        let green = one - red - blue;
        // Fractions of whole numbers, so that no float of any machine has a say in them.
        let scaled = |above: u64, below: u64| rounded(above * (255 << shift), below);
        let of_chroma = |weight: u64| scaled(2 * (one - weight), one * chroma_span);
        let of_green = |weight: u64| scaled(2 * (one - weight) * weight, one * green * chroma_span);
        Coefficients {
            luma_zero: luma_zero as i32,
            chroma_zero: 1 << (depth - 1),
            luma: scaled(1, luma_span),
            red_v: of_chroma(red),
            green_v: of_green(red),
            green_u: of_green(blue),
            blue_u: of_chroma(blue),
            shift,
        }
    }
}

fn rounded(above: u64, below: u64) -> i32 {
    ((2 * above + below) / (2 * below)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Luma, red of V, blue of U, green of V, green of U: limited at any depth, full at 8 bits, full at 10.
    type Row = (ColourMatrix, [i32; 5], [i32; 5], [i32; 5]);

    /// The table of docs/frames.md, made with Python's `fractions` from the standards' Kr and Kb.
    const TABLE: [Row; 5] = [
        (
            ColourMatrix::Bt601,
            [9539, 13075, 16525, 6660, 3209],
            [8192, 11485, 14516, 5850, 2819],
            [8168, 11452, 14474, 5833, 2811],
        ),
        (
            ColourMatrix::Bt709,
            [9539, 14686, 17305, 4366, 1747],
            [8192, 12901, 15201, 3835, 1535],
            [8168, 12863, 15156, 3824, 1530],
        ),
        (
            ColourMatrix::Bt2020,
            [9539, 13752, 17545, 5328, 1535],
            [8192, 12080, 15412, 4681, 1348],
            [8168, 12044, 15367, 4667, 1344],
        ),
        (
            ColourMatrix::Smpte240,
            [9539, 14697, 17029, 4445, 2113],
            [8192, 12911, 14959, 3904, 1856],
            [8168, 12873, 14915, 3893, 1851],
        ),
        (
            ColourMatrix::Fcc,
            [9539, 13056, 16600, 6639, 3095],
            [8192, 11469, 14582, 5832, 2719],
            [8168, 11435, 14539, 5814, 2711],
        ),
    ];

    fn of(matrix: ColourMatrix, range: ColourRange, depth: u32) -> [i32; 5] {
        let c = Coefficients::new(matrix, range, depth);
        [c.luma, c.red_v, c.blue_u, c.green_v, c.green_u]
    }

    #[test]
    fn coefficients_are_those_of_the_page() {
        for (matrix, limited, full_8, full_10) in TABLE {
            for depth in [8, 9, 10, 12, 14, 16] {
                assert_eq!(of(matrix, ColourRange::Limited, depth), limited, "{matrix:?} at {depth} bits");
            }
            assert_eq!(of(matrix, ColourRange::Full, 8), full_8, "{matrix:?}");
            assert_eq!(of(matrix, ColourRange::Full, 10), full_10, "{matrix:?}");
        }
    }

    #[test]
    fn zeros_and_shift_grow_with_the_depth() {
        let c = Coefficients::new(ColourMatrix::Bt709, ColourRange::Limited, 10);
        assert_eq!((c.luma_zero, c.chroma_zero, c.shift), (64, 512, 15));
        let c = Coefficients::new(ColourMatrix::Bt709, ColourRange::Full, 8);
        assert_eq!((c.luma_zero, c.chroma_zero, c.shift), (0, 128, 13));
    }
}
