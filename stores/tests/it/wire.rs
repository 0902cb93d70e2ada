//! One suite for everything that holds a store: a folder, an S3 server, and the stand-in for Cloud Storage; then what befalls
//! a store in Cloud Storage. Where a service is and who one is comes from the environment, so what uses it runs in a process
//! of its own.

use crate::bucket;
use pipe_engine::failure::Class;
use pipe_engine::remote::{RangeError, Remotes};
use pipe_engine::store::suite::{Abilities, behaves};
use pipe_engine::store::{Folder, Store, StoreError, blocking};
use pipe_standin::{Definitions, Fault, Standin};
use pipe_stores::{WebAndBuckets, open};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The URI of the store, in a process that was started to use it.
const STORE: &str = "PIPE_TEST_STORE";
/// Where the stand-in is, in such a process.
const EMULATOR: &str = "STORAGE_EMULATOR_HOST";

pub(crate) fn cloud_storage() -> Standin {
    let standin = Standin::serve(&Definitions::fetched().unwrap(), 0).unwrap();
    standin.make_bucket("films");
    standin
}

/// Runs a test of this file in a process that has a store. What it says must end well.
fn inside(test: &str, uri: &str, variables: &[(&str, String)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(STORE, uri)
        .env_remove("AWS_SESSION_TOKEN")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("it held"), "{said}");
}

fn in_cloud_storage(test: &str, standin: &Standin) {
    in_cloud_storage_by(&standin.address(), &format!("wire::{test}"));
}

/// The same by another way to the stand-in.
pub(crate) fn in_cloud_storage_by(way: &SocketAddr, test: &str) {
    inside(test, "gs://films/results", &[(EMULATOR, way.to_string())]);
}

/// The store of this process, if it was started to use one.
pub(crate) fn given() -> Option<(String, impl Store)> {
    let uri = std::env::var(STORE).ok()?;
    let store = open(&uri).unwrap();
    Some((uri, store))
}

/// Tells whoever started this process that it did anything.
#[expect(clippy::print_stdout, reason = "whoever started it is to see that it did anything")]
pub(crate) fn held() {
    println!("it held");
}

pub(crate) fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A file of so many bytes, in a folder that goes with it, and its digest.
pub(crate) fn file(count: u32) -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes(count)).unwrap();
    (folder, path, blake3::hash(&bytes(count)).to_hex().to_string())
}

#[test]
fn a_folder_does_what_every_store_must() {
    let folder = tempfile::tempdir().unwrap();
    behaves(&Folder::open(folder.path()).unwrap(), Abilities::ALL);
}

#[test]
fn a_bucket_of_s3_does_what_every_store_must() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("films")).unwrap();
    let variables = [
        ("AWS_ENDPOINT_URL", format!("http://{}", bucket::serve(folder.path()))),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "somebody".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "a-secret".to_owned()),
    ];
    inside("wire::a_store_that_is_given_does_it", "s3://films/results", &variables);
}

#[test]
fn a_bucket_of_cloud_storage_does_what_every_store_must() {
    let standin = cloud_storage();
    in_cloud_storage("a_store_that_is_given_does_it", &standin);
    assert_eq!(standin.open_uploads(), 0, "what was given up is not left lying there");
}

/// A test for the runner and, with the variable set, the child of those above.
#[test]
fn a_store_that_is_given_does_it() {
    let Some((_, store)) = given() else { return };
    behaves(&store, Abilities::ALL);
    held();
}

#[test]
fn an_upload_that_breaks_in_every_way_arrives_whole_and_once() {
    let standin = cloud_storage();
    let mut faults = [
        Fault::Lose(300_000),
        Fault::DoAndHangUp,
        Fault::Refuse(503),
        Fault::DoAndRefuse(500),
        Fault::Lose(0),
        Fault::DoAndHangUp,
    ]
    .into_iter();
    // Every other request goes well: one that fails is tried again three times.
    let mut parts = 0;
    standin.befalls(move |asked| {
        parts += u32::from(asked.method.ends_with("/part"));
        if asked.method.ends_with("/part") && parts % 2 == 1 { faults.next() } else { None }
    });
    in_cloud_storage("a_large_file_is_put_there", &standin);
    let objects = standin.objects("films");
    assert_eq!(objects.len(), 1);
    assert!(objects[0].0 == "results/a/file" && objects[0].1 == bytes(20_000_000));
    assert_eq!(standin.open_uploads(), 0);
}

/// A test for the runner and, with the variable set, the child of the one above.
#[test]
fn a_large_file_is_put_there() {
    let Some((_, store)) = given() else { return };
    let (_folder, path, digest) = file(20_000_000);
    blocking(store.put_file("a/file", &path, &digest)).unwrap();
    held();
}

