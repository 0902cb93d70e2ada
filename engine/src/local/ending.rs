//! An attempt that is to end, or whose first process has -> nobody of it is left: all are asked to end, and those that do
//! not are killed when the grace is over.

use super::adopted;
use super::stat::{Stat, children};
use crate::scheduler::Stop;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

/// How often it is looked whether somebody who is killed is still there, and how long it is waited in between.
const LOOKS: usize = 1000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);
/// How long it is waited at most until it is looked again who has ended by itself.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// The processes of one attempt.
pub(super) struct Tree {
    root: Pid,
    grace: Duration,
    /// When those that were asked to end are killed.
    patience: Option<Pin<Box<Sleep>>>,
    /// Nobody is asked twice: the second word means more than the first to many.
    asked: BTreeSet<i32>,
}

impl Tree {
    pub(super) fn of(root: Pid, grace: Duration) -> Self {
        Self { root, grace, patience: None, asked: BTreeSet::new() }
    }

    /// Asks all of it to end, while its first process lives. From here on its grace runs.
    pub(super) async fn ask(&mut self) {
        let all = self.find(true).await;
        let _ = kill_process_group(self.root, Signal::TERM);
        for (pid, stat) in &all {
            if stat.group != self.number() {
                signal(*pid, Signal::TERM);
            }
        }
        self.asked.extend(all.into_iter().map(|(pid, _)| pid));
        self.patience = Some(Box::pin(sleep(self.grace)));
    }

    /// Kills all of it, while its first process lives.
    pub(super) async fn kill(&mut self) {
        let all = self.freeze(true).await;
        let _ = kill_process_group(self.root, Signal::KILL);
        all.into_iter().for_each(|pid| signal(pid, Signal::KILL));
        self.patience = Some(Box::pin(sleep(Duration::ZERO)));
    }

    /// Comes back when the grace is over.
    pub(super) async fn lose_patience(&mut self) {
        let grace = self.grace;
        self.patience.get_or_insert_with(|| Box::pin(sleep(grace))).as_mut().await;
    }

    /// Ends what the first process, which was waited for, left behind.
    pub(super) async fn end_the_rest(mut self, stop: &mut watch::Receiver<Option<Stop>>) {
        adopted::ended(self.number());
        // Nearly always nobody.
        if !adopted::left_by(self.number()).is_empty() {
            self.ask_the_rest(stop).await;
            self.kill_the_rest().await;
        }
        adopted::forget(self.number());
    }

    async fn ask_the_rest(&mut self, stop: &mut watch::Receiver<Option<Stop>>) {
        let mut wait = BETWEEN_LOOKS;
        loop {
            let left = self.find(false).await;
            if left.is_empty() {
                return;
            }
            for (pid, _) in left {
                if self.asked.insert(pid) {
                    signal(pid, Signal::TERM);
                }
            }
            tokio::select! {
                biased;
                () = told_now(stop) => return,
                () = self.lose_patience() => return,
                () = sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
            }
        }
    }

    /// Until nobody is left: one that is being killed may have started another a moment before, and may write for a moment
    /// longer. One that hangs in the kernel is not waited for for ever.
    async fn kill_the_rest(&self) {
        for _ in 0..LOOKS {
            let left = self.freeze(false).await;
            if left.is_empty() {
                return;
            }
            left.into_iter().for_each(|pid| signal(pid, Signal::KILL));
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Holds all of it still, so that nobody starts one more between the look and the kill.
    async fn freeze(&self, has_root: bool) -> BTreeSet<i32> {
        let mut frozen = BTreeSet::new();
        for _ in 0..LOOKS {
            let found = self.find(has_root).await;
            let before = frozen.len();
            for (pid, _) in found {
                if frozen.insert(pid) {
                    signal(pid, Signal::STOP);
                }
            }
            if frozen.len() == before {
                break;
            }
        }
        frozen
    }

    /// All of it that lives, and takes note of them: who loses a parent by what is done next is known by that.
    async fn find(&self, has_root: bool) -> Vec<(i32, Stat)> {
        let all = below(if has_root { vec![self.number()] } else { adopted::left_by(self.number()) }).await;
        adopted::listed(self.number(), all.iter().map(|(pid, stat)| (*pid, stat.started)));
        all
    }

    fn number(&self) -> i32 {
        self.root.as_raw_nonzero().get()
    }
}

/// A sender that is gone tells nothing any more.
async fn told_now(stop: &mut watch::Receiver<Option<Stop>>) {
    if stop.wait_for(|stop| *stop == Some(Stop::Now)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// These and all that they started, those that are dead left out. A tree of a thousand processes takes a while to walk.
async fn below(roots: Vec<i32>) -> Vec<(i32, Stat)> {
    if roots.is_empty() {
        return Vec::new();
    }
    let walk = move || {
        let (mut open, mut found) = (roots, BTreeMap::new());
        while let Some(pid) = open.pop() {
            let Some(stat) = Stat::of(pid).filter(|_| !found.contains_key(&pid)) else { continue };
            found.insert(pid, stat);
            open.extend(children(pid));
        }
        found.into_iter().filter(|(_, stat)| !stat.is_dead).collect()
    };
    tokio::task::spawn_blocking(walk).await.unwrap_or_default()
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}
