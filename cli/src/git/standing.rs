//! A spec's folder -> where it stands in git: repository, commit, and what differs from it. Asked on threads of their
//! own while the spec is read. Whatever is in the way (no git, no repository, a broken one, one of another user, one
//! that takes too long) only means that less is known.

use super::{git, parts};
use pipe_engine::revision::{Changes, Revision};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A run does not begin later than this because of git.
const PATIENCE: Duration = Duration::from_millis(500);
/// So many files that differ are named; the others are counted.
const NAMED: usize = 20;
/// Files that differ are digested up to this many bytes together, and not at all when they are more.
const DIGESTED: u64 = 64 << 20;

/// Questions that are on their way.
pub(crate) struct Asked {
    commit: Receiver<Revision>,
    changes: Receiver<Changes>,
}

impl Asked {
    /// Asks where `folder` stands. Comes back at once; `None` when it lies in no repository.
    pub(crate) fn about(folder: &Path) -> Option<Self> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let top = top_folder(&folder.canonicalize().ok()?)?;
        let (say_commit, commit) = channel();
        let (say_changes, changes) = channel();
        let here = top.clone();
        std::thread::spawn(move || revision(&here).map(|found| say_commit.send(found)));
        std::thread::spawn(move || changed(&top).map(|found| say_changes.send(found)));
        Some(Self { commit, changes })
    }

    /// The answer, as far as it has come.
    pub(crate) fn answer(self) -> Option<Revision> {
        let revision = self.commit.recv_timeout(PATIENCE).ok()?;
        Some(Revision { changes: self.changes.recv_timeout(PATIENCE).ok(), ..revision })
    }
}

/// The nearest folder, from `folder` upwards, that holds what git takes for a repository.
pub(super) fn top_folder(folder: &Path) -> Option<PathBuf> {
    let is_top = |folder: &&Path| {
        let inside = folder.join(".git");
        inside.is_file() || ["HEAD", "objects", "refs"].iter().all(|name| inside.join(name).exists())
    };
    folder.ancestors().find(is_top).map(Path::to_owned)
}

fn revision(top: &Path) -> Option<Revision> {
    let log = git(top, &["log", "-1", "--no-show-signature", "--no-color", "--decorate=full", "--format=%H%x00%D"]);
    let remotes = git(top, &["config", "--null", "--get-regexp", r"^remote\..*\.url$"]);
    let (log, remotes) = (start(log)?, start(remotes));
    let text = whole(log)?;
    let mut lines = parts(&text);
    let commit = lines.next()?.trim().to_owned();
    let (branch, tags) = names(lines.next().unwrap_or_default().trim());
    Some(Revision {
        folder: top.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        remote: remotes.and_then(whole).and_then(|text| remote(&text)),
        commit,
        branch,
        tags,
        ..Revision::default()
    })
}

/// The branch and the tags in `HEAD -> refs/heads/main, tag: refs/tags/v1.2, refs/remotes/origin/main`.
pub(super) fn names(decorations: &str) -> (Option<String>, Vec<String>) {
    let all = || decorations.split(", ");
    let branch = all().find_map(|name| name.strip_prefix("HEAD -> refs/heads/"));
    let tags = all().filter_map(|name| name.strip_prefix("tag: refs/tags/"));
    (branch.map(str::to_owned), tags.map(str::to_owned).collect())
}

/// The URL of `origin`, or else of the first remote, out of `remote.NAME.url` lines.
fn remote(settings: &[u8]) -> Option<String> {
    let all: Vec<String> = parts(settings).collect();
    let url = |setting: &String| setting.split_once('\n').map(|(_, url)| without_credentials(url));
    all.iter().find(|setting| setting.starts_with("remote.origin.url\n")).or(all.first()).and_then(url)
}

/// A URL without what only its owner may know: user, password, and whatever follows a `?`. The user of
/// `git@host:path` is no secret and stays.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // `user:password@host:path` is no form that git knows, but a mistake that keeps its password all the same.
        return match url.rsplit_once('@') {
            Some((user, rest)) if user.contains(':') => rest.to_owned(),
            _ => url.to_owned(),
        };
    };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// The tracked files that differ from the commit.