#[test]
fn an_upload_that_never_gets_on_is_given_up_and_leaves_nothing() {
    let standin = cloud_storage();
    // Of less than 256 KiB nothing is kept.
    standin.befalls(|asked| asked.method.ends_with("/part").then_some(Fault::Lose(200_000)));
    in_cloud_storage("a_large_file_is_not_put_there", &standin);
    assert!(standin.objects("films").is_empty());
}

/// A test for the runner and, with the variable set, the child of the one above.
#[test]
fn a_large_file_is_not_put_there() {
    let Some((_, store)) = given() else { return };
    let (_folder, path, digest) = file(20_000_000);
    let away = blocking(store.put_file("a/file", &path, &digest)).unwrap_err();
    assert!(matches!(&away, StoreError::Away { class: Class::Transient, .. }), "{away:?}");
    held();
}

#[test]
fn a_create_whose_answer_was_lost_is_known_for_ones_own() {
    let standin = cloud_storage();
    let mut lost = 0;
    standin.befalls(move |asked| {
        lost += u32::from(asked.method.ends_with("/part"));
        (asked.method.ends_with("/part") && lost == 1).then_some(Fault::DoAndHangUp)
    });
    in_cloud_storage("an_object_is_created_once", &standin);
}

/// A test for the runner and, with the variable set, the child of the one above.
#[test]
fn an_object_is_created_once() {
    let Some((_, store)) = given() else { return };
    blocking(store.put_new("a", b"mine")).unwrap();
    let second = blocking(store.put_new("a", b"theirs"));
    assert!(matches!(second, Err(StoreError::Conflict { .. })), "{second:?}");
    assert_eq!(blocking(store.get("a")).unwrap(), b"mine");
    held();
}

#[test]
fn a_service_that_is_busy_is_told_from_one_that_refuses() {
    for (code, test) in [(429, "a_busy_service_is_away"), (403, "a_refusal_is_final")] {
        let standin = cloud_storage();
        standin.befalls(move |_| Some(Fault::Refuse(code)));
        in_cloud_storage(test, &standin);
    }
}

/// A test for the runner and, with the variable set, the child of the one above.
#[test]
fn a_busy_service_is_away() {
    let Some((_, store)) = given() else { return };
    let busy = blocking(store.get("a")).unwrap_err();
    assert!(matches!(&busy, StoreError::Away { class: Class::Throttled, .. }), "{busy:?}");
    held();
}

/// A test for the runner and, with the variable set, the child of the one above.
#[test]
fn a_refusal_is_final() {
    let Some((_, store)) = given() else { return };
    let refused = blocking(store.get("a")).unwrap_err();
    let kind = std::io::ErrorKind::PermissionDenied;
    assert!(matches!(&refused, StoreError::Failed { source, .. } if source.kind() == kind), "{refused:?}");
    held();
}

#[test]
fn a_reader_is_pinned_to_a_generation_and_not_to_a_description() {
    let standin = cloud_storage();
    standin.put("films", "results/g1.mp4", &bytes(300_000));
    in_cloud_storage("what_is_read_is_of_one_generation", &standin);
}

/// A test for the runner and, with the variable set, the child of the one above.
#[test]
fn what_is_read_is_of_one_generation() {
    let Some((uri, _)) = given() else { return };
    let remotes = WebAndBuckets::patient(Duration::from_secs(30), Duration::from_millis(1));
    let uri = format!("{uri}/g1.mp4");
    let stat = remotes.look(&uri).unwrap();
    assert!(stat.size == 300_000 && stat.identity.starts_with("generation "), "{stat:?}");
    let object = remotes.open(&uri, &stat).unwrap();
    let mut part = vec![0; 100_000];
    assert_eq!(object.read_at(150_000, &mut part).unwrap(), 100_000);
    assert_eq!(part, bytes(300_000)[150_000..250_000]);
    asked("PATCH /storage/v1/b/films/o/results%2Fg1.mp4", r#"{"metadata": {"seen": "yes"}}"#);
    assert_eq!(object.read_at(299_990, &mut part).unwrap(), 10);
    asked("POST /upload/storage/v1/b/films/o?uploadType=media&name=results/g1.mp4", "another");
    let changed = object.read_at(0, &mut part).unwrap_err();
    assert!(matches!(changed, RangeError::Changed), "{changed:?}");
    assert_ne!(remotes.look(&uri).unwrap().identity, stat.identity);
    held();
}

/// Asks the stand-in for something, as somebody else would.
fn asked(what: &str, body: &str) {
    let mut connection = TcpStream::connect(std::env::var(EMULATOR).unwrap()).unwrap();
    let headers =
        format!("Host: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
    connection.write_all(format!("{what} HTTP/1.1\r\n{headers}\r\n\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
