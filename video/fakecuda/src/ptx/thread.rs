//! One thread: its registers, and its steps up to the next barrier.

use super::arithmetic::compute;
use super::code::{Address, Instruction, Operand, Space, What};
use super::run::{Global, Launch, Who, Work};
use super::shared::Shared;

/// More steps than this are an endless loop: no kernel here takes a thousandth of it.
const MOST_STEPS: u64 = 100_000_000;

/// Where a thread is, in the order of [`super::code::PLACES`].
pub(super) struct Places([u32; 12]);

impl Places {
    pub(super) fn of(launch: &Launch<'_>, thread: [u32; 3], block: [u32; 3]) -> Self {
        let mut places = [0; 12];
        for (to, from) in places.chunks_exact_mut(3).zip([thread, launch.block, block, launch.grid]) {
            to.copy_from_slice(&from);
        }
        Places(places)
    }
}

/// Why a thread stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Barrier,
    End,
}

pub(super) struct Thread {
    places: Places,
    registers: Vec<u64>,
    next: usize,
}

/// What a step leads to.
enum Step {
    Next,
    To(usize),
    Stop(Stop),
}

impl Thread {
    pub(super) fn new(launch: &Launch<'_>, places: Places) -> Self {
        Thread { places, registers: vec![0; launch.kernel.registers], next: 0 }
    }

    /// Runs to the next barrier or to the end.
    pub(super) fn run(
        &mut self,
        launch: &Launch<'_>,
        shared: &mut Shared,
        global: &mut dyn Global,
        who: Who,
        work: &mut Work,
    ) -> Result<Stop, String> {
        let begun = work.instructions;
        let mut memory = Memory { launch, shared, global, who, work };
        while let Some(instruction) = launch.kernel.code.get(self.next) {
            self.next += 1;
            memory.work.instructions += 1;
            if memory.work.instructions - begun > MOST_STEPS {
                return Err(format!("line {}: it does not end", instruction.line));
            }
            if instruction.guard.is_some_and(|(register, not)| (self.registers[register as usize] != 0) == not) {
                continue;
            }
            match self.step(instruction, &mut memory).map_err(|p| format!("line {}: {p}", instruction.line))? {
                Step::Next => {}
                Step::To(to) => self.next = to,
                Step::Stop(stop) => {
                    if stop == Stop::End {
                        self.next = launch.kernel.code.len();
                    }
                    return Ok(stop);
                }
            }
        }
        Ok(Stop::End)
    }

    fn step(&mut self, instruction: &Instruction, memory: &mut Memory<'_>) -> Result<Step, String> {
        let ty = instruction.ty;
        match instruction.what {
            What::Compute { what, to, from } => {
                self.registers[to as usize] = compute(what, ty, from.map(|operand| self.value(operand)));
            }
            What::Load { space, to, lanes, at } => {
                let at = self.aligned(at, ty.bytes * lanes, "reads")?;
                for lane in 0..lanes {
                    let bits = memory.read(space, at + u64::from(lane * ty.bytes), ty.bytes)?;
                    // A value that is narrower than its register is extended as its type says.
                    self.registers[to[lane as usize] as usize] = ty.read(bits) as u64;
                }
            }
            What::Store { space, from, lanes, at } => {
                let at = self.aligned(at, ty.bytes * lanes, "writes")?;
                for lane in 0..lanes {
                    let value = ty.write(ty.read(self.value(from[lane as usize])));
                    memory.write(space, at + u64::from(lane * ty.bytes), ty.bytes, value)?;
                }
            }
            What::Branch { to } => return Ok(Step::To(to)),
            What::Barrier => return Ok(Step::Stop(Stop::Barrier)),
            What::Return => return Ok(Step::Stop(Stop::End)),
        }
        Ok(Step::Next)
    }

    fn value(&self, operand: Operand) -> u64 {
        match operand {
            Operand::Register(register) => self.registers[register as usize],
            Operand::Value(value) => value,
            Operand::Place(place) => u64::from(self.places.0[place]),
        }
    }

    fn aligned(&self, address: Address, bytes: u32, what: &str) -> Result<u64, String> {
        let at = self.value(address.base).wrapping_add_signed(address.offset);
        if at.is_multiple_of(u64::from(bytes)) {
            Ok(at)
        } else {
            Err(format!("{what} {bytes} bytes at {at:#x}, which is no multiple of {bytes}"))
        }
    }
}

/// What a thread can reach.
struct Memory<'a> {
    launch: &'a Launch<'a>,
    shared: &'a mut Shared,
    global: &'a mut dyn Global,
    who: Who,
    work: &'a mut Work,
}

impl Memory<'_> {
    fn read(&mut self, space: Space, at: u64, bytes: u32) -> Result<u64, String> {
        match space {
            Space::Parameter => {
                let all = self.launch.parameters;
                let end = at.saturating_add(u64::from(bytes));
                let here = all.get(at as usize..end as usize);
                let here = here.ok_or_else(|| format!("reads byte {at} of {} bytes of parameters", all.len()))?;
                Ok(here.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
            }
            Space::Shared => self.shared.read(at, bytes, self.who.thread),
            Space::Global => {
                self.work.loads += 1;
                self.global.read(at, bytes, self.who)
            }
        }
    }

    fn write(&mut self, space: Space, at: u64, bytes: u32, value: u64) -> Result<(), String> {
        if space == Space::Shared {
            return self.shared.write(at, bytes, value, self.who.thread);
        }
        self.work.stores += 1;
        self.global.write(at, bytes, value, self.who)
    }
}
