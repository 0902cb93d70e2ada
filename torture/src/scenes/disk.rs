//! A disk that is full, one that breaks, and one that cannot be written. Small disks in memory need root.

use super::Ending;
use super::mount::{Mount, is_root};
use crate::bench::Bench;
use crate::engine::{Ended, LOOK_EVERY, PATIENCE, children_of};
use crate::project::{Project, noted};
use crate::watch::Watch;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Bytes that are left when the run begins: enough for some of the tasks.
const LEFT: u64 = 2_000_000;

/// A run that fills the disk says so and begins nothing more; once there is room it goes on by itself, and nothing has failed.
pub(crate) fn full(bench: &Bench) -> Ending {
    if !is_root() {
        return Ending::Skipped("a small disk can be mounted by root only".to_owned());
    }
    let room = bench.room("full").expect("a folder for temporary files can be written");
    let mount = match Mount::memory(&room, 64 << 20) {
        Ok(mount) => mount,
        Err(why) => return Ending::Skipped(why),
    };
    let project = Project::write(&mount.folder, &bench.notes("full"), bench.tasks).expect("it can be written");
    let filled = mount.folder.join("filled");
    fill(&filled);
    let mut watch = Watch::over(project);
    let mut engine = watch.start(&bench.pipe, &[]);
    let mut wrong = Vec::new();
    if !engine.says("disk_full") {
        wrong.push("a full disk is not told".to_owned());
    }
    // What ran when the disk was found to be full comes to its end.
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until && !children_of(&watch.project.state()).is_empty() {
        std::thread::sleep(LOOK_EVERY);
    }
    let before = watch.project.manifests().0.len();
    if before >= bench.tasks {
        wrong.push("all was done before the disk was full: this proves nothing".to_owned());
    }
    fs::remove_file(&filled).expect("it is there");
    let ended = engine.wait();
    wrong.extend(unfiled(&watch.project, &ended));
    watch.done(&ended, &bench.control);
    wrong.extend(watch.wrong.all().map(|(kind, what)| format!("{kind}: {what}")));
    if wrong.is_empty() {
        Ending::Held(format!(
            "told; {before} of {} results then, the rest by the same run when there was room",
            bench.tasks
        ))
    } else {
        Ending::Failed(wrong)
    }
}

/// A disk that does not take what the journal flushes: the run ends at once and says why, its children with it, and the
/// next run does the rest.
pub(crate) fn broken(bench: &Bench) -> Ending {
    let commits = bench.reached.get("journal.before_commit").copied().unwrap_or(0);
    let mut watch = bench.watch("broken");
    let mut wrong = Vec::new();
    for share in [8, 2] {
        let when = format!("journal.flush:{}", commits / share + 1);
        let ended = watch.start(&bench.pipe, &[("PIPE_FAILPOINT_BREAK", when)]).wait();
        if ended.code() != Some(3) || !ended.stderr.contains("disk I/O error") {
            wrong.push(format!("it is not told: {}", ended.told()));
        }
        if !ended.children.is_empty() {
            wrong.push(format!("{} processes of tasks live on", ended.children.len()));
        }
        watch.look();
        wrong.extend(unfiled(&watch.project, &ended));
    }
    wrong.extend(broken_store(bench, &mut watch));
    let ended = watch.start(&bench.pipe, &[]).wait();
    watch.done(&ended, &bench.control);
    wrong.extend(watch.wrong.all().map(|(kind, what)| format!("{kind}: {what}")));
    if wrong.is_empty() {
        let held = "exit code 3 and the reason, twice; of the store's disk exit code 1 and nothing more begun; \
                    no child lived on; the next run did the rest";
        Ending::Held(held.to_owned())
    } else {
        Ending::Failed(wrong)
    }
}

/// A disk that does not take what the store flushes: nothing more is begun, since nothing could be published.
fn broken_store(bench: &Bench, watch: &mut Watch) -> Vec<String> {
    let before = watch.project.manifests().0.len();
    let ended = watch.start(&bench.pipe, &[("PIPE_FAILPOINT_BREAK", "store.flush:3".to_owned())]).wait();
    let mut wrong = Vec::new();
    if ended.code() != Some(1) || !ended.stderr.contains("Input/output error") {
        wrong.push(format!("the store's disk: it is not told: {}", ended.told()));
    }
    if !ended.children.is_empty() {
        wrong.push(format!("the store's disk: {} processes of tasks live on", ended.children.len()));
    }
    watch.look();
    if watch.project.manifests().0.len() >= bench.tasks {
        wrong.push(format!("the store's disk: all was published, {before} of it before: this proves nothing"));
    }
    wrong
}

/// A store that cannot be written is refused before anything runs; so is a state folder.
pub(crate) fn read_only(bench: &Bench) -> Ending {
    let room = bench.room("sealed").expect("a folder for temporary files can be written");
    let project = Project::write(&room, &bench.notes("sealed"), 16).expect("it can be written");
    let mut wrong = Vec::new();
    for name in ["out", ".pipe"] {
        let folder = room.join(name);
        fs::create_dir_all(&folder).expect("it can be made");
        let sealed = match Seal::on(&folder) {
            Ok(sealed) => sealed,
            Err(why) => return Ending::Skipped(why),
        };
        let ended = bench.run(&project);
        if ended.code() != Some(3) || !ended.stderr.contains(name) {
            wrong.push(format!("{name}: {}", ended.told()));
        }
        if noted(&project.notes) > 0 {
            wrong.push(format!("{name}: a task ran"));
        }
        drop(sealed);
    }
    let ended = bench.run(&project);
    if ended.code() != Some(0) {
        wrong.push(ended.told());
    }
    if wrong.is_empty() {
        Ending::Held("store and state folder: exit code 3 and the folder's name, and nothing ran".to_owned())
    } else {
        Ending::Failed(wrong)
    }
}

/// A folder that cannot be written: mounted so by root, whom modes do not bind; by its mode for everybody else.
enum Seal {
    Mounted(#[allow(dead_code, reason = "it is there to be dropped")] Mount),
    Mode(std::path::PathBuf),
}

impl Seal {
    fn on(folder: &Path) -> Result<Self, String> {
        if is_root() {
            let mount = Mount::memory(folder, 1 << 20)?;
            mount.make_read_only()?;
            return Ok(Self::Mounted(mount));
        }
        set_mode(folder, "555");
        Ok(Self::Mode(folder.to_owned()))
    }
}

impl Drop for Seal {
    fn drop(&mut self) {
        if let Self::Mode(folder) = self {
            set_mode(folder, "755");
        }
    }
}

fn set_mode(folder: &Path, mode: &str) {
    let _ = Command::new("chmod").arg(mode).arg(folder).status();
}

/// Fills the disk up to what is to be left.
fn fill(ballast: &Path) {
    let disk = rustix::fs::statvfs(ballast.parent().unwrap_or(ballast)).expect("a mounted disk tells its size");
    let free = disk.f_bavail * disk.f_frsize;
    fs::write(ballast, vec![0; usize::try_from(free - LEFT).unwrap_or(0)]).expect("there is so much room");
}

/// Tasks of which the run said that they succeeded, and that have no result.
fn unfiled(project: &Project, ended: &Ended) -> Vec<String> {
    let filed: Vec<String> = project.manifests().0.iter().map(|m| m.provenance.task.to_string()).collect();
    let told = ended.events.iter().filter(|event| event.kind == "task_succeeded").filter_map(|e| e.task.as_ref());
    told.filter(|task| !filed.contains(task)).map(|task| format!("{task} was told and is not there")).collect()
}
