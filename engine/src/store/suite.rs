//! What every store must do, as one function that tests call with theirs: a folder here, buckets in their own crate.
//! Behind the feature `testing`; it panics at the first promise that is not kept.

use super::{Stat, Store, StoreError, blocking};
use crate::world::World;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a store may lack without being refused by the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// It can replace an object on the condition that it is still the one that was read.
    pub replaces: bool,
    /// It tells when an object was last written.
    pub tells_time: bool,
}

impl Abilities {
    /// Of a store that can all of it.
    pub const ALL: Self = Self { replaces: true, tells_time: true };
}

/// Holds `store`, which must be empty, against everything [`Store`] promises.
///
/// # Panics
/// When it does something else.
pub fn behaves(store: &dyn Store, abilities: Abilities) {
    creates_once(store);
    reads_what_lies_in_the_range(store);
    lists_what_is_there(store);
    deletes_without_complaint(store);
    refuses_paths_that_lead_out(store);
    lets_one_of_two_create(store);
    takes_files_in_whole(store);
    lets_one_of_two_put_a_file(store);
    if abilities.tells_time {
        tells_when_it_was_written(store);
    }
    if abilities.replaces {
        replaces_only_what_was_expected(store);
        lets_one_of_two_replace(store);
        shows_a_reader_what_was_or_what_is(store);
        tells_that_an_object_is_another(store);
    }
}

fn creates_once(store: &dyn Store) {
    put(store, "once/object", b"first");
    let second = blocking(store.put_new("once/object", b"second"));
    assert!(matches!(second, Err(StoreError::Conflict { .. })), "a second create: {second:?}");
    assert_eq!(get(store, "once/object"), b"first", "the loser of a create must leave no trace");
    put(store, "once/empty", b"");
    assert_eq!(get(store, "once/empty"), b"");
    let missing = blocking(store.get("once/missing"));
    assert!(matches!(missing, Err(StoreError::Missing { .. })), "reading what is not there: {missing:?}");
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    put(store, "once/large", &large);
    assert!(get(store, "once/large") == large, "three megabytes come back as they went");
}

fn reads_what_lies_in_the_range(store: &dyn Store) {
    put(store, "range/object", b"0123456789");
    let cases: [(u64, u64, &[u8]); 7] = [
        (0, 10, b"0123456789"),
        (0, 0, b""),
        (3, 4, b"3456"),
        (9, 1, b"9"),
        (8, 100, b"89"),
        (10, 5, b""),
        (11, 5, b""),
    ];
    for (offset, length, expected) in cases {
        let read = blocking(store.get_range("range/object", offset, length));
        assert_eq!(read.expect("the object is there"), expected, "{length} bytes from {offset}");
    }
    let missing = blocking(store.get_range("range/missing", 0, 1));
    assert!(matches!(missing, Err(StoreError::Missing { .. })), "a range of what is not there: {missing:?}");
}

fn lists_what_is_there(store: &dyn Store) {
    for at in ["list/b", "list/a/z", "list/a/y", "listed"] {
        put(store, at, at.as_bytes());
    }
    let expected = ["list/a/y", "list/a/z", "list/b"].map(|at| (at.to_owned(), at.len() as u64));
    let listed: Vec<(String, u64)> = list(store, "list/").into_iter().map(|stat| (stat.at, stat.size)).collect();
    assert_eq!(listed, expected, "sorted, with sizes, and nothing beside the folder");
    assert_eq!(list(store, "list/a/").len(), 2);
    assert_eq!(list(store, "list/nothing/"), []);
    let whole: Vec<String> = list(store, "").into_iter().map(|stat| stat.at).collect();
    assert!(whole.contains(&"listed".to_owned()) && whole.contains(&"list/a/y".to_owned()), "the whole: {whole:?}");
    let stat = blocking(store.stat("listed")).expect("a stat works");
    assert_eq!(stat.map(|stat| (stat.at, stat.size)), Some(("listed".to_owned(), 6)));
    assert_eq!(blocking(store.stat("list/nothing")).expect("a stat of nothing works"), None);
}

fn deletes_without_complaint(store: &dyn Store) {
    put(store, "delete/object", b"x");
    for _ in 0..2 {
        blocking(store.delete("delete/object")).expect("deleting what is gone is no error");
    }
    assert_eq!(blocking(store.stat("delete/object")).expect("a stat works"), None);
    put(store, "delete/object", b"a new one may take its place");
}

