//! Clips that are there -> how far the task is: counted over all its videos, with the bytes that were written.

use pipe_engine::work::Work;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub(super) struct Progress<'a> {
    work: &'a Work<'a>,
    total: usize,
    done: AtomicUsize,
    bytes: AtomicU64,
}

impl<'a> Progress<'a> {
    pub(super) fn new(work: &'a Work<'a>, total: usize) -> Self {
        let progress = Self { work, total, done: AtomicUsize::new(0), bytes: AtomicU64::new(0) };
        progress.tell();
        progress
    }

    /// One clip more is settled, for which so many bytes were written; none when it was there, or failed.
    pub(super) fn one_more(&self, bytes: u64) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        let (done, bytes) = (self.done.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        self.work.progress_of_bytes(done, self.total, "clips", bytes);
    }
}
