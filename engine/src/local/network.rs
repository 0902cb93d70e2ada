//! Looks at the TCP connections of a tree of processes -> what it moved over the network, and how fast.
//!
//! What a connection moved between the last look and its end is seen by nobody, nor are those that come and go between two
//! looks. A connection that several processes hold counts once.

use super::sockets::{Connection, Moved, connections, held};
use crate::attempt::Network;
use std::collections::{HashMap, HashSet};

/// Adds up what is seen.
#[derive(Default)]
pub(super) struct Wire {
    /// What went over each connection that was there at the last look.
    open: HashMap<u64, Moved>,
    moved: Moved,
    peak: (f64, f64),
    /// The kernel does not tell, so nothing is known.
    refused: bool,
}

impl Wire {
    /// Takes one look at these processes, so many seconds after the last.
    pub(super) fn look(&mut self, pids: impl Iterator<Item = i32>, seconds: f64) {
        let inodes: HashSet<u64> = pids.flat_map(held).collect();
        // Most trees hold no socket at all, and the list of a machine's connections may be long.
        if inodes.is_empty() || self.refused {
            self.open.clear();
            return;
        }
        match connections() {
            Some(all) => self.add(inodes.iter().filter_map(|inode| all.get(inode)), seconds),
            None => self.refused = true,
        }
    }

    fn add<'a>(&mut self, seen: impl Iterator<Item = &'a Connection>, seconds: f64) {
        let (mut open, mut new) = (HashMap::new(), Moved::default());
        for Connection { cookie, moved } in seen {
            let before = self.open.get(cookie).copied().unwrap_or_default();
            new.received += moved.received.saturating_sub(before.received);
            new.sent += moved.sent.saturating_sub(before.sent);
            open.insert(*cookie, *moved);
        }
        self.open = open;
        self.moved.received += new.received;
        self.moved.sent += new.sent;
        if seconds > 0.0 {
            self.peak.0 = self.peak.0.max(new.received as f64 / seconds);
            self.peak.1 = self.peak.1.max(new.sent as f64 / seconds);
        }
    }

    /// What was seen in so many seconds; `None` when the kernel did not tell.
    pub(super) fn usage(&self, seconds: f64) -> Option<Network> {
        let Moved { received, sent } = self.moved;
        let mean = |bytes: u64| (bytes as f64 / seconds) as u64;
        (!self.refused).then_some(Network {
            received,
            sent,
            received_mean: mean(received),
            received_peak: self.peak.0 as u64,
            sent_mean: mean(sent),
            sent_peak: self.peak.1 as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(cookie: u64, received: u64, sent: u64) -> Connection {
        Connection { cookie, moved: Moved { received, sent } }
    }

    #[test]
    fn what_went_over_a_connection_counts_once_and_stays_when_it_is_closed() {
        let mut wire = Wire::default();
        wire.add([seen(1, 100, 10)].iter(), 0.5);
        wire.add([seen(1, 600, 10), seen(2, 500, 0)].iter(), 1.0);
        wire.add([seen(2, 500, 30)].iter(), 1.0);
        wire.add([].iter(), 1.5);
        let whole =
            Network { received: 1100, sent: 40, received_mean: 275, received_peak: 1000, sent_mean: 10, sent_peak: 30 };
        assert_eq!(wire.usage(4.0), Some(whole));
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_absent() {
        assert_eq!(Wire { refused: true, ..Wire::default() }.usage(1.0), None);
    }
}