fn changed(top: &Path) -> Option<Changes> {
    let arguments = ["diff", "HEAD", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv"];
    let mut command = git(top, &[arguments.as_slice(), &["--no-relative", "--ignore-submodules=dirty"]].concat());
    // Objects that were never fetched are not fetched for this.
    command.env("GIT_NO_LAZY_FETCH", "1");
    let output = whole(start(command)?)?;
    let mut fields = output.split(|byte| *byte == 0);
    let mut files = Vec::new();
    while let (Some(meta), Some(path)) = (fields.next(), fields.next()) {
        files.push((path, meta));
    }
    files.sort_unstable();
    files.dedup_by_key(|(path, _)| *path);
    let named = files.iter().take(NAMED).map(|(path, _)| String::from_utf8_lossy(path).into_owned());
    Some(Changes { count: files.len() as u64, files: named.collect(), digest: digest(top, &files) })
}

/// The digest of what differs: each path, what it is now, and its bytes, with lengths, so that no two states make the
/// same bytes. It does not depend on how anybody has set git to show differences.
fn digest(top: &Path, files: &[(&[u8], &[u8])]) -> Option<String> {
    let mut hasher = blake3::Hasher::new_derive_key("pipe 2026-11 changes v1");
    let mut left = DIGESTED;
    for (path, meta) in files {
        let file = top.join(std::ffi::OsStr::from_bytes(path));
        let (kind, bytes) = now(&file, meta, left)?;
        left = left.checked_sub(bytes.len() as u64)?;
        for part in [path, kind.as_bytes(), &bytes] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    (!files.is_empty()).then(|| hasher.finalize().to_hex().to_string())
}

/// What a path is now, and its bytes: a link's are where it leads, a submodule's are its commit. `None` when they are
/// more than `most`.
fn now(file: &Path, meta: &[u8], most: u64) -> Option<(&'static str, Vec<u8>)> {
    let Ok(found) = fs::symlink_metadata(file) else { return Some(("gone", Vec::new())) };
    if found.is_symlink() {
        let target = fs::read_link(file).unwrap_or_default();
        return Some(("link", target.as_os_str().as_bytes().to_owned()));
    }
    if !found.is_file() {
        return Some(("other", meta.to_owned()));
    }
    let kind = if found.permissions().mode() & 0o111 == 0 { "file" } else { "program" };
    let mut bytes = Vec::new();
    fs::File::open(file).ok()?.take(most + 1).read_to_end(&mut bytes).ok()?;
    Some((kind, bytes))
}

/// All that git says to a question, if it ends well.
pub(super) fn output(command: std::process::Command) -> Option<Vec<u8>> {
    start(command).and_then(whole)
}

fn start(mut command: std::process::Command) -> Option<Child> {
    command.stderr(std::process::Stdio::null()).spawn().ok()
}

/// All that a program said, if it ended well.
fn whole(child: Child) -> Option<Vec<u8>> {
    let output = child.wait_with_output().ok()?;
    output.status.success().then_some(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_loses_its_credentials_and_nothing_else() {
        for (url, kept) in [
            ("https://ann:s3cret@github.com/club/specs.git", "https://github.com/club/specs.git"),
            ("https://ghp_token@github.com/club/specs", "https://github.com/club/specs"),
            ("https://host/x?access_token=1", "https://host/x"),
            ("https://host", "https://host"),
            ("ssh://git@host:22/x.git", "ssh://host:22/x.git"),
            ("git@github.com:club/specs.git", "git@github.com:club/specs.git"),
            ("ann:s3cret@host:x.git", "host:x.git"),
            ("/srv/git/specs.git", "/srv/git/specs.git"),
        ] {
            assert_eq!(without_credentials(url), kept);
        }
    }

    #[test]
    fn branch_and_tags_are_told_from_other_names_of_a_commit() {
        let (branch, tags) = names("HEAD -> refs/heads/main, tag: refs/tags/v1.2, tag: refs/tags/a/b, refs/heads/x");
        assert_eq!((branch.as_deref(), tags), (Some("main"), vec!["v1.2".to_owned(), "a/b".to_owned()]));
        assert_eq!(names("HEAD, refs/remotes/origin/main"), (None, vec![]));
        assert_eq!(names(""), (None, vec![]));
    }

    #[test]
    fn origin_is_the_remote_that_counts() {
        let settings = b"remote.fork.url\nhttps://a/x\0remote.origin.url\nhttps://u@b/y\0";
        assert_eq!(remote(settings).as_deref(), Some("https://b/y"));
        assert_eq!(remote(b"remote.fork.url\nhttps://a/x\0").as_deref(), Some("https://a/x"));
        assert_eq!(remote(b""), None);
    }
}
