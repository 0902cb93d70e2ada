//! Items worked on by several threads, results in the order of the items: the number of threads changes how long it
//! takes and nothing else.

use pipe_engine::failure::Failure;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Calls `one` for every item, at most `threads` at a time. Each thread keeps a state of its own, such as an open
/// video. `told` hears how many are done. After a failure no new item is begun.
///
/// # Errors
/// The first failure in the order of the items.
pub(crate) fn map<T: Sync, S: Default, R: Send>(
    items: &[T],
    threads: usize,
    told: impl Fn(usize) + Sync,
    one: impl Fn(&mut S, &T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let (next, done, stop) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let results = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                let mut state = S::default();
                while !stop.load(Ordering::Relaxed) {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(i) else { break };
                    let result = one(&mut state, item);
                    stop.fetch_or(result.is_err(), Ordering::Relaxed);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((i, result));
                    told(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(i, _)| *i);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_whatever_the_threads() {
        let items: Vec<usize> = (0..100).collect();
        for threads in [1, 2, 7] {
            let squares = map(&items, threads, |_| {}, |(): &mut (), i| Ok(i * i)).unwrap();
            assert_eq!(squares, items.iter().map(|i| i * i).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_first_failure_in_order_is_the_one_told() {
        let items: Vec<usize> = (0..50).collect();
        let failing = |(): &mut (), i: &usize| if *i >= 20 { Err(Failure::failed("x", i.to_string())) } else { Ok(()) };
        assert_eq!(map(&items, 1, |_| {}, failing).unwrap_err().message, "20");
    }
}
