//! A module as it is run: kernels, instructions, operands.

use std::collections::HashMap;

use super::types::Type;

/// What a module's text says.
#[derive(Debug)]
pub(crate) struct Module {
    /// The version of PTX, as 63 for 6.3: an old driver refuses newer text.
    pub(crate) version: u32,
    /// The oldest architecture it is for, as 75.
    pub(crate) target: u32,
    pub(crate) kernels: HashMap<String, Kernel>,
}

#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) name: String,
    /// Where each parameter begins, and its size.
    pub(crate) parameters: Vec<(usize, usize)>,
    pub(crate) parameter_bytes: usize,
    /// The threads a block may have, when the text says it.
    pub(crate) most_threads: u32,
    pub(crate) registers: usize,
    pub(crate) code: Vec<Instruction>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Instruction {
    /// The predicate that must hold, and whether it must be false instead.
    pub(crate) guard: Option<(u32, bool)>,
    pub(crate) what: What,
    pub(crate) ty: Type,
    /// The line of the text, from 1.
    pub(crate) line: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    Compute { what: Compute, to: u32, from: [Operand; 3] },
    Load { space: Space, to: [u32; 4], lanes: u32, at: Address },
    Store { space: Space, from: [Operand; 4], lanes: u32, at: Address },
    Branch { to: usize },
    Barrier,
    Return,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compute {
    Add,
    Sub,
    Mul(Part),
    Mad(Part),
    Min,
    Max,
    Neg,
    Abs,
    And,
    Or,
    Xor,
    Not,
    Shl,
    Shr,
    BitField,
    Permute,
    Set(Compare),
    Select,
    Move,
    Convert { from: Type },
}

/// Which half of a product is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Low,
    High,
    Wide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    Parameter,
    Global,
    Shared,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operand {
    Register(u32),
    Value(u64),
    /// Where the thread is: `tid`, `ntid`, `ctaid`, `nctaid`, each with x, y, z.
    Place(usize),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Address {
    pub(crate) base: Operand,
    pub(crate) offset: i64,
}

/// The names of [`Operand::Place`], in the order of [`super::thread::Places`].
pub(crate) const PLACES: [&str; 12] = [
    "tid.x", "tid.y", "tid.z", "ntid.x", "ntid.y", "ntid.z", "ctaid.x", "ctaid.y", "ctaid.z", "nctaid.x", "nctaid.y",
    "nctaid.z",
];
