//! The kept corpus, read again. Every file of it reached something new once, or broke something.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[test]
fn every_promise_holds_for_every_file_of_the_corpus() {
    for (target, check) in pipe_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty(), "{folder:?}");
        let breaks = |file: &&PathBuf| {
            let bytes = fs::read(file).unwrap();
            catch_unwind(|| check(&bytes)).is_err()
        };
        let broken: Vec<&PathBuf> = files.iter().filter(breaks).collect();
        assert!(broken.is_empty(), "{broken:?}");
    }
}
