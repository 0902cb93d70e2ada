//! A question that a service may take long to answer -> the answer, and meanwhile a word to whoever waits for it.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// So long nothing is said, and then again and again.
const SILENCE: Duration = Duration::from_secs(5);

/// Asks. While there is no answer, says who is waited for and how long it has been.
pub(crate) fn patiently<T>(who: &str, ask: impl FnOnce() -> T) -> T {
    let (answered, waits) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let (mut waited, mut pause) = (Duration::ZERO, SILENCE);
            // Nothing is ever sent: the other end goes when there is an answer.
            while waits.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                waited += pause;
                tracing::warn!("{who} has not answered for {} s; it is waited for", waited.as_secs());
                pause = waited;
            }
        });
        let answer = ask();
        drop(answered);
        answer
    })
}
