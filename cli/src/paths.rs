//! A path -> the shortest way to write it from here.

use std::path::{Component, Path, PathBuf};

/// The path from the current folder when that is shorter than the path itself.
pub(crate) fn from_here(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    shorter(path, &here).display().to_string()
}

fn shorter(path: &Path, here: &Path) -> PathBuf {
    let relative = relative(path, here);
    if path.is_absolute() && relative.as_os_str().len() < path.as_os_str().len() { relative } else { path.to_owned() }
}

/// Both absolute and without `..`.
fn relative(path: &Path, here: &Path) -> PathBuf {
    let common = path.components().zip(here.components()).take_while(|(a, b)| a == b).count();
    let up = here.components().skip(common).map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(path.components().skip(common)).collect();
    if relative.as_os_str().is_empty() { PathBuf::from(".") } else { relative }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_here_when_that_is_shorter() {
        let told = |path: &str, here: &str| shorter(Path::new(path), Path::new(here)).display().to_string();
        assert_eq!(told("/home/ann/out/data", "/home/ann"), "out/data");
        assert_eq!(told("/home/ann/out", "/home/ann/specs"), "../out");
        assert_eq!(told("/home/ann", "/home/ann"), ".");
        assert_eq!(told("/a/b", "/home/ann/specs/deep"), "/a/b");
        assert_eq!(told("out/x", "/work"), "out/x");
    }
}
