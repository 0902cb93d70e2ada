//! What each instruction that only computes makes of its operands. Pure; the rules are those of the PTX ISA manual.

use super::code::{Compare, Compute, Part};
use super::types::Type;

/// The result of an instruction of type `ty`. `operands`: the registers as they are, unread ones 0.
pub(super) fn compute(what: Compute, ty: Type, operands: [u64; 3]) -> u64 {
    let [a, b, c] = operands.map(|operand| ty.read(operand));
    match what {
        Compute::Add => ty.write(a + b),
        Compute::Sub => ty.write(a - b),
        Compute::Mul(part) => multiply(part, ty, a, b, 0),
        // The third operand of `mad.wide` has the width of the result.
        Compute::Mad(Part::Wide) => multiply(Part::Wide, ty, a, b, ty.doubled().read(operands[2])),
        Compute::Mad(part) => multiply(part, ty, a, b, c),
        Compute::Min => ty.write(a.min(b)),
        Compute::Max => ty.write(a.max(b)),
        Compute::Neg => ty.write(-a),
        Compute::Abs => ty.write(a.abs()),
        Compute::And => ty.write(a & b),
        Compute::Or => ty.write(a | b),
        Compute::Xor => ty.write(a ^ b),
        Compute::Not if ty == Type::PREDICATE => u64::from(a == 0),
        Compute::Not => ty.write(!a),
        Compute::Shl => shift_left(ty, a, operands[1]),
        Compute::Shr => ty.write(a >> distance(operands[1])),
        Compute::BitField => bit_field(ty, a, operands[1], operands[2]),
        Compute::Permute => permute(operands),
        Compute::Set(compare) => u64::from(holds(compare, a, b)),
        Compute::Select => ty.write(if operands[2] != 0 { a } else { b }),
        Compute::Move => ty.write(a),
        Compute::Convert { from } => ty.write(from.read(operands[0])),
    }
}

fn multiply(part: Part, ty: Type, a: i128, b: i128, c: i128) -> u64 {
    let product = a.wrapping_mul(b);
    match part {
        Part::Low => ty.write(product.wrapping_add(c)),
        Part::Wide => ty.doubled().write(product.wrapping_add(c)),
        // A product of two unsigned 64-bit numbers needs all 128 bits, so the sign bit is none.
        Part::High if ty == Type::U64 => ty.write(((product as u128) >> 64) as i128 + c),
        Part::High => ty.write((product >> ty.bits()) + c),
    }
}

/// Shift amounts are unsigned 32-bit numbers; those above the width count as the width.
fn distance(amount: u64) -> u32 {
    (amount as u32).min(64)
}

fn shift_left(ty: Type, a: i128, amount: u64) -> u64 {
    if distance(amount) >= ty.bits() { 0 } else { ty.write(a << distance(amount)) }
}

/// `bfe`: `length` bits of `a` from bit `start`; above the top, a signed field goes on with its own top bit.
fn bit_field(ty: Type, a: i128, start: u64, length: u64) -> u64 {
    let (start, length) = ((start & 0xff) as u32, (length & 0xff) as u32);
    if length == 0 {
        return 0;
    }
    let field = a >> start.min(127);
    if length >= ty.bits() {
        return ty.write(field);
    }
    let mask = (1i128 << length) - 1;
    let sign = matches!(ty.kind, super::types::Kind::Signed) && (a >> (start + length - 1).min(ty.bits() - 1)) & 1 == 1;
    ty.write(if sign { field | !mask } else { field & mask })
}

/// `prmt` in its generic form: each of four nibbles of the third operand picks one of the eight bytes of the first two;
/// its top bit asks for that byte's sign in all eight bits.
fn permute([a, b, selector]: [u64; 3]) -> u64 {
    let bytes = (a & 0xffff_ffff) | (b << 32);
    (0..4).fold(0, |result, place| {
        let nibble = selector >> (4 * place);
        let byte = (bytes >> (8 * (nibble & 7))) & 0xff;
        let byte = if nibble & 8 == 0 { byte } else { 0xff * (byte >> 7) };
        result | (byte << (8 * place))
    })
}

