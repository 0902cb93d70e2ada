//! What the machine tells of the end of a program: whether the kernel killed something for want of memory, and whether
//! a disk was full.

use crate::disk::Room;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often the kernel has killed for want of memory in the cgroup that attempts run in.
#[derive(Clone, Debug, Default)]
pub struct OomKills {
    /// Open, since it is read twice for each attempt.
    file: Option<Arc<File>>,
}

impl OomKills {
    /// Those of the cgroup of this process; children are in the same.
    pub fn here() -> Self {
        let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::under(Path::new("/sys/fs/cgroup"), &membership)
    }

    /// Those that a file counts in a line `oom_kill N`.
    pub fn counted_in(file: &Path) -> Self {
        Self { file: File::open(file).ok().map(Arc::new) }
    }

    /// Those of the cgroup that `/proc/self/cgroup` names, in the folder where cgroups are mounted. Within a container the
    /// name may be that of the machine outside, and the mounted folder the container's own.
    pub(super) fn under(root: &Path, membership: &str) -> Self {
        let files = membership.lines().flat_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or("/"));
            let path = path.trim_start_matches('/');
            let (folder, name) = match controllers {
                "" => (root.to_owned(), "memory.events"),
                named if named.split(',').any(|name| name == "memory") => (root.join(named), "memory.oom_control"),
                _ => return Vec::new(),
            };
            vec![folder.join(path).join(name), folder.join(name)]
        });
        let mut open = files.map(|file: PathBuf| Self::counted_in(&file));
        open.find(|kills| kills.count().is_some()).unwrap_or_default()
    }

    /// How many there have been; `None` where nobody counts.
    pub(super) fn count(&self) -> Option<u64> {
        let mut text = [0; 4096];
        let length = self.file.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(&text[..length]).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
    }
}

/// The first of these folders whose file system is full, with what it has left.
pub(super) fn full<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Option<(&'a Path, Room)> {
    let rooms = folders.into_iter().filter_map(|folder| Some((folder, Room::at(folder)?)));
    rooms.into_iter().find(|(_, room)| room.is_full())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    // The texts are those of the kernel: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
    const EVENTS: &str = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n";
    const CONTROL: &str = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n";

    #[test]
    fn kills_are_counted_in_the_cgroup_of_either_version() {
        let cases = [
            ("0::/user.slice/a.scope\n", "user.slice/a.scope/memory.events", EVENTS, Some(2)),
            ("12:pids:/\n4:memory:/docker/ab\n0::/\n", "memory/docker/ab/memory.oom_control", CONTROL, Some(5)),
            ("3:cpu,memory:/x\n", "cpu,memory/x/memory.oom_control", CONTROL, Some(5)),
            // The names are those of the machine outside, and the folder is the container's.
            ("0::/docker/ab\n", "memory.events", EVENTS, Some(2)),
            ("4:memory:/docker/ab\n", "memory/memory.oom_control", CONTROL, Some(5)),
            ("0::/\n", "memory.current", "7\n", None),
            ("", "memory.events", EVENTS, None),
            ("4:memory:/\n", "memory/memory.oom_control", "oom_kill_disable 0\n", None),
        ];
        for (membership, file, text, kills) in cases {
            let root = tree(&[(file, text)]);
            assert_eq!(OomKills::under(root.path(), membership).count(), kills, "{membership:?} {file}");
        }
    }
}
