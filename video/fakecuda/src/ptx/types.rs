//! The types of PTX, and how 64 bits of a register are read as one of them.

/// What the bits mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bits,
    Unsigned,
    Signed,
    Predicate,
}

/// A type of PTX: `.u8` to `.s64`, `.b8` to `.b64`, `.pred`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Type {
    pub(crate) kind: Kind,
    pub(crate) bytes: u32,
}

impl Type {
    pub(crate) const U32: Type = Type { kind: Kind::Unsigned, bytes: 4 };
    pub(crate) const U64: Type = Type { kind: Kind::Unsigned, bytes: 8 };
    pub(crate) const PREDICATE: Type = Type { kind: Kind::Predicate, bytes: 1 };

    /// The type of a name without its dot, as `s32`. Floats are no part of what is understood.
    pub(crate) fn named(name: &str) -> Option<Type> {
        if name == "pred" {
            return Some(Type::PREDICATE);
        }
        let kind = match name.as_bytes().first()? {
            b'b' => Kind::Bits,
            b'u' => Kind::Unsigned,
            b's' => Kind::Signed,
            _ => return None,
        };
        let bytes = match &name[1..] {
            "8" => 1,
            "16" => 2,
            "32" => 4,
            "64" => 8,
            _ => return None,
        };
        Some(Type { kind, bytes })
    }

    pub(crate) fn bits(self) -> u32 {
        self.bytes * 8
    }

    /// The type of twice the width, which `.wide` gives.
    pub(crate) fn doubled(self) -> Type {
        Type { bytes: self.bytes * 2, ..self }
    }

    /// The number that a register holds when it is read as this type.
    pub(crate) fn read(self, register: u64) -> i128 {
        match (self.kind, self.bytes) {
            (Kind::Signed, 1) => i128::from(register as i8),
            (Kind::Signed, 2) => i128::from(register as i16),
            (Kind::Signed, 4) => i128::from(register as i32),
            (Kind::Signed, _) => i128::from(register as i64),
            _ => i128::from(self.cut(register)),
        }
    }

    /// The bits of a number in this type; what does not fit is cut off.
    pub(crate) fn write(self, number: i128) -> u64 {
        self.cut(number as u64)
    }

    fn cut(self, register: u64) -> u64 {
        if self.kind == Kind::Predicate {
            return u64::from(register != 0);
        }
        if self.bytes == 8 { register } else { register & ((1 << self.bits()) - 1) }
    }
}
