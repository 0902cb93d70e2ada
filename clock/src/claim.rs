//! A run that begins for a slot -> the durable word that it has. Whoever starts runs may die at any moment and start
//! another for the same slot: the run itself, which alone holds the state folder then, sees that one has begun.

use crate::ledger::{Book, LedgerError};
use pipe_engine::world::Timestamp;
use std::path::Path;

/// Whether a run may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the first for its slot.
    First,
    /// A run for this slot, or a later one, has begun before.
    Begun(Timestamp),
}

/// Claims a slot for the run of a spec. Call it with the lock of the state folder held.
///
/// # Errors
/// When the claim cannot be read or written; the run must not begin then.
pub fn claim(state: &Path, spec: &Path, slot: Timestamp) -> Result<Claim, LedgerError> {
    let book = Book::of(state, spec);
    if let Some(begun) = book.begun()?.filter(|begun| *begun >= slot) {
        return Ok(Claim::Begun(begun));
    }
    book.begin(slot)?;
    Ok(Claim::First)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_claimed_once_and_no_earlier_one_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let spec = folder.path().join("a.toml");
        let claim = |slot| claim(folder.path(), &spec, Timestamp(slot)).unwrap();
        assert_eq!(claim(60_000), Claim::First);
        assert_eq!(claim(60_000), Claim::Begun(Timestamp(60_000)));
        assert_eq!(claim(120_000), Claim::First);
        assert_eq!(claim(60_000), Claim::Begun(Timestamp(120_000)));
    }
}