fn holds(compare: Compare, a: i128, b: i128) -> bool {
    match compare {
        Compare::Equal => a == b,
        Compare::NotEqual => a != b,
        Compare::Less => a < b,
        Compare::LessOrEqual => a <= b,
        Compare::Greater => a > b,
        Compare::GreaterOrEqual => a >= b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(what: Compute, ty: &str, operands: [u64; 3]) -> u64 {
        compute(what, Type::named(ty).unwrap(), operands)
    }

    const MINUS_ONE: u64 = 0xffff_ffff;

    #[test]
    fn sums_wrap_at_the_width_of_their_type() {
        assert_eq!(of(Compute::Add, "s32", [0x7fff_ffff, 1, 0]), 0x8000_0000);
        assert_eq!(of(Compute::Add, "u16", [0xffff, 2, 0]), 1);
        assert_eq!(of(Compute::Sub, "u32", [0, 1, 0]), MINUS_ONE);
        assert_eq!(of(Compute::Add, "u64", [u64::MAX, 1, 0]), 0);
    }

    #[test]
    fn a_product_has_a_low_a_high_and_a_wide_form() {
        // -1 * 5 signed, and 4294967295 * 5 = 21474836475 = 0x4_ffff_fffb unsigned.
        assert_eq!(of(Compute::Mul(Part::Low), "s32", [MINUS_ONE, 5, 0]), 0xffff_fffb);
        assert_eq!(of(Compute::Mul(Part::Wide), "s32", [MINUS_ONE, 5, 0]), (-5i64).cast_unsigned());
        assert_eq!(of(Compute::Mul(Part::Wide), "u32", [MINUS_ONE, 5, 0]), 0x4_ffff_fffb);
        assert_eq!(of(Compute::Mul(Part::High), "u32", [MINUS_ONE, 5, 0]), 4);
        assert_eq!(of(Compute::Mul(Part::High), "s32", [MINUS_ONE, 5, 0]), MINUS_ONE);
        // (2^64 - 1)^2 = 2^128 - 2^65 + 1: the high half is 2^64 - 2.
        assert_eq!(of(Compute::Mul(Part::High), "u64", [u64::MAX, u64::MAX, 0]), u64::MAX - 1);
        assert_eq!(of(Compute::Mul(Part::Wide), "s16", [0x8000, 0x8000, 0]), 0x4000_0000);
    }

    #[test]
    fn what_is_added_to_a_wide_product_is_as_wide_as_it() {
        assert_eq!(of(Compute::Mad(Part::Low), "s32", [3, 4, MINUS_ONE]), 11);
        assert_eq!(of(Compute::Mad(Part::Wide), "s32", [2, 3, 0x1_0000_0000]), 0x1_0000_0006);
        assert_eq!(of(Compute::Mad(Part::Wide), "u16", [0xffff, 0xffff, 1]), 0xfffe_0002);
    }

    #[test]
    fn signs_matter_where_the_manual_says() {
        assert_eq!(of(Compute::Min, "s32", [MINUS_ONE, 1, 0]), MINUS_ONE);
        assert_eq!(of(Compute::Min, "u32", [MINUS_ONE, 1, 0]), 1);
        assert_eq!(of(Compute::Max, "s32", [MINUS_ONE, 1, 0]), 1);
        assert_eq!(of(Compute::Abs, "s32", [MINUS_ONE, 0, 0]), 1);
        assert_eq!(of(Compute::Neg, "s16", [1, 0, 0]), 0xffff);
        assert_eq!(of(Compute::Set(Compare::Less), "s32", [MINUS_ONE, 0, 0]), 1);
        assert_eq!(of(Compute::Set(Compare::Less), "u32", [MINUS_ONE, 0, 0]), 0);
        assert_eq!(of(Compute::Set(Compare::GreaterOrEqual), "s32", [5, 5, 0]), 1);
        assert_eq!(of(Compute::Set(Compare::NotEqual), "u32", [5, 5, 0]), 0);
    }

    #[test]
    fn shifts_beyond_the_width_give_nothing_or_the_sign() {
        assert_eq!(of(Compute::Shl, "b32", [1, 31, 0]), 0x8000_0000);
        assert_eq!(of(Compute::Shl, "b32", [1, 32, 0]), 0);
        assert_eq!(of(Compute::Shl, "b16", [1, 16, 0]), 0);
        assert_eq!(of(Compute::Shr, "u32", [MINUS_ONE, 32, 0]), 0);
        assert_eq!(of(Compute::Shr, "s32", [0x8000_0000, 40, 0]), MINUS_ONE);
        assert_eq!(of(Compute::Shr, "s32", [0xffff_fff8, 2, 0]), 0xffff_fffe);
        assert_eq!(of(Compute::Shr, "u64", [u64::MAX, 63, 0]), 1);
        assert_eq!(of(Compute::Shr, "u64", [u64::MAX, 0xffff_ffff, 0]), 0);
    }

    #[test]
    fn bits_are_combined_one_by_one() {
        assert_eq!(of(Compute::And, "b32", [0b1100, 0b1010, 0]), 0b1000);
        assert_eq!(of(Compute::Or, "b32", [0b1100, 0b1010, 0]), 0b1110);
        assert_eq!(of(Compute::Xor, "b32", [0b1100, 0b1010, 0]), 0b0110);
        assert_eq!(of(Compute::Not, "b16", [0x00ff, 0, 0]), 0xff00);
        assert_eq!(of(Compute::Not, "pred", [1, 0, 0]), 0);
        assert_eq!(of(Compute::Not, "pred", [0, 0, 0]), 1);
    }

    #[test]
    fn a_bit_field_is_taken_as_the_manual_says() {
        assert_eq!(of(Compute::BitField, "u32", [0xabcd_1234, 8, 8]), 0x12);
        assert_eq!(of(Compute::BitField, "s32", [0x0000_8000, 8, 8]), 0xffff_ff80);
        assert_eq!(of(Compute::BitField, "u32", [0xabcd_1234, 8, 0]), 0);
        assert_eq!(of(Compute::BitField, "u32", [0xabcd_1234, 28, 8]), 0xa);
        assert_eq!(of(Compute::BitField, "s32", [0xabcd_1234, 28, 8]), 0xffff_fffa);
    }

    #[test]
    fn bytes_are_permuted_as_the_manual_says() {
        // The manual counts a's bytes from 0 and b's from 4; 0x3210 gives a back, 0x7654 gives b.
        assert_eq!(of(Compute::Permute, "b32", [0x4433_2211, 0x8877_6655, 0x3210]), 0x4433_2211);
        assert_eq!(of(Compute::Permute, "b32", [0x4433_2211, 0x8877_6655, 0x7654]), 0x8877_6655);
        assert_eq!(of(Compute::Permute, "b32", [0x4433_2211, 0x8877_6655, 0x0416]), 0x1155_2277);
        assert_eq!(of(Compute::Permute, "b32", [0x4433_2211, 0x8877_6655, 0x000f]), 0x1111_11ff);
    }

    #[test]
    fn a_conversion_reads_one_type_and_writes_another() {
        let from = |ty| Compute::Convert { from: Type::named(ty).unwrap() };
        assert_eq!(of(from("s32"), "s64", [MINUS_ONE, 0, 0]), u64::MAX);
        assert_eq!(of(from("u32"), "u64", [MINUS_ONE, 0, 0]), MINUS_ONE);
        assert_eq!(of(from("s8"), "s32", [0x80, 0, 0]), 0xffff_ff80);
        assert_eq!(of(from("u64"), "u32", [0x1_0000_0007, 0, 0]), 7);
    }

    #[test]
    fn a_selection_takes_the_first_where_the_predicate_holds() {
        assert_eq!(of(Compute::Select, "b32", [7, 8, 1]), 7);
        assert_eq!(of(Compute::Select, "b32", [7, 8, 0]), 8);
    }
}
