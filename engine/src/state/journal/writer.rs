//! Orders -> transactions: whatever is queued is written at once, and then those are answered that waited for it.
//!
//! Of errors there are two kinds. A disk that is full has taken nothing: the ballast goes, the same transaction is tried
//! again until it is written, and meanwhile nothing new should be begun. After any other error the disk may have dropped
//! what it had, and nothing it says can be trusted any more: not one more write is tried.

use super::{Health, JournalError};
use crate::event::RunEvent;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// What happens together is written together: each transaction waits for the disk, and costs more than what is in it. Nobody
/// waits for an event to be written unless they ask for a flush, and then nothing more is waited for here.
const TOGETHER: Duration = Duration::from_millis(3);
/// As many events are not kept waiting any longer, however close the next ones are.
const ENOUGH: usize = 64;

/// What is asked of the writer.
pub(super) enum Order {
    Append(Vec<RunEvent>),
    Flush(oneshot::Sender<Result<(), JournalError>>),
}

/// What the writer writes to.
pub trait Sink: Send + 'static {
    /// Writes all of it or nothing.
    ///
    /// # Errors
    /// [`JournalError::Full`] when there was no room, and it may be tried again.
    fn write(&mut self, events: &[RunEvent]) -> Result<(), JournalError>;

    /// Makes room for what ends. Returns whether there is more of it now.
    fn make_room(&mut self) -> bool;

    /// Whether there is so little room that nothing new should be begun.
    fn is_low(&mut self) -> bool;

    /// Whether there is room again for all that a run needs; what was given up for it is taken back.
    fn has_room(&mut self) -> bool;

    /// Bytes that are left.
    fn left(&self) -> u64;

    /// Nothing it says can be trusted any more: it is not to be written again, not even when it is closed.
    fn abandon(&mut self);
}

/// What waits to be written.
#[derive(Default)]
struct Queue {
    events: Vec<RunEvent>,
    waiting: Vec<oneshot::Sender<Result<(), JournalError>>>,
}

impl Queue {
    fn take(&mut self, order: Order) {
        match order {
            Order::Append(more) => self.events.extend(more),
            Order::Flush(reply) => self.waiting.push(reply),
        }
    }

    /// Takes what is there, and what comes at once. While it waits it is not woken by what comes, which would cost more than
    /// to write it; whoever needs an answer wakes it.
    fn gather(&mut self, inbox: &Receiver<Order>) {
        inbox.try_iter().for_each(|order| self.take(order));
        let mut before = 0;
        while self.may_wait() && self.events.len() > before {
            before = self.events.len();
            std::thread::park_timeout(TOGETHER);
            inbox.try_iter().for_each(|order| self.take(order));
        }
    }

    /// Whether nobody needs what is here to be written now.
    fn may_wait(&self) -> bool {
        // That a run has begun is written at once: who is killed a moment later was there.
        let begins = self.events.iter().any(|event| event.seq == Some(1));
        !begins && self.waiting.is_empty() && (1..ENOUGH).contains(&self.events.len())
    }

    /// Writes it all. On a full disk it stays in the queue.
    fn write(&mut self, sink: &mut impl Sink) -> Result<(), JournalError> {
        if !self.events.is_empty() {
            sink.write(&self.events)?;
            self.events.clear();
        }
        self.waiting.drain(..).for_each(|reply| drop(reply.send(Ok(()))));
        Ok(())
    }
}

/// Works until nobody orders any more, or the sink cannot be trusted. `rest`: how often a full disk is looked at again.
pub(super) fn work(mut sink: impl Sink, inbox: &Receiver<Order>, health: &watch::Sender<Health>, rest: Duration) {
    let (mut queue, mut is_full, mut is_over) = (Queue::default(), false, false);
    while !is_over {
        match if is_full { inbox.recv_timeout(rest) } else { inbox.recv().map_err(Into::into) } {
            Ok(order) => queue.take(order),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => is_over = true,
        }
        queue.gather(inbox);
        let written = match queue.write(&mut sink) {
            Err(JournalError::Full(_)) if sink.make_room() => queue.write(&mut sink),
            written => written,
        };
        let was_full = is_full;
        is_full = match written {
            Ok(()) if was_full => !sink.has_room(),
            Ok(()) => sink.is_low(),
            Err(JournalError::Full(_)) => true,
            Err(error) => {
                sink.abandon();
                return give_up(queue, health, &error);
            }
        };
        match (was_full, is_full) {
            (false, true) => drop(health.send_replace(Health::Full { left: sink.left() })),
            (true, false) => drop(health.send_replace(Health::Good)),
            _ => {}
        }
    }
}

