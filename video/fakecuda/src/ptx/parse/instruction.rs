//! One statement -> what it does. Every part of an opcode must be taken by someone, or the statement is refused.

use super::operands::{Names, divided};
use crate::ptx::code::{Compare, Compute, Operand, Part, Space, What};
use crate::ptx::types::Type;

/// A statement whose label, if it has one, is still a name.
pub(super) enum Branch<'a> {
    To(&'a str),
    Other(What, Type),
}

/// Reads a statement without its guard and its `;`.
pub(super) fn instruction<'a>(statement: &'a str, names: &Names<'_>) -> Result<Branch<'a>, String> {
    let (opcode, rest) = statement.split_once(char::is_whitespace).unwrap_or((statement, ""));
    let mut opcode = Opcode::of(opcode);
    let operands = divided(rest);
    let read = match opcode.name {
        "bra" => {
            opcode.has("uni");
            let [label] = operands.as_slice() else { return Err("a branch has one label".to_owned()) };
            Branch::To(label)
        }
        "ret" => Branch::Other(What::Return, Type::PREDICATE),
        "bar" => {
            opcode.must("sync")?;
            if operands != ["0"] {
                return Err("only barrier 0, for all threads, is understood".to_owned());
            }
            Branch::Other(What::Barrier, Type::PREDICATE)
        }
        "ld" | "st" => memory(&mut opcode, &operands, names)?,
        _ => computation(&mut opcode, &operands, names)?,
    };
    opcode.finish()?;
    Ok(read)
}

/// `mul.wide.s32` in its parts.
struct Opcode<'a> {
    name: &'a str,
    parts: Vec<&'a str>,
}

impl<'a> Opcode<'a> {
    fn of(text: &'a str) -> Self {
        let mut parts = text.split('.');
        Opcode { name: parts.next().unwrap_or_default(), parts: parts.collect() }
    }

    /// Whether the next part is this one, which is then taken.
    fn has(&mut self, part: &str) -> bool {
        let here = self.parts.first() == Some(&part);
        if here {
            self.parts.remove(0);
        }
        here
    }

    fn must(&mut self, part: &str) -> Result<(), String> {
        if self.has(part) { Ok(()) } else { Err(format!("`{}` without `.{part}`", self.name)) }
    }

    fn ty(&mut self) -> Result<Type, String> {
        let Some(first) = self.parts.first() else { return Err(format!("`{}` has no type", self.name)) };
        let ty = Type::named(first).ok_or_else(|| format!("`.{first}` of `{}` is not understood", self.name))?;
        self.parts.remove(0);
        Ok(ty)
    }

    fn finish(&self) -> Result<(), String> {
        match self.parts.first() {
            None => Ok(()),
            Some(left) => Err(format!("`.{left}` of `{}` is not understood", self.name)),
        }
    }
}

fn memory<'a>(opcode: &mut Opcode<'_>, operands: &[&str], names: &Names<'_>) -> Result<Branch<'a>, String> {
    let space = space(opcode)?;
    // Memory that nobody writes while the kernel runs may be read past the caches' order; here it is the same.
    if opcode.name == "ld" && space == Space::Global {
        opcode.has("nc");
    }
    let lanes = if opcode.has("v2") { 2 } else { u32::from(opcode.has("v4")) * 3 + 1 };
    let ty = opcode.ty()?;
    let [first, second] = operands else { return Err("a copy has two operands".to_owned()) };
    let (at, values) = if opcode.name == "ld" { (second, first) } else { (first, second) };
    let (at, values) = (names.address(at)?, names.lanes(values)?);
    if values.len() != lanes as usize {
        return Err(format!("{lanes} values are moved, and {} are named", values.len()));
    }
    let mut from = [Operand::Value(0); 4];
    from[..values.len()].copy_from_slice(&values);
    if opcode.name == "st" {
        return Ok(Branch::Other(What::Store { space, from, lanes, at }, ty));
    }
    let mut to = [0; 4];
    for (to, value) in to.iter_mut().zip(&values) {
        *to = register(*value)?;
    }
    Ok(Branch::Other(What::Load { space, to, lanes, at }, ty))
}

