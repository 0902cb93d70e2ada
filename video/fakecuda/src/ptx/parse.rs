//! The text of a module -> [`Module`]. What is not understood is an error with its line, never skipped.

mod instruction;
mod operands;

use std::collections::HashMap;

use super::code::{Instruction, Kernel, Module, What};
use super::types::Type;
use instruction::{Branch, instruction};
use operands::Names;

/// Reads a module.
pub(crate) fn parse(text: &str) -> Result<Module, String> {
    let mut module = Module { version: 0, target: 0, kernels: HashMap::new() };
    let mut shared = None;
    let mut lines = text.lines().enumerate().map(|(i, line)| (i as u32 + 1, bare(line))).filter(|(_, l)| !l.is_empty());
    while let Some((number, line)) = lines.next() {
        let at = |problem: String| format!("line {number}: {problem}");
        if let Some(version) = line.strip_prefix(".version ") {
            module.version = version_of(version).ok_or_else(|| at(format!("the version `{version}`")))?;
        } else if let Some(target) = line.strip_prefix(".target sm_") {
            module.target = target.parse().map_err(|_| at(format!("the target sm_{target}")))?;
        } else if line == ".address_size 64" {
            // Addresses have no other size here.
        } else if let Some(array) = line.strip_prefix(".extern .shared ") {
            shared = Some(array_name(array).ok_or_else(|| at(format!("the shared memory `{array}`")))?);
        } else if let Some(name) = line.strip_prefix(".visible .entry ") {
            let kernel = KernelText::read(name, number, &mut lines, shared)?.build()?;
            module.kernels.insert(kernel.name.clone(), kernel);
        } else {
            return Err(at(format!("`{line}` is not understood outside a kernel")));
        }
    }
    if module.version == 0 || module.target == 0 {
        return Err("the text has no .version and no .target".to_owned());
    }
    Ok(module)
}

fn bare(line: &str) -> &str {
    line.split("//").next().unwrap_or_default().trim()
}

/// `.align 16 .b8 name[];`: memory whose size the launch gives.
fn array_name(text: &str) -> Option<&str> {
    text.strip_suffix("[];")?.split_whitespace().last()
}

fn version_of(text: &str) -> Option<u32> {
    let (major, minor) = text.split_once('.')?;
    Some(major.parse::<u32>().ok()? * 10 + minor.parse::<u32>().ok()?)
}

/// The lines of one kernel, sorted by what they are.
struct KernelText<'a> {
    name: String,
    parameters: Vec<(usize, usize)>,
    parameter_bytes: usize,
    most_threads: u32,
    names: Names<'a>,
    labels: HashMap<&'a str, usize>,
    code: Vec<(u32, &'a str)>,
}

impl<'a> KernelText<'a> {
    fn read(
        first: &'a str,
        number: u32,
        lines: &mut impl Iterator<Item = (u32, &'a str)>,
        shared: Option<&'a str>,
    ) -> Result<KernelText<'a>, String> {
        let name = first.trim_end_matches(')').trim_end_matches('(').to_owned();
        let mut kernel = KernelText {
            name,
            parameters: Vec::new(),
            parameter_bytes: 0,
            most_threads: 1024,
            names: Names::default(),
            labels: HashMap::new(),
            code: Vec::new(),
        };
        if let Some(name) = shared {
            kernel.names.symbol(name, 0);
        }
        for (number, line) in lines.by_ref() {
            let at = |problem: String| format!("line {number}: {problem}");
            match line {
                // A hint to the assembler, which changes no result.
                "(" | ")" | "{" | ".pragma \"nounroll\";" => {}
                "}" => return Ok(kernel),
                _ if line.starts_with(".param ") => kernel.parameter(line).map_err(at)?,
                _ if line.starts_with(".reg ") => kernel.names.declare(line).map_err(at)?,
                _ if line.starts_with(".maxntid ") => kernel.threads(line).map_err(at)?,
                _ if line.starts_with('.') => return Err(at(format!("the directive `{line}` is not understood"))),
                _ => kernel.label_or_code(number, line).map_err(at)?,
            }
        }
        Err(format!("line {number}: the kernel {} has no end", kernel.name))
    }

