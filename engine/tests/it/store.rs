//! The folder store: the suite every store passes, and what only a folder can get wrong.

use pipe_engine::store::suite::{Abilities, behaves};
use pipe_engine::store::{Folder, Store, blocking};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_folder_does_what_every_store_must() {
    let folder = tempfile::tempdir().unwrap();
    behaves(&Folder::open(folder.path()).unwrap(), Abilities::ALL);
}

#[test]
fn a_swap_and_a_half_written_object_are_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Folder::open(folder.path()).unwrap();
    blocking(store.put_new("a", b"1")).unwrap();
    blocking(store.replace_if("a", b"1", b"2")).unwrap();
    fs::write(folder.path().join("tmp/77-0"), b"half").unwrap();
    let listed: Vec<String> = blocking(store.list("")).unwrap().into_iter().map(|s| s.at).collect();
    assert_eq!(listed, ["a"]);
}

/// `gc` deletes what no listed manifest names: a list cut short would cost results.
#[test]
fn a_list_is_whole_while_others_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = Folder::open(folder.path()).unwrap();
    for n in 0..50 {
        blocking(store.put_new(&format!("results/{n:02}/stays"), b"x")).unwrap();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for n in 0..50 {
                    let passing = folder.path().join(format!("results/{n:02}a"));
                    fs::create_dir_all(&passing).unwrap();
                    fs::write(passing.join("goes"), b"x").unwrap();
                    fs::remove_dir_all(&passing).unwrap();
                    let passing = folder.path().join(format!("results/{n:02}/goes"));
                    fs::write(&passing, b"x").unwrap();
                    fs::remove_file(&passing).unwrap();
                }
            }
        });
        let lists: Vec<_> = (0..60).map(|_| blocking(store.list("results/"))).collect();
        // Before anything can fail here: the other thread must end.
        done.store(true, Ordering::Relaxed);
        for list in lists {
            assert_eq!(list.unwrap().iter().filter(|stat| stat.at.ends_with("stays")).count(), 50);
        }
    });
}

#[test]
fn a_store_that_cannot_be_written_says_which_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not-a-folder");
    fs::write(&file, b"").unwrap();
    let error = Folder::open(&file).err().unwrap().to_string();
    assert!(error.contains("not-a-folder"), "{error}");
}

/// Two stores in one process, or two containers whose processes have the same number, write to one `tmp/`.
#[test]
fn two_stores_on_one_root_do_not_take_each_others_half_written_objects() {
    let folder = tempfile::tempdir().unwrap();
    let stores = [(); 4].map(|()| Folder::open(folder.path()).unwrap());
    std::thread::scope(|scope| {
        for (place, store) in stores.iter().enumerate() {
            scope.spawn(move || {
                for n in 0..40 {
                    let at = format!("data/{place}/{n}");
                    blocking(store.put_new(&at, at.as_bytes())).unwrap();
                    assert_eq!(blocking(store.get(&at)).unwrap(), at.as_bytes());
                }
            });
        }
    });
    assert_eq!(blocking(stores[0].list("data/")).unwrap().len(), 160);
}
