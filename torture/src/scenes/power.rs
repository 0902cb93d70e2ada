//! The power is cut: an ext4 disk in a file is shut down amid a run, by the ioctl that ext4 has for this, and mounted again.
//! What a reader of `--json` had heard to be finished must be there. The control does the same without flushes: if it
//! loses nothing, this proves nothing.

use super::Ending;
use super::mount::{Mount, is_root, run, text};
use crate::bench::{Bench, Seed};
use crate::engine::{Engine, children_of};
use crate::project::Project;
use crate::watch::Watch;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`: from now on nothing reaches the disk. Perl is part of every
/// Debian, and to call it from here would take unsafe code.
const CUT: &str = "open(D, '<', $ARGV[0]) or die $!; ioctl(D, 0x8004587D, my $no_flush = pack('I', 2)) or die $!";

pub(crate) fn play(bench: &Bench) -> Ending {
    if !is_root() {
        return Ending::Skipped("a disk can be mounted and shut down by root only".to_owned());
    }
    let cuts = if bench.is_short { 2 } else { 20 };
    let (mut seed, mut told, mut wrong) = (Seed::of(bench.seed), [0; 2], Vec::new());
    for cut in 0..cuts {
        // Every other time the flush of the whole disk stalls, and files are flushed one by one.
        let stalls = cut % 2 == 1;
        match play_one(bench, seed.share(), if stalls { Disk::Busy } else { Disk::Calm }) {
            Ok(cut) => {
                told[usize::from(stalls)] += cut.told;
                wrong.extend(cut.wrong);
            }
            Err(why) if cut == 0 => return Ending::Skipped(why),
            Err(why) => wrong.push(why),
        }
    }
    let mut lost = 0;
    for _ in 0..cuts.min(5) {
        match play_one(bench, 0.5 + seed.share() / 4.0, Disk::Unflushed) {
            Ok(cut) => lost += cut.wrong.len(),
            Err(why) => wrong.push(format!("control: {why}")),
        }
    }
    if lost == 0 {
        wrong.push("the control without flushes lost nothing: this proves nothing".to_owned());
    }
    if told.contains(&0) {
        wrong.push("no cut came after the end of a task: this proves nothing".to_owned());
    }
    if wrong.is_empty() {
        Ending::Held(format!(
            "{cuts} cuts, {} tasks told before them, {} where the disk's flush stalled, none lost or torn; without \
             flushes {lost} things were",
            told[0], told[1]
        ))
    } else {
        Ending::Failed(wrong)
    }
}

/// What was seen of one cut.
struct Cut {
    /// Tasks that were told to have succeeded.
    told: usize,
    wrong: Vec<String>,
}

/// How the flushes of a run go.
#[derive(Clone, Copy, PartialEq)]
enum Disk {
    Calm,
    /// The flush of the whole disk does not come back.
    Busy,
    /// There are none.
    Unflushed,
}

/// How long a run waits for the flush of a whole disk before it gives it up.
const STALL: Duration = Duration::from_secs(2);

fn play_one(bench: &Bench, share: f64, disk: Disk) -> Result<Cut, String> {
    let on = "1".to_owned();
    let (with, stall) = match disk {
        Disk::Calm => (None, Duration::ZERO),
        Disk::Busy => (Some(("PIPE_FAILPOINT_STALL", on)), STALL),
        Disk::Unflushed => (Some(("PIPE_FAILPOINT_NO_FLUSH", on)), Duration::ZERO),
    };
    let folder = bench.room("power").map_err(|e| e.to_string())?;
    let image = folder.with_extension("ext4");
    File::create(&image).and_then(|file| file.set_len(256 << 20)).map_err(|e| e.to_string())?;
    run("mkfs.ext4", &["-q", "-F", &text(&image)])?;
    let mount = Mount::image(&image, &folder)?;
    let project = Project::write(&mount.folder, &bench.notes("power"), bench.tasks).map_err(|e| e.to_string())?;
    // The spec itself is there before the run is.
    run("sync", &["--file-system", &text(&folder)])?;
    let mut watch = Watch::over(project);
    let engine = watch.start(&bench.pipe, with.as_slice());
    std::thread::sleep(stall + Duration::from_secs_f64(bench.took.as_secs_f64() * (0.2 + 0.7 * share)));
    let told = cut(&engine, &folder)?;
    engine.kill();
    // One that is being killed may have started another, and nobody may have the disk when it is mounted again.
    for _ in 0..500 {
        let left = children_of(&watch.project.state());
        if left.is_empty() {
            break;
        }
        left.iter().for_each(crate::engine::Process::kill);
        std::thread::sleep(Duration::from_millis(10));
    }
    mount.unmount()?;
    let _mount = Mount::image(&image, &folder)?;
    watch.look();
    let filed: BTreeSet<String> = watch.project.manifests().0.iter().map(|m| m.provenance.task.to_string()).collect();
    let mut wrong: Vec<String> =
        told.difference(&filed).map(|task| format!("{task} was told and is not there")).collect();
    if disk != Disk::Unflushed {
        let ended = watch.start(&bench.pipe, &[]).wait();
        watch.done(&ended, &bench.control);
    }
    wrong.extend(watch.wrong.all().map(|(kind, what)| format!("{kind}: {what}")));
    Ok(Cut { told: told.len(), wrong })
}

/// Cuts the power. Returns the tasks that were told before: what is heard after may have raced with the cut.
fn cut(engine: &Engine, folder: &Path) -> Result<BTreeSet<String>, String> {
    let told = engine.events().into_iter().filter(|event| event.kind == "task_succeeded");
    let told = told.filter_map(|event| event.task).collect();
    run("perl", &["-e", CUT, &text(folder)])?;
    Ok(told)
}
