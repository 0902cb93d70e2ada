//! The part of PTX that kernels compile to: text -> [`Module`] -> a launch, thread by thread.

mod types;

mod arithmetic;
mod code;
mod parse;

mod shared;

mod run;
mod thread;

pub(crate) use code::Module;
pub(crate) use parse::parse;
pub(crate) use run::{Global, Launch, Order, Who, Work, run};
