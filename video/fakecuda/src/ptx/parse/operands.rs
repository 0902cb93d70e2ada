//! Operands as text -> registers, numbers and addresses.

use std::collections::HashMap;

use crate::ptx::code::{Address, Operand, PLACES};

/// What names stand for in one kernel.
#[derive(Default)]
pub(super) struct Names<'a> {
    /// The prefix of a kind of register, as `%rd`: the number of its first one, and how many there are.
    kinds: HashMap<&'a str, (u32, u32)>,
    registers: u32,
    /// Where parameters begin in theirs, and the shared memory in its own.
    symbols: HashMap<&'a str, u64>,
}

impl<'a> Names<'a> {
    /// `.reg .b32 %r<44>;`
    pub(super) fn declare(&mut self, line: &'a str) -> Result<(), String> {
        let odd = || format!("the registers `{line}` are not understood");
        let last = line.trim_end_matches(';').split_whitespace().last().ok_or_else(odd)?;
        let (prefix, count) = last.strip_suffix('>').and_then(|l| l.split_once('<')).ok_or_else(odd)?;
        let count = count.parse().map_err(|_| odd())?;
        self.kinds.insert(prefix, (self.registers, count));
        self.registers += count;
        Ok(())
    }

    pub(super) fn symbol(&mut self, name: &'a str, at: u64) {
        self.symbols.insert(name, at);
    }

    pub(super) fn registers(&self) -> usize {
        self.registers as usize
    }

    pub(super) fn register(&self, name: &str) -> Result<u32, String> {
        let unknown = || format!("there is no register {name}");
        let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
        let (first, count) = self.kinds.get(&name[..name.len() - digits.len()]).ok_or_else(unknown)?;
        let number: u32 = digits.parse().map_err(|_| unknown())?;
        if number < *count { Ok(first + number) } else { Err(unknown()) }
    }

    pub(super) fn operand(&self, text: &str) -> Result<Operand, String> {
        if let Some(special) = text.strip_prefix('%') {
            return match PLACES.iter().position(|place| *place == special) {
                Some(place) => Ok(Operand::Place(place)),
                None => self.register(text).map(Operand::Register),
            };
        }
        if let Some(at) = self.symbols.get(text) {
            return Ok(Operand::Value(*at));
        }
        if let Some(hex) = text.strip_prefix("0x") {
            return u64::from_str_radix(hex, 16).map(Operand::Value).map_err(|_| format!("the number {text}"));
        }
        text.parse::<i64>().map(|n| Operand::Value(n.cast_unsigned())).map_err(|_| format!("the operand `{text}`"))
    }

    /// `[%rd4+8]`, `[name]`, `[%r1+-4]`.
    pub(super) fn address(&self, text: &str) -> Result<Address, String> {
        let odd = || format!("the address `{text}` is not understood");
        let inside = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or_else(odd)?;
        let (base, offset) = inside.split_once('+').unwrap_or((inside, "0"));
        Ok(Address { base: self.operand(base.trim())?, offset: offset.trim().parse().map_err(|_| odd())? })
    }

    /// `{%r1, %r2}` or one operand alone.
    pub(super) fn lanes(&self, text: &str) -> Result<Vec<Operand>, String> {
        let inside = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        inside.split(',').map(|lane| self.operand(lane.trim())).collect()
    }
}

/// The operands of a statement: divided by commas, but not by those inside brackets.
pub(super) fn divided(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut begin) = (0, 0);
    for (i, c) in text.char_indices() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[begin..i].trim());
                begin = i + 1;
            }
            _ => {}
        }
    }
    if !text[begin..].trim().is_empty() {
        parts.push(text[begin..].trim());
    }
    parts
}