fn refuses_paths_that_lead_out(store: &dyn Store) {
    for at in ["", ".", "..", "../out", "a/../b", "/etc/passwd", "a//b", "a/", "a/./b", "nul\0byte"] {
        let refused = [
            blocking(store.get(at)).err(),
            blocking(store.get_range(at, 0, 1)).err(),
            blocking(store.put_new(at, b"x")).err(),
            blocking(store.replace_if(at, b"x", b"y")).err(),
            blocking(store.stat(at)).err(),
            blocking(store.delete(at)).err(),
        ];
        for error in refused {
            assert!(matches!(error, Some(StoreError::BadPath { .. })), "{at:?}: {error:?}");
        }
    }
    for prefix in ["../", "a/../../", "/", "/etc/", "a//"] {
        let refused = blocking(store.list(prefix));
        assert!(matches!(refused, Err(StoreError::BadPath { .. })), "listing {prefix:?}: {refused:?}");
    }
}

fn lets_one_of_two_create(store: &dyn Store) {
    for round in 0..20 {
        let at = format!("race/{round}");
        let won = two(|me| blocking(store.put_new(&at, me)));
        assert_eq!(get(store, &at), won, "what is there is the winner's, whole");
    }
}

fn takes_files_in_whole(store: &dyn Store) {
    // The ends of parts, if there are any, lie at whole mebibytes.
    for size in [0, 1, 5 << 20, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 20_000_000] {
        let (file, bytes, digest) = file_of(size, 7);
        let at = format!("file/{size}");
        blocking(store.put_file(&at, file.path(), &digest)).expect("there is nothing at this path yet");
        assert!(get(store, &at) == bytes, "{size} bytes come back as they went");
        let again = blocking(store.put_file(&at, file.path(), &digest));
        assert!(matches!(again, Err(StoreError::Conflict { .. })), "a second create of {size} bytes: {again:?}");
        let at = format!("file/{size}-changed");
        let changed = blocking(store.put_file(&at, file.path(), &"0".repeat(64)));
        assert!(matches!(changed, Err(StoreError::Failed { .. })), "another digest of {size} bytes: {changed:?}");
        assert_eq!(blocking(store.stat(&at)).expect("a stat works"), None, "nothing is there of what was not whole");
    }
    let nothing = blocking(store.put_file("file/nothing", Path::new("/nothing/here"), ""));
    assert!(matches!(nothing, Err(StoreError::Failed { .. })), "a file that is not there: {nothing:?}");
}

fn lets_one_of_two_put_a_file(store: &dyn Store) {
    for size in [1000, 9 << 20] {
        let at = format!("file/race-{size}");
        let sides = [file_of(size, 1), file_of(size, 2)];
        let results = std::thread::scope(|scope| {
            let put = |side: usize| blocking(store.put_file(&at, sides[side].0.path(), &sides[side].2));
            let threads = [scope.spawn(move || put(0)), scope.spawn(move || put(1))];
            threads.map(|thread| thread.join().expect("a store does not panic"))
        });
        let winner = match results {
            [Ok(()), Err(StoreError::Conflict { .. })] => 0,
            [Err(StoreError::Conflict { .. }), Ok(())] => 1,
            other => panic!("one must win and the other hear of a conflict: {other:?}"),
        };
        assert!(get(store, &at) == sides[winner].1, "what is there is the winner's, whole");
    }
}

/// A file of so many bytes, what it holds, and its digest.
fn file_of(size: usize, seed: u32) -> (File, Vec<u8>, String) {
    let bytes: Vec<u8> =
        (0..u32::try_from(size).expect("a small file")).map(|n| (n.wrapping_mul(seed) >> 3).to_le_bytes()[0]).collect();
    let digest = blake3::hash(&bytes).to_hex().to_string();
    (File::holding(&bytes), bytes, digest)
}

/// A file that is gone when it is no longer needed.
struct File(PathBuf);

