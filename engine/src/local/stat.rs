//! A process's number -> what the kernel tells of it: when it was started, where it belongs, what it used, whom it started.

use crate::world;
use std::fs;
use std::time::Duration;

/// What the kernel tells of one process, with the children it has waited for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stat {
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    /// Whether it ended, and only waits to be waited for.
    pub(super) is_dead: bool,
    /// Seconds.
    pub(super) cpu: f64,
    /// Bytes.
    pub(super) memory: u64,
    /// In ticks since the machine was started. Numbers are given away again; a number and this are not.
    pub(super) started: u64,
}

impl Stat {
    pub(super) fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `proc_pid_stat(5)`: the name in brackets may hold anything, so fields are counted from behind it.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |nth: usize| fields.get(nth - 3)?.parse::<u64>().ok();
        let process = |nth: usize| fields.get(nth - 3)?.parse::<i32>().ok();
        let ticks = number(14)? + number(15)? + number(16)? + number(17)?;
        Some(Self {
            parent: process(4)?,
            group: process(5)?,
            session: process(6)?,
            is_dead: matches!(*fields.first()?, "Z" | "X" | "x"),
            cpu: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
            memory: number(24)?.saturating_mul(rustix::param::page_size() as u64),
            started: number(22)?,
        })
    }
}

/// The clock that tells when processes were started.
pub(super) fn ticks_now() -> u64 {
    ticks(world::since_boot())
}

fn ticks(time: Duration) -> u64 {
    let ticks = time.as_nanos() * u128::from(rustix::param::clock_ticks_per_second()) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// All processes there are.
pub(super) fn everybody() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Those that a process started, or adopted, and has not waited for.
pub(super) fn children(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Whether a process has all these variables in its environment, each written as `NAME=value`. The environments of other
/// users cannot be read.
pub(super) fn has_variables(pid: i32, variables: &[&[u8]]) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    let all: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
    variables.iter().all(|variable| all.contains(variable))
}

/// The boot of the machine that runs.
pub(super) fn boot() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read_whatever_the_name_of_the_program_is() {
        // From a machine with pages of 4 KiB and 100 ticks a second.
        let line = "4711 (a) b (c)) S 1 4712 4713 0 -1 4194304 100 0 0 0 150 50 25 75 20 0 1 0 98765 1000000 256 \
                    18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0";
        let memory = 256 * rustix::param::page_size() as u64;
        let (parent, group, session) = (1, 4712, 4713);
        let told = Stat { parent, group, session, is_dead: false, cpu: 3.0, memory, started: 98765 };
        assert_eq!(Stat::parse(line), Some(told.clone()));
        assert_eq!(Stat::parse(&line.replace(") S ", ") Z ")), Some(Stat { is_dead: true, ..told }));
        assert_eq!(Stat::parse("4711 (sh) S 1"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn a_process_was_started_between_two_looks_at_the_clock() {
        let before = ticks_now();
        let mut child = std::process::Command::new("sleep").arg("300").spawn().unwrap();
        let after = ticks_now();
        let started = Stat::of(child.id().cast_signed()).unwrap().started;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!((before..=after).contains(&started), "{before} {started} {after}");
    }
}
