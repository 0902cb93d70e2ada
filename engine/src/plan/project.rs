//! A path -> whether it stays in the project once every link on its way is followed.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many links as the system follows on one way.
const MOST_LINKS: usize = 40;

/// The folder a spec belongs to: the repository it lies in, or its own folder where there is none.
pub(super) struct Project {
    root: PathBuf,
}

impl Project {
    /// The project of a spec in the folder `base`.
    pub(super) fn around(base: &Path) -> Self {
        let base = follow(base, MOST_LINKS);
        let root = base.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&base).to_owned();
        Self { root }
    }

    /// Its folder, without links.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a path that is written in a file of `folder` leads, when by its name it stays in the project and only a link
    /// takes it out. A name that says itself that it leads elsewhere hides nothing.
    pub(super) fn way_out(&self, folder: &Path, written: &str) -> Option<PathBuf> {
        let named = follow(folder, MOST_LINKS).join(written);
        let end = follow(&named, MOST_LINKS);
        (follow(&named, 0).starts_with(&self.root) && !end.starts_with(&self.root)).then_some(end)
    }
}

/// The path without `.`, `..` and links, whether there is something at its end or not.
pub(super) fn real(path: &Path) -> PathBuf {
    follow(path, MOST_LINKS)
}

/// The path without `.` and `..`, and with up to `links` links followed, whether there is something at its end or not.
fn follow(path: &Path, mut links: usize) -> PathBuf {
    // The folder of `spec.toml` is written as nothing at all, which has no absolute form.
    let path = std::path::absolute(path.join(".")).unwrap_or_else(|_| path.to_owned());
    let (mut place, mut left) = (PathBuf::new(), parts(&path));
    while let Some(part) = left.pop() {
        match Path::new(&part).components().next() {
            Some(Component::ParentDir) => drop(place.pop()),
            // An absolute target begins anew.
            Some(_) => place.push(&part),
            None => {}
        }
        if links > 0
            && let Ok(target) = fs::read_link(&place)
        {
            links -= 1;
            place.pop();
            left.extend(parts(&target));
        }
    }
    place
}

/// The steps of a path, the first at the end.
fn parts(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A repository with a spec's folder in it, a folder beside it, and links to and fro.
    fn folders() -> (tempfile::TempDir, Project) {
        let top = tempfile::tempdir().unwrap();
        for folder in ["repo/.git", "repo/specs", "repo/site", "else"] {
            fs::create_dir_all(top.path().join(folder)).unwrap();
        }
        symlink("../else", top.path().join("repo/out")).unwrap();
        symlink(top.path().join("else/not-there"), top.path().join("repo/site/dangling")).unwrap();
        symlink("../repo/site", top.path().join("else/back")).unwrap();
        symlink("round", top.path().join("repo/round")).unwrap();
        let project = Project::around(&top.path().join("repo/specs"));
        (top, project)
    }

    #[test]
    fn a_link_is_told_from_a_name_that_says_itself_where_it_leads() {
        let (top, project) = folders();
        let specs = top.path().join("repo/specs");
        for (written, leads_out) in [
            ("../out/x", true),
            ("../out/back/x", false),
            ("../site/dangling", true),
            ("../round/x", false),
            ("../../else/x", false),
            ("/etc/passwd", false),
            ("x", false),
        ] {
            assert_eq!(project.way_out(&specs, written).is_some(), leads_out, "{written}");
        }
        let alone = Project::around(&top.path().join("else"));
        assert_eq!(alone.way_out(&top.path().join("else"), "back/x"), Some(top.path().join("repo/site/x")));
    }
}
