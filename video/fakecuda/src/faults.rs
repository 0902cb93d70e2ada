//! Counts calls, and makes chosen ones fail.

use std::collections::BTreeMap;

/// How often each function was called since the start or the last reset, and which calls are to fail.
#[derive(Default)]
pub(crate) struct Faults {
    calls: BTreeMap<String, u64>,
    planned: Vec<Fault>,
}

struct Fault {
    function: String,
    /// The first call that fails, from 1.
    first: u64,
    /// Whether all that follow fail, too, as when a GPU has fallen off its bus.
    for_good: bool,
    code: u32,
}

impl Faults {
    /// Counts a call; the error it is to give, if it is to fail.
    pub(crate) fn call(&mut self, function: &str) -> Result<(), u32> {
        let count = self.calls.entry(function.to_owned()).or_default();
        *count += 1;
        let fails = |fault: &&Fault| {
            let named = fault.function == function || fault.function == "*";
            named && (fault.first == *count || (fault.for_good && fault.first < *count))
        };
        self.planned.iter().find(fails).map_or(Ok(()), |fault| Err(fault.code))
    }

    /// The `nth` call from now fails with a code. With the code 0 it says that all is well, and does nothing.
    pub(crate) fn plan(&mut self, function: &str, nth: u64, for_good: bool, code: u32) {
        let first = self.count(function) + nth;
        self.planned.push(Fault { function: function.to_owned(), first, for_good, code });
    }

    /// How often a function was called.
    pub(crate) fn count(&self, function: &str) -> u64 {
        self.calls.get(function).copied().unwrap_or(0)
    }

    /// `cuInit 1\ncuMemAlloc_v2 4\n`.
    pub(crate) fn table(&self) -> String {
        self.calls.iter().map(|(function, count)| format!("{function} {count}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_call_from_now_fails_and_no_other() {
        let mut faults = Faults::default();
        faults.call("cuInit").unwrap();
        faults.plan("cuInit", 2, false, 700);
        assert_eq!([0; 4].map(|_| faults.call("cuInit")), [Ok(()), Err(700), Ok(()), Ok(())]);
        assert_eq!(faults.table(), "cuInit 5\n");
    }

    #[test]
    fn a_lasting_fault_fails_all_that_follow() {
        let mut faults = Faults::default();
        faults.plan("cuLaunchKernel", 2, true, 719);
        assert_eq!([0; 3].map(|_| faults.call("cuLaunchKernel")), [Ok(()), Err(719), Err(719)]);
        assert_eq!(faults.call("cuInit"), Ok(()));
    }
}
