//! A process and all that it starts -> what they use of the machine, looked at now and then while they run.
//!
//! Children are found by the kernel's own list of each process's children. One that was seen is followed on when its parent
//! has left it behind.

use super::gpus::{Gpus, Nvidia};
use super::network::Wire;
use super::stat::{Stat, children};
use crate::attempt::Usage;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// When the first look is taken. What ends before is too short to tell anything.
pub(super) const FIRST: Duration = Duration::from_millis(200);
/// How often after that.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// Looks at one tree of processes.
pub(super) struct Meter {
    root: i32,
    /// Those seen so far, with when each was started: a number may be given to another process later.
    members: BTreeMap<i32, u64>,
    /// When the root was started and when the last look was, in seconds since the machine was, and the CPU time until
    /// then.
    began: f64,
    last: f64,
    cpu: f64,
    cpu_peak: f64,
    memory_peak: u64,
    memory_sum: u64,
    read: u64,
    written: u64,
    wire: Wire,
    /// Only of an attempt that has GPUs.
    gpus: Option<Gpus>,
    looks: u64,
}

impl Meter {
    /// `has_gpus`: GPUs are looked at too.
    pub(super) fn of(root: i32, has_gpus: bool) -> Self {
        Self {
            root,
            members: BTreeMap::new(),
            began: 0.0,
            last: 0.0,
            cpu: 0.0,
            cpu_peak: 0.0,
            memory_peak: 0,
            memory_sum: 0,
            read: 0,
            written: 0,
            wire: Wire::default(),
            gpus: has_gpus.then(|| Gpus::of(Nvidia::default())),
            looks: 0,
        }
    }

    /// Takes one look.
    pub(super) fn look(&mut self) {
        let Some(now) = uptime() else { return };
        self.find();
        if let Some(started) = self.members.get(&self.root).filter(|_| self.looks == 0) {
            self.began = *started as f64 / rustix::param::clock_ticks_per_second() as f64;
            self.last = self.began;
        }
        let (mut cpu, mut memory, mut read, mut written) = (0.0, 0, 0, 0);
        for pid in self.members.keys() {
            let Some(stat) = Stat::of(*pid) else { continue };
            cpu += stat.cpu;
            memory += stat.memory;
            let (r, w) = io(*pid);
            read += r;
            written += w;
        }
        // What somebody used whom nobody waited for is in no sum once they are gone.
        let cpu = cpu.max(self.cpu);
        if now > self.last {
            self.cpu_peak = self.cpu_peak.max((cpu - self.cpu) / (now - self.last));
        }
        self.wire.look(self.members.keys().copied(), now - self.last);
        let is_ours = |pid: u32| i32::try_from(pid).is_ok_and(|pid| self.members.contains_key(&pid));
        self.gpus.iter_mut().for_each(|gpus| gpus.look(is_ours, now - self.last));
        (self.last, self.cpu) = (now, cpu);
        self.memory_peak = self.memory_peak.max(memory);
        self.memory_sum += memory;
        self.read = self.read.max(read);
        self.written = self.written.max(written);
        self.looks += 1;
    }

    /// What was seen; `None` when nobody looked in time.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.looks == 0 {
            return None;
        }
        // Both clocks count in hundredths of a second.
        let seconds = (self.last - self.began).max(0.01);
        Some(Usage {
            cpu_mean: rounded(self.cpu / seconds),
            cpu_peak: rounded(self.cpu_peak),
            memory_mean: self.memory_sum / self.looks,
            memory_peak: self.memory_peak,
            read: self.read,
            written: self.written,
            network: self.wire.usage(seconds),
            gpu: self.gpus.as_ref().and_then(Gpus::usage),
        })
    }

    /// Those that the last look found, with when each was started.
    pub(super) fn members(&self) -> &BTreeMap<i32, u64> {
        &self.members
    }

    /// Adds what was started since, and forgets who is gone.
    fn find(&mut self) {
        let mut open: Vec<i32> = self.members.keys().copied().chain([self.root]).collect();
        let mut found = BTreeMap::new();
        while let Some(pid) = open.pop() {
            let Some(stat) = Stat::of(pid) else { continue };
            let is_other = self.members.get(&pid).is_some_and(|started| *started != stat.started);
            if !is_other && found.insert(pid, stat.started).is_none() {
                open.extend(children(pid));
            }
        }
        self.members = found;
    }
}

/// Seconds since the machine was started: the clock in which the kernel tells when processes were.
fn uptime() -> Option<f64> {
    fs::read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()
}

/// Hundredths of a CPU are as exact as a clock of ticks is.
fn rounded(cpus: f64) -> f64 {
    (cpus * 100.0).round() / 100.0
}

/// Bytes read from and written to disks. Only of processes of our own user.
fn io(pid: i32) -> (u64, u64) {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    };
    (value("read_bytes"), value("write_bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::process::{Command, Stdio};

    #[test]
    fn what_a_grandchild_downloads_over_a_connection_is_seen() {
        const ASKED: &[u8] = b"so much\n";
        const SERVED: usize = 20_000_000;
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        // The shell holds the connection; one that it starts reads from it. Both stay until the input ends.
        let script = format!(
            "exec 3<>/dev/tcp/127.0.0.1/{}; echo so much >&3; (head -c {SERVED} <&3 | wc -c; read end); true",
            listener.local_addr().unwrap().port()
        );
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let (mut served, _) = listener.accept().unwrap();
        let mut asked = [0; ASKED.len()];
        served.read_exact(&mut asked).unwrap();
        served.write_all(&vec![7; SERVED]).unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!((&asked[..], said.trim()), (ASKED, "20000000"));

        let mut meter = Meter::of(i32::try_from(child.id()).unwrap(), false);
        meter.look();
        let network = meter.usage().unwrap().network.expect("the kernel tells");
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
        assert_eq!((network.received, network.sent), (SERVED as u64, ASKED.len() as u64));
        assert!(network.received_peak >= network.received_mean && network.received_mean > 0, "{network:?}");

        // What was moved does not go away with whoever moved it.
        meter.look();
        assert_eq!(meter.usage().unwrap().network.map(|network| network.received), Some(SERVED as u64));
    }
}
