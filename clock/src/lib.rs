//! The `schedule` of a spec -> the moments it falls due (slots) -> for each, a run that begins once.
//!
//! [`Slots`] knows the calendar, [`Turns`] decides what becomes of a slot, [`Ledger`] remembers it through any crash,
//! [`Claim`] lets a run say durably that it has begun, and [`daemon`] is the loop around them. How a spec is read and
//! what program a run is comes from whoever starts the loop.

mod claim;
pub mod daemon;
mod ledger;
mod moment;
mod process;
mod said;
mod slots;
mod turns;

pub use claim::{Claim, claim};
pub use ledger::{Book, Entry, Ledger, LedgerError, Started};
pub use moment::{parse, told, zoned};
pub use process::Process;
pub use said::{Said, What};
pub use slots::{BadSchedule, Slots};
pub use turns::{Fate, LONGEST_LINE, PUNCTUAL, Rules, Turn, Turns};