/// Tells everybody who waits, and whoever asks later finds nobody.
fn give_up(queue: Queue, health: &watch::Sender<Health>, error: &JournalError) {
    let why = error.to_string();
    health.send_replace(Health::Broken(why.clone()));
    queue.waiting.into_iter().for_each(|reply| drop(reply.send(Err(JournalError::Stopped { why: why.clone() }))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, VERSION};
    use crate::ids::RunId;
    use crate::state::Journal;
    use crate::world::Timestamp;
    use rusqlite::ffi;
    use std::sync::{Arc, Mutex};

    /// A disk that tests fill and break.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        written: Vec<u64>,
        tries: usize,
        room: usize,
        ballast: usize,
        breaks: bool,
        is_abandoned: bool,
    }

    impl Sink for Disk {
        fn write(&mut self, events: &[RunEvent]) -> Result<(), JournalError> {
            let mut state = self.0.lock().unwrap();
            state.tries += 1;
            if state.breaks {
                return Err(JournalError::from(failure(ffi::SQLITE_IOERR_FSYNC)));
            }
            if state.room < events.len() {
                return Err(JournalError::from(failure(ffi::SQLITE_FULL)));
            }
            state.room -= events.len();
            state.written.extend(events.iter().filter_map(|event| event.seq));
            Ok(())
        }
        fn make_room(&mut self) -> bool {
            let mut state = self.0.lock().unwrap();
            let ballast = std::mem::take(&mut state.ballast);
            state.room += ballast;
            ballast > 0
        }
        fn is_low(&mut self) -> bool {
            self.0.lock().unwrap().room == 0
        }
        fn has_room(&mut self) -> bool {
            let mut state = self.0.lock().unwrap();
            let enough = state.room >= 10;
            if enough {
                state.ballast = 3;
            }
            enough
        }
        fn left(&self) -> u64 {
            self.0.lock().unwrap().room as u64
        }
        fn abandon(&mut self) {
            self.0.lock().unwrap().is_abandoned = true;
        }
    }

    /// A disk that is held up until it is let go.
    struct Slow(Disk, std::sync::mpsc::Receiver<()>);

    impl Sink for Slow {
        fn write(&mut self, events: &[RunEvent]) -> Result<(), JournalError> {
            let _ = self.1.recv();
            self.0.write(events)
        }
        fn make_room(&mut self) -> bool {
            false
        }
        fn is_low(&mut self) -> bool {
            false
        }
        fn has_room(&mut self) -> bool {
            true
        }
        fn left(&self) -> u64 {
            0
        }
        fn abandon(&mut self) {}
    }

    #[tokio::test]
    async fn what_comes_while_a_commit_is_under_way_goes_into_the_next_one_together() {
        let (disk, (go_on, held)) = (disk(1000, 0), std::sync::mpsc::channel());
        let journal = Journal::over(Slow(disk.clone(), held));
        journal.append(vec![event(1)]);
        go_on.send(()).unwrap();
        journal.flush().await.unwrap();
        journal.append(vec![event(2)]);
        // The writer holds event 2 or nothing by now; whatever comes until it is let go is one more group at most.
        (3..=100).for_each(|seq| journal.append(vec![event(seq)]));
        let flushed = journal.flushed();
        drop(go_on);
        flushed.await.unwrap();
        let state = disk.0.lock().unwrap();
        assert_eq!(state.written, (1..=100).collect::<Vec<u64>>());
        assert!(state.tries <= 3, "{} commits", state.tries);
    }

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    fn event(seq: u64) -> RunEvent {
        let (run, body) = (RunId("r".into()), Body::CancelRequested);
        RunEvent { v: VERSION, seq: Some(seq), time: Timestamp(seq), run, task: None, attempt: None, body }
    }

    fn disk(room: usize, ballast: usize) -> Disk {
        Disk(Arc::new(Mutex::new(State { room, ballast, ..State::default() })))
    }

    #[tokio::test]
    async fn what_ends_while_the_disk_is_full_is_written_with_what_the_ballast_gives_back() {
        let disk = disk(1, 3);
        let journal = Journal::over(disk.clone());
        let mut health = journal.health();
        for seq in 1..=3 {
            journal.append(vec![event(seq)]);
            journal.flush().await.unwrap();
        }
        assert_eq!(disk.0.lock().unwrap().written, [1, 2, 3]);
        health.changed().await.unwrap();
        assert_eq!(*health.borrow_and_update(), Health::Full { left: 0 }, "it is told once, and before it is too late");
        assert!(!health.has_changed().unwrap());
    }

    #[tokio::test]
    async fn what_finds_no_room_at_all_is_kept_and_written_when_there_is_some() {
        let disk = disk(1, 0);
        let journal = Journal::over(disk.clone());
        let mut health = journal.health();
        journal.append(vec![event(1), event(2)]);
        let flushed = journal.flushed();
        health.wait_for(|health| *health == Health::Full { left: 1 }).await.unwrap();
        journal.append(vec![event(3)]);
        assert_eq!(disk.0.lock().unwrap().written, [0_u64; 0]);
        disk.0.lock().unwrap().room = 100;
        flushed.await.unwrap();
        journal.flush().await.unwrap();
        health.wait_for(|health| *health == Health::Good).await.unwrap();
        let state = disk.0.lock().unwrap();
        assert_eq!((state.written.as_slice(), state.ballast), ([1, 2, 3].as_slice(), 3), "the ballast is back");
    }

    #[tokio::test]
    async fn after_a_flush_that_failed_not_one_more_write_is_tried() {
        let disk = disk(100, 3);
        let journal = Journal::over(disk.clone());
        journal.append(vec![event(1)]);
        journal.flush().await.unwrap();
        disk.0.lock().unwrap().breaks = true;
        journal.append(vec![event(2)]);
        let error = journal.flush().await.unwrap_err().to_string();
        assert!(error.contains("disk I/O error"), "{error}");
        disk.0.lock().unwrap().breaks = false;
        journal.append(vec![event(3)]);
        let again = journal.flush().await.unwrap_err().to_string();
        assert!(again.contains("disk I/O error"), "the first error is told again: {again}");
        assert!(matches!(&*journal.health().borrow(), Health::Broken(why) if why.contains("disk I/O error")));
        let state = disk.0.lock().unwrap();
        assert_eq!((state.written.as_slice(), state.tries, state.ballast), ([1].as_slice(), 2, 3));
        assert!(state.is_abandoned, "closing it would write to it");
    }
}
