//! What lies in a bucket is read by ranges: an S3 server on loopback whose bucket is a folder. It ignores the conditions of
//! reads, so a change must be seen in its answers. Credentials come from the environment, so what reads runs in a process of
//! its own.

use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use pipe_engine::failure::Class;
use pipe_engine::remote::{RangeError, Remotes};
use pipe_stores::WebAndBuckets;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s::{Body, HttpError};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;
use tokio::net::TcpListener;

/// The folder of the bucket, in a process that was started to read it.
const FOLDER: &str = "PIPE_TEST_BUCKET";

/// Serves the folders in `root` as buckets until the test ends. Returns where.
pub(crate) fn serve(root: &Path) -> SocketAddr {
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
    service.set_auth(SimpleAuth::from_single("somebody", "a-secret"));
    let service = service.build();
    // It looks whether an object is there and then writes it, so of two who create at once both would win. One at a time.
    let turn = Arc::new(tokio::sync::Mutex::new(()));
    let service = service_fn(move |request: Request<Incoming>| {
        let (service, turn) = (service.clone(), turn.clone());
        async move {
            // An answer that comes while its request is still on the way breaks the connection for whoever is slow to send.
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|error| HttpError::new(Box::new(error)))?.to_bytes();
            let _turn = turn.lock().await;
            service.call(Request::from_parts(head, Body::from(body))).await
        }
    });
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(door.local_addr().unwrap()).unwrap();
            loop {
                let (socket, _) = door.accept().await.unwrap();
                let service = service.clone();
                tokio::spawn(async move {
                    let _ =
                        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
    });
    told.recv().unwrap()
}

/// Runs a test of this file in a process that may use a bucket, which holds `games/g1.mp4`. What it says must end well.
fn inside(test: &str, secret: &str) {
    let folder = tempfile::tempdir().unwrap();
    let games = folder.path().join("videos/games");
    fs::create_dir_all(&games).unwrap();
    fs::write(games.join("g1.mp4"), bytes(1)).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("bucket::{test}"), "--nocapture"])
        .env(FOLDER, folder.path())
        .env("AWS_ENDPOINT_URL", format!("http://{}", serve(folder.path())))
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "somebody")
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .env_remove("AWS_SESSION_TOKEN")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("it was read"), "{said}");
}

fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

fn bytes(seed: u32) -> Vec<u8> {
    (0..300_000_u32).map(|n| (n.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn remotes() -> WebAndBuckets {
    WebAndBuckets::patient(Duration::from_secs(5), Duration::from_millis(1))
}

#[test]
fn an_object_is_read_by_ranges_until_it_is_another_one() {
    inside("a_reader_sees_that_an_object_changed", "a-secret");
}

/// A test for the runner and, with the variable set, the child of the one above.
#[test]
#[expect(clippy::print_stdout, reason = "whoever started it is to see that it did anything")]
fn a_reader_sees_that_an_object_changed() {
    let Some(folder) = folder() else { return };
    let (remotes, uri) = (remotes(), "s3://videos/games/g1.mp4");
    let stat = remotes.look(uri).unwrap();
    assert_eq!(stat.size, 300_000);
    assert!(stat.identity.starts_with("etag "), "{stat:?}");
    let object = remotes.open(uri, &stat).unwrap();
    let mut part = vec![0; 100_000];
    assert_eq!(object.read_at(150_000, &mut part).unwrap(), 100_000);
    assert_eq!(part, bytes(1)[150_000..250_000]);
    assert_eq!(object.read_at(299_990, &mut part).unwrap(), 10);
    fs::write(folder.join("videos/games/g1.mp4"), bytes(2)).unwrap();
    let changed = object.read_at(0, &mut part).unwrap_err();
    assert!(matches!(changed, RangeError::Changed), "{changed:?}");
    assert_ne!(remotes.look(uri).unwrap().identity, stat.identity);
    let missing = remotes.look("s3://videos/games/g2.mp4").unwrap_err();
    assert_eq!((missing.class, missing.code.as_str()), (Class::Failed, "source_missing"), "{missing:?}");
    println!("it was read");
}

#[test]
fn who_is_not_let_in_is_told_so_without_the_secret() {
    inside("a_reader_with_another_secret_is_refused", "not-the-secret");
}

/// A test for the runner and, with the variable set, the child of the one above.
#[test]
#[expect(clippy::print_stdout, reason = "whoever started it is to see that it did anything")]
fn a_reader_with_another_secret_is_refused() {
    if folder().is_none() {
        return;
    }
    let failure = remotes().look("s3://videos/games/g1.mp4").unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Failed, "source_refused"), "{failure:?}");
    assert!(!format!("{failure:?}").contains("not-the-secret"), "{failure:?}");
    println!("it was read");
}