fn space(opcode: &mut Opcode<'_>) -> Result<Space, String> {
    for (name, space) in [("param", Space::Parameter), ("global", Space::Global), ("shared", Space::Shared)] {
        if opcode.has(name) {
            if space == Space::Parameter && opcode.name == "st" {
                return Err("parameters are not written".to_owned());
            }
            return Ok(space);
        }
    }
    let named = opcode.parts.first().copied().unwrap_or("no space");
    Err(format!("`.{named}` of `{}` is not understood", opcode.name))
}

fn register(operand: Operand) -> Result<u32, String> {
    match operand {
        Operand::Register(register) => Ok(register),
        _ => Err("a result goes to a register".to_owned()),
    }
}

fn computation<'a>(opcode: &mut Opcode<'_>, operands: &[&str], names: &Names<'_>) -> Result<Branch<'a>, String> {
    let (what, sources) = operation(opcode)?;
    let mut ty = opcode.ty()?;
    let what = match what {
        Compute::Convert { .. } => Compute::Convert { from: opcode.ty()? },
        // A generic address is that of global memory, as nothing here makes one of shared memory.
        Compute::Move if opcode.name == "cvta" && ty != Type::U64 => return Err("an address of 32 bits".to_owned()),
        other => other,
    };
    if what == Compute::Permute {
        ty = Type::U32;
    }
    if operands.len() != sources + 1 {
        return Err(format!("{} operands where {} belong", operands.len(), sources + 1));
    }
    let to = register(names.operand(operands[0])?)?;
    let mut from = [Operand::Value(0); 3];
    for (from, text) in from.iter_mut().zip(&operands[1..]) {
        *from = names.operand(text)?;
    }
    Ok(Branch::Other(What::Compute { what, to, from }, ty))
}

/// What an opcode computes, and of how many operands.
fn operation(opcode: &mut Opcode<'_>) -> Result<(Compute, usize), String> {
    Ok(match opcode.name {
        "add" => (Compute::Add, 2),
        "sub" => (Compute::Sub, 2),
        "mul" => (Compute::Mul(part(opcode)?), 2),
        "mad" => (Compute::Mad(part(opcode)?), 3),
        "min" => (Compute::Min, 2),
        "max" => (Compute::Max, 2),
        "neg" => (Compute::Neg, 1),
        "abs" => (Compute::Abs, 1),
        "and" => (Compute::And, 2),
        "or" => (Compute::Or, 2),
        "xor" => (Compute::Xor, 2),
        "not" => (Compute::Not, 1),
        "shl" => (Compute::Shl, 2),
        "shr" => (Compute::Shr, 2),
        "bfe" => (Compute::BitField, 3),
        "prmt" => (Compute::Permute, 3),
        "setp" => (Compute::Set(compare(opcode)?), 2),
        "selp" => (Compute::Select, 3),
        "mov" => (Compute::Move, 1),
        "cvta" => {
            opcode.must("to")?;
            opcode.must("global")?;
            (Compute::Move, 1)
        }
        "cvt" => (Compute::Convert { from: Type::U64 }, 1),
        name => return Err(format!("`{name}` is not understood")),
    })
}

fn part(opcode: &mut Opcode<'_>) -> Result<Part, String> {
    for (name, part) in [("lo", Part::Low), ("hi", Part::High), ("wide", Part::Wide)] {
        if opcode.has(name) {
            return Ok(part);
        }
    }
    Err(format!("`{}` without a half of the product", opcode.name))
}

fn compare(opcode: &mut Opcode<'_>) -> Result<Compare, String> {
    let known = [
        ("eq", Compare::Equal),
        ("ne", Compare::NotEqual),
        ("lt", Compare::Less),
        ("le", Compare::LessOrEqual),
        ("gt", Compare::Greater),
        ("ge", Compare::GreaterOrEqual),
        ("lo", Compare::Less),
        ("ls", Compare::LessOrEqual),
        ("hi", Compare::Greater),
        ("hs", Compare::GreaterOrEqual),
    ];
    for (name, compare) in known {
        if opcode.has(name) {
            return Ok(compare);
        }
    }
    Err("`setp` with a comparison that is not understood".to_owned())
}
