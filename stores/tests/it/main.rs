//! Buckets, held against the engine's own suite: a service in memory here, which has no conditional replace, and those that
//! are spoken to over the wire in `wire.rs`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers as well")]

mod bucket;
mod remote;
mod spoilt;
mod wire;

use opendal::layers::CapabilityOverrideLayer;
use opendal::{Operator, services};
use pipe_engine::store::suite::{Abilities, behaves};
use pipe_engine::store::{Store, StoreError, blocking};
use pipe_stores::ObjectStore;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).build().unwrap()
}

fn memory() -> Operator {
    Operator::new(services::Memory::default()).unwrap()
}

fn refused(operator: Operator) -> String {
    let error = ObjectStore::open(operator, runtime().handle().clone()).err().expect("it must be refused");
    error.to_string()
}

#[test]
fn a_service_in_memory_does_what_every_store_must() {
    let runtime = runtime();
    let store = ObjectStore::open(memory(), runtime.handle().clone()).unwrap();
    behaves(&store, Abilities { replaces: false, tells_time: false });
}

#[test]
fn a_service_that_cannot_replace_on_a_condition_says_so_and_writes_nothing() {
    let runtime = runtime();
    let store = ObjectStore::open(memory(), runtime.handle().clone()).unwrap();
    blocking(store.put_new("a", b"old")).unwrap();
    let error = blocking(store.replace_if("a", b"old", b"new")).unwrap_err();
    assert!(
        matches!(&error, StoreError::Failed { source, .. } if source.kind() == std::io::ErrorKind::Unsupported),
        "{error}"
    );
    assert_eq!(blocking(store.get("a")).unwrap(), b"old");
}

#[test]
fn a_service_without_conditional_creates_is_refused() {
    let without = CapabilityOverrideLayer::new(|mut can| {
        can.write_with_if_not_exists = false;
        can
    });
    let said = refused(memory().layer(without));
    assert!(said.contains("cannot create an object only if it is not there yet"), "{said}");
}

#[test]
fn a_folder_is_not_taken_for_a_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let said = refused(Operator::new(services::Fs::default().root(root)).unwrap());
    assert!(said.contains("give its path instead") && said.contains(root), "{said}");
}

#[test]
fn a_runtime_that_is_gone_is_an_error_and_no_panic() {
    let runtime = runtime();
    let store = ObjectStore::open(memory(), runtime.handle().clone()).unwrap();
    drop(runtime);
    assert!(matches!(blocking(store.get("a")), Err(StoreError::Failed { .. })));
}
