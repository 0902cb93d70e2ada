//! `pipe schedule`: when a spec runs by itself, and the process that sees to it.

mod look_after;
mod next;

use crate::args::{ScheduleArgs, ScheduleVerb};
use crate::exit::{Exit, Refusal};
use crate::printer::Printer;

pub(crate) fn run(args: &ScheduleArgs, printer: &Printer) -> Result<Exit, Refusal> {
    match &args.what {
        ScheduleVerb::Next(args) => next::run(args, printer),
        ScheduleVerb::Run(args) => look_after::run(args, printer),
    }
}