    /// `.param .align 8 .b8 name[160]` or `.param .u64 name`.
    fn parameter(&mut self, line: &'a str) -> Result<(), String> {
        let odd = || format!("the parameter `{line}` is not understood");
        let words: Vec<&str> = line.trim_end_matches(',').split_whitespace().skip(1).collect();
        let (aligned, words) = match words.as_slice() {
            [".align", bytes, rest @ ..] => (bytes.parse().map_err(|_| odd())?, rest),
            rest => (0, rest),
        };
        let [ty, name] = words else { return Err(odd()) };
        let ty = ty.strip_prefix('.').and_then(Type::named).ok_or_else(odd)?;
        let (name, count) = match name.strip_suffix(']').and_then(|n| n.split_once('[')) {
            Some((name, count)) => (name, count.parse().map_err(|_| odd())?),
            None => (*name, 1),
        };
        let begin = self.parameter_bytes.next_multiple_of(std::cmp::max(aligned, ty.bytes as usize));
        let bytes = count * ty.bytes as usize;
        self.parameters.push((begin, bytes));
        self.parameter_bytes = begin + bytes;
        self.names.symbol(name, begin as u64);
        Ok(())
    }

    /// `.maxntid 256, 1, 1`.
    fn threads(&mut self, line: &str) -> Result<(), String> {
        let numbers: Result<Vec<u32>, _> =
            line[".maxntid ".len()..].split(',').map(|number| number.trim().parse::<u32>()).collect();
        self.most_threads = numbers.map_err(|_| format!("`{line}` is not understood"))?.iter().product();
        Ok(())
    }

    fn label_or_code(&mut self, number: u32, line: &'a str) -> Result<(), String> {
        if let Some(label) = line.strip_suffix(':') {
            self.labels.insert(label, self.code.len());
            return Ok(());
        }
        let statement = line.strip_suffix(';').ok_or_else(|| format!("`{line}` does not end with `;`"))?;
        self.code.push((number, statement.trim()));
        Ok(())
    }

    fn build(self) -> Result<Kernel, String> {
        let mut code = Vec::with_capacity(self.code.len());
        for (number, statement) in &self.code {
            let built = self.instruction(*number, statement);
            code.push(built.map_err(|problem| format!("line {number}: {problem} in `{statement}`"))?);
        }
        Ok(Kernel {
            name: self.name,
            parameters: self.parameters,
            parameter_bytes: self.parameter_bytes,
            most_threads: self.most_threads,
            registers: self.names.registers(),
            code,
        })
    }

    fn instruction(&self, line: u32, statement: &str) -> Result<Instruction, String> {
        let (guard, statement) = match statement.strip_prefix('@').and_then(|rest| rest.split_once(char::is_whitespace))
        {
            Some((guard, rest)) => (Some(self.guard(guard)?), rest.trim()),
            None => (None, statement),
        };
        match instruction(statement, &self.names)? {
            Branch::To(label) => {
                let to = *self.labels.get(label).ok_or_else(|| format!("there is no label `{label}`"))?;
                Ok(Instruction { guard, what: What::Branch { to }, ty: Type::PREDICATE, line })
            }
            Branch::Other(what, ty) => Ok(Instruction { guard, what, ty, line }),
        }
    }

    fn guard(&self, text: &str) -> Result<(u32, bool), String> {
        let name = text.strip_prefix('!');
        Ok((self.names.register(name.unwrap_or(text))?, name.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(body: &str) -> Result<Module, String> {
        parse(&format!(
            ".version 6.3\n.target sm_75\n.address_size 64\n.visible .entry k(\n.param .u32 a,\n.param .align 8 .b8 \
             b[24]\n)\n.maxntid 32, 4, 1\n{{\n.reg .b32 %r<4>;\n.reg .pred %p<2>;\n{body}\n}}\n"
        ))
    }

    #[test]
    fn a_kernel_has_its_limits_and_parameters() {
        let module = module("$L0:\n@!%p1 bra $L0;\nret;").unwrap();
        assert_eq!((module.version, module.target), (63, 75));
        let kernel = &module.kernels["k"];
        assert_eq!(kernel.most_threads, 128);
        // The second is aligned to 8, so four bytes lie between the two.
        assert_eq!(kernel.parameters, [(0, 4), (8, 24)]);
        assert_eq!(kernel.parameter_bytes, 32);
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        let refused = [
            ("div.rn.f32 %r1, %r2, %r3;", "`div`"),
            ("add.sat.s32 %r1, %r2, %r3;", "`.sat`"),
            ("mov.u32 %r9, 1;", "%r9"),
            ("mov.u32 %x1, 1;", "%x1"),
            ("bra $L7;", "$L7"),
            ("add.s32 %r1, %r2;", "operands"),
            ("ld.local.u32 %r1, [%r2];", "`.local`"),
            (".local .b8 stack[8];", ".local"),
            ("atom.global.add.u32 %r1, [%r2], 1;", "`atom`"),
            ("mov.u32 %r1, %clock;", "%clock"),
            ("ret", "`;`"),
        ];
        for (line, told) in refused {
            let problem = module(line).expect_err(line);
            assert!(problem.starts_with("line 12: ") && problem.contains(told), "{line}: {problem}");
        }
    }
}
