//! A store in a bucket, looked into over the wire: an S3 server on loopback whose bucket is a folder.

use crate::bench::{Bench, SUM, Said};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::channel;
use tokio::net::TcpListener;

/// Serves the folders in `root` as buckets until the test ends. Returns where.
fn serve(root: &Path) -> SocketAddr {
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
    service.set_auth(SimpleAuth::from_single("somebody", "a-secret"));
    let service = service.build();
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

/// A folder with a spec whose store is `s3://bucket/prefix`, and the server of that bucket.
struct Remote {
    bench: Bench,
    server: SocketAddr,
}

impl Remote {
    /// The bucket holds what a run of `spec` left in a folder.
    fn after(spec: &str) -> Self {
        let bench = Bench::with(&format!("{spec}\n[store]\nroot = \"buckets/bucket/prefix\"\n"));
        fs::create_dir_all(bench.path("buckets/bucket")).unwrap();
        bench.run();
        bench.write("spec.toml", &format!("{spec}\n[store]\nroot = \"s3://bucket/prefix\"\n"));
        let server = serve(&bench.path("buckets"));
        Self { bench, server }
    }

    fn pipe(&self, arguments: &[&str]) -> Said {
        self.pipe_with("a-secret", arguments)
    }

    fn pipe_with(&self, secret: &str, arguments: &[&str]) -> Said {
        let mut command = self.bench.command(arguments);
        command
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.server))
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "somebody")
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env_remove("AWS_SESSION_TOKEN");
        self.bench.said(&mut command)
    }

    /// Every file of the bucket with its bytes.
    fn bytes(&self) -> Vec<(String, Vec<u8>)> {
        let (mut folders, mut files) = (vec![self.bench.path("buckets")], Vec::new());
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push((path.display().to_string(), fs::read(&path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

#[test]
fn every_result_in_a_bucket_is_a_hit_also_for_those_who_never_saw_it() {
    let remote = Remote::after(SUM);
    let before = remote.bytes();
    for state in [".pipe", "another", "another"] {
        let said = remote.pipe(&["plan", "spec.toml", "--json", "--state", state]);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
        let plan = said.json();
        let states: Vec<&str> =
            plan["tasks"].as_array().unwrap().iter().map(|t| t["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["hit"; 3]);
    }
    assert!(remote.bytes() == before, "planning writes nothing into the bucket");
}

#[test]
fn what_is_not_in_the_bucket_would_run_and_the_change_is_told() {
    let remote = Remote::after(SUM);
    let plan = remote.pipe(&["plan", "spec.toml", "--tasks", "-P", "extra=1"]);
    assert_eq!(plan.code, Some(0), "{plan:?}");
    assert_eq!(plan.stdout.matches("changed: `argv[2]`").count(), 2, "{plan:?}");
    let explained = remote.pipe(&["explain", "spec.toml", "sum"]);
    assert!(explained.stdout.contains("up to date"), "{explained:?}");
    assert!(explained.stdout.contains("s3://bucket/prefix/data/sum/sum/all@"), "{explained:?}");
}

#[test]
fn a_bucket_that_does_not_answer_is_told_and_planned_for_offline() {
    let remote = Remote::after(SUM);
    let said = remote.pipe_with("not-the-secret", &["plan", "spec.toml"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{said:?}");
    assert!(said.stderr.contains("cannot look into the store s3://bucket/prefix: "), "{said:?}");
    assert!(said.stderr.contains("`--offline` plans as if it were empty"), "{said:?}");
    assert!(!said.stderr.contains("not-the-secret"), "{said:?}");
    let said = remote.pipe(&["plan", "spec.toml", "--offline"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("s3://bucket/prefix is not looked at"), "{said:?}");
    assert!(said.stdout.contains("2 to run"), "{said:?}");
}

#[test]
fn a_run_into_a_bucket_is_refused() {
    let remote = Remote::after(SUM);
    let said = remote.pipe(&["run", "spec.toml"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("the store is s3://bucket/prefix: results are looked up in a bucket"), "{said:?}");
}
