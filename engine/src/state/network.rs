//! The file system under a folder -> whether it is one of a network. A journal must not lie on such: SQLite's write-ahead log
//! needs memory that all its readers share and locks that all of them see, and there they hold on one machine only, or
//! not at all. What is lost then is lost without a word.

use rustix::fs::{major, minor, statfs};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What `statfs` tells of file systems of networks and of shared folders of a virtual machine's host, from `linux/magic.h` and
/// the sources of those that are not in it.
const NETWORKS: [(u32, &str); 23] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564C, "NCP"),
    (0x0102_1997, "9p"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0xAAD7_AAEA, "PanFS"),
    (0x2003_0528, "OrangeFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x6163_6673, "ACFS"),
    (0x0131_11A8, "Ibrix"),
    (0xBEEF_DEAD, "StorNext"),
    (0x7C7C_6673, "a shared folder of Parallels"),
    (0xBACB_ACBC, "a shared folder of VMware"),
    (0x786F_4256, "a shared folder of VirtualBox"),
];

/// A file system that is a program: which one decides.
const FUSE: u32 = 0x6573_5546;

/// Such programs that keep their bytes on this machine. Of any other that cannot be told, and most are of networks.
const LOCAL: [&str; 8] = [
    "fuseblk",
    "virtiofs",
    "fuse.bindfs",
    "fuse.encfs",
    "fuse.exfat",
    "fuse.fuse-overlayfs",
    "fuse.gocryptfs",
    "fuse.mergerfs",
];

/// The network file system that a folder lies on, or will when it is made; `None` when it lies on a disk of this machine.
pub(super) fn under(folder: &Path) -> Option<String> {
    let folder = std::path::absolute(folder).ok()?;
    let there = folder.ancestors().find(|folder| folder.exists())?;
    // Its lowest 32 bits are all there is to it; how wide the field is depends on the machine.
    let magic = statfs(there).ok()?.f_type as u32;
    verdict(magic, || {
        let device = fs::metadata(there).ok()?.dev();
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        Some(kind_of(&mounts, major(device), minor(device))?.to_owned())
    })
}

/// `kind`: what the list of mounts calls a file system that is a program.
fn verdict(magic: u32, kind: impl FnOnce() -> Option<String>) -> Option<String> {
    if magic == FUSE {
        let kind = kind().unwrap_or_else(|| "fuse".to_owned());
        return (!LOCAL.contains(&kind.as_str())).then_some(kind);
    }
    NETWORKS.iter().find(|(known, _)| *known == magic).map(|(_, name)| (*name).to_owned())
}

/// `36 35 98:0 /root /mnt rw shared:1 - fuse.sshfs host:/ rw` -> `fuse.sshfs`.
fn kind_of(mounts: &str, major: u32, minor: u32) -> Option<&str> {
    let device = format!("{major}:{minor}");
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&device))?;
    line.split_once(" - ")?.1.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that GNU coreutils call remote, in their words, and the one of `linux/magic.h` that they do not.
    const REMOTE: &str = "
        ACFS 0x61636673, AFS 0x5346414F, CEPH 0x00C36400, CIFS 0xFF534D42, CODA 0x73757245, FHGFS 0x19830326,
        GFS 0x01161970, GPFS 0x47504653, IBRIX 0x013111A8, KAFS 0x6B414653, LUSTRE 0x0BD00BD0, NCP 0x564C,
        NFS 0x6969, OCFS2 0x7461636F, PANFS 0xAAD7AAEA, PRL_FS 0x7C7C6673, SMB 0x517B, SMB2 0xFE534D42,
        SNFS 0xBEEFDEAD, VBOXSF 0x786F4256, VMHGFS 0xBACBACBC, V9FS_MAGIC 0x01021997";
    /// From the table of `man 2 statfs`.
    const DISKS: &str = "
        EXT4_SUPER_MAGIC 0xef53, XFS_SUPER_MAGIC 0x58465342, BTRFS_SUPER_MAGIC 0x9123683e, TMPFS_MAGIC 0x01021994,
        OVERLAYFS_SUPER_MAGIC 0x794c7630, F2FS_SUPER_MAGIC 0xf2f52010, MSDOS_SUPER_MAGIC 0x4d44, RAMFS_MAGIC 0x858458f6";

    fn numbers(table: &str) -> Vec<(&str, u32)> {
        let pairs = table.split(',').filter_map(|pair| pair.trim().split_once(' '));
        pairs.map(|(name, number)| (name, u32::from_str_radix(&number[2..], 16).unwrap())).collect()
    }

    #[test]
    fn file_systems_of_networks_are_told_from_disks() {
        for (name, magic) in numbers(REMOTE) {
            assert!(verdict(magic, || None).is_some(), "{name}");
        }
        for (name, magic) in numbers(DISKS) {
            assert_eq!(verdict(magic, || None), None, "{name}");
        }
        assert_eq!((numbers(REMOTE).len(), numbers(DISKS).len()), (22, 8));
    }

    #[test]
    fn of_file_systems_that_are_programs_those_of_this_machine_may_hold_a_journal() {
        let fuse = |kind: &str| verdict(0x6573_5546, || Some(kind.to_owned()));
        for kind in ["fuse.sshfs", "fuse.gcsfuse", "fuse.rclone", "fuse.s3fs", "fuse.juicefs", "fuse"] {
            assert_eq!(fuse(kind).as_deref(), Some(kind));
        }
        for kind in ["fuseblk", "fuse.fuse-overlayfs", "virtiofs"] {
            assert_eq!(fuse(kind), None);
        }
        assert_eq!(verdict(0x6573_5546, || None).as_deref(), Some("fuse"), "what cannot be told is not trusted");
    }

    /// The example of `man 5 proc_pid_mountinfo`, and a line with two optional fields.
    #[test]
    fn the_list_of_mounts_tells_which_program_it_is() {
        let mounts = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n\
                      90 36 0:52 / /home/a/far rw shared:1 master:2 - fuse.sshfs a@b:/ rw\n";
        assert_eq!(kind_of(mounts, 98, 0), Some("ext3"));
        assert_eq!(kind_of(mounts, 0, 52), Some("fuse.sshfs"));
        assert_eq!(kind_of(mounts, 0, 5), None);
    }

    #[test]
    fn a_folder_that_is_not_made_yet_is_judged_by_where_it_will_lie() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(under(&folder.path().join("a/b/.pipe")), under(folder.path()));
        assert_eq!(under(Path::new("/proc/self/.pipe")), None);
    }
}
