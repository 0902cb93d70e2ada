//! Streams that put everything off: what is asked of one is done when somebody waits for it, never before.

use std::collections::{HashMap, VecDeque};

/// Work that a stream was given.
pub(crate) enum Operation {
    Upload {
        to: u64,
        from: HostBytes,
    },
    Download {
        from: u64,
        to: usize,
        bytes: usize,
    },
    Launch(Box<PendingLaunch>),
    Record {
        event: usize,
    },
    /// Nothing that follows begins before another stream has come so far.
    Wait {
        stream: usize,
        until: u64,
    },
}

/// Bytes of the host: those that a decoder hands over, and pinned memory, which is read when the copy is done, so whoever
/// changes it too early changes what arrives.
pub(crate) enum HostBytes {
    Copied(Vec<u8>),
    Pinned { at: usize, bytes: usize },
}

/// A launch with its arguments, as they were when it was asked for.
pub(crate) struct PendingLaunch {
    pub(crate) module: usize,
    pub(crate) kernel: String,
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) shared_bytes: u32,
    pub(crate) parameters: Vec<u8>,
}

/// One stream. Its work is numbered from 1.
#[derive(Default)]
pub(crate) struct Stream {
    waiting: VecDeque<(u64, Operation)>,
    given: u64,
    done: u64,
    /// The program has given it back; what it was asked before is still owed.
    is_destroyed: bool,
}

/// All streams by their handles.
#[derive(Default)]
pub(crate) struct Streams(HashMap<usize, Stream>);

impl Streams {
    pub(crate) fn open(&mut self, handle: usize) {
        self.0.insert(handle, Stream::default());
    }

    /// Whether the program may use it. Stream 0 is always there.
    pub(crate) fn is_open(&self, handle: usize) -> bool {
        handle == 0 || self.0.get(&handle).is_some_and(|stream| !stream.is_destroyed)
    }

    pub(crate) fn destroy(&mut self, handle: usize) {
        if let Some(stream) = self.0.get_mut(&handle) {
            stream.is_destroyed = true;
        }
    }

    pub(crate) fn open_count(&self) -> usize {
        self.0.iter().filter(|(handle, stream)| **handle != 0 && !stream.is_destroyed).count()
    }

    pub(crate) fn handles(&self) -> Vec<usize> {
        let mut handles: Vec<usize> = self.0.keys().copied().collect();
        handles.sort_unstable();
        handles
    }

    /// The number of the last work given.
    pub(crate) fn give(&mut self, handle: usize, operation: Operation) -> u64 {
        let stream = self.0.entry(handle).or_default();
        stream.given += 1;
        stream.waiting.push_back((stream.given, operation));
        stream.given
    }

    /// What is to be done next on the way to a number. It counts as done.
    pub(crate) fn take(&mut self, handle: usize, until: u64) -> Option<Operation> {
        let stream = self.0.get_mut(&handle)?;
        let (number, _) = stream.waiting.front().filter(|(number, _)| *number <= until)?;
        stream.done = *number;
        stream.waiting.pop_front().map(|(_, operation)| operation)
    }

    /// Nothing more is done: the context is broken.
    pub(crate) fn clear(&mut self) {
        self.0.values_mut().for_each(|stream| stream.waiting.clear());
    }

    /// Whether some copy still to be done uses these bytes of the host.
    pub(crate) fn is_awaited(&self, at: usize, bytes: usize) -> bool {
        let inside = |from: usize| from >= at && from < at + bytes;
        self.0.values().flat_map(|stream| &stream.waiting).any(|(_, operation)| match operation {
            Operation::Upload { from: HostBytes::Pinned { at, .. }, .. } => inside(*at),
            Operation::Download { to, .. } => inside(*to),
            _ => false,
        })
    }
}