impl File {
    fn holding(bytes: &[u8]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pipe-suite-{}-{number}", std::process::id()));
        std::fs::write(&path, bytes).expect("a file can be written");
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn replaces_only_what_was_expected(store: &dyn Store) {
    put(store, "replace/object", b"old");
    let wrong = blocking(store.replace_if("replace/object", b"other", b"new"));
    assert!(matches!(wrong, Err(StoreError::Conflict { .. })), "{wrong:?}");
    assert_eq!(get(store, "replace/object"), b"old");
    blocking(store.replace_if("replace/object", b"old", b"new")).expect("it is what was expected");
    assert_eq!(get(store, "replace/object"), b"new");
    let missing = blocking(store.replace_if("replace/missing", b"old", b"new"));
    assert!(matches!(missing, Err(StoreError::Missing { .. })), "{missing:?}");
}

fn lets_one_of_two_replace(store: &dyn Store) {
    for round in 0..20 {
        let at = format!("swap/{round}");
        put(store, &at, b"start");
        let won = two(|me| blocking(store.replace_if(&at, b"start", me)));
        assert_eq!(get(store, &at), won);
    }
}

/// An object changes under a reader: each read is of one version, from its first byte to its last, and none is of an older one than the
/// read before.
fn shows_a_reader_what_was_or_what_is(store: &dyn Store) {
    const VERSIONS: u8 = 12;
    let at = "changing/object";
    let version = |number: u8| vec![number; 300_000 + usize::from(number)];
    put(store, at, &version(0));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut newest = 0;
            while !is_over.load(Ordering::Relaxed) {
                let read = get(store, at);
                let number = *read.first().expect("no version is empty");
                assert!(number >= newest, "version {number} is read after version {newest}");
                assert!(read == version(number), "a read is of one version");
                newest = number;
                let part = blocking(store.get_range(at, 1000, 200_000)).expect("the object is there");
                let number = part.first().copied().unwrap_or(u8::MAX);
                assert!(number >= newest && part == vec![number; 200_000], "a range is of one version");
                newest = number;
            }
        });
        let replaced =
            (1..VERSIONS).try_for_each(|number| blocking(store.replace_if(at, &version(number - 1), &version(number))));
        is_over.store(true, Ordering::Relaxed);
        reader.join().expect("a reader sees what was or what is");
        replaced.expect("nobody else writes it");
    });
    assert!(get(store, at) == version(VERSIONS - 1));
}

fn tells_that_an_object_is_another(store: &dyn Store) {
    put(store, "another/object", b"old");
    let tag = || list(store, "another/").pop().expect("it is there").tag;
    let (first, again) = (tag(), tag());
    assert_eq!(first, again, "an object that stays has the tag that it had");
    blocking(store.replace_if("another/object", b"old", b"new")).expect("it is what was expected");
    assert!(first.is_none() || tag() != first, "an object that was replaced has another tag: {first:?}");
}

/// To the second, since some services tell no more.
fn tells_when_it_was_written(store: &dyn Store) {
    let now = || World::real().now().0 / 1000;
    let before = now();
    put(store, "time/object", b"x");
    let after = now();
    let stat = blocking(store.stat("time/object")).expect("a stat works");
    for told in [stat, list(store, "time/").pop()] {
        let told = told.expect("it is there");
        let changed = told.changed.map(|time| time.0 / 1000);
        assert!(changed.is_some_and(|time| (before..=after).contains(&time)), "{told:?} of {before} to {after}");
    }
}

/// Two threads do the same at once; exactly one may succeed. Returns what the winner wrote.
fn two(act: impl Fn(&[u8]) -> Result<(), StoreError> + Sync) -> Vec<u8> {
    let sides = [vec![b'a'; 70_000], vec![b'b'; 50_000]];
    let results = std::thread::scope(|scope| {
        let threads = [scope.spawn(|| act(&sides[0])), scope.spawn(|| act(&sides[1]))];
        threads.map(|thread| thread.join().expect("a store does not panic"))
    });
    match results {
        [Ok(()), Err(StoreError::Conflict { .. })] => sides[0].clone(),
        [Err(StoreError::Conflict { .. }), Ok(())] => sides[1].clone(),
        other => panic!("one must win and the other hear of a conflict: {other:?}"),
    }
}

fn put(store: &dyn Store, at: &str, bytes: &[u8]) {
    blocking(store.put_new(at, bytes)).expect("there is nothing at this path yet");
}

fn get(store: &dyn Store, at: &str) -> Vec<u8> {
    blocking(store.get(at)).expect("the object is there")
}

fn list(store: &dyn Store, prefix: &str) -> Vec<Stat> {
    blocking(store.list(prefix)).expect("a prefix can be listed, whether there is anything or not")
}
