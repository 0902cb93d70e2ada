//! Bytes that are spoilt on their way never become an object: between us and the stand-in for Cloud Storage stands somebody who changes one.

use crate::wire::{bytes, cloud_storage, file, given, held, in_cloud_storage_by};
use pipe_engine::failure::Class;
use pipe_engine::store::{Store, StoreError, blocking};
use pipe_standin::Standin;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Reads of so many bytes that do not begin as a request does are from amid the body of an upload.
const AMID: usize = 1000;

/// Stands before `there` until the test ends, and changes one byte of the first upload. Addresses that are told lead through it.
fn spoiling(there: SocketAddr) -> SocketAddr {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = door.local_addr().unwrap();
    assert_eq!(
        here.to_string().len(),
        there.to_string().len(),
        "addresses of one length are put in each other's place"
    );
    let is_done = Arc::new(AtomicBool::new(false));
    thread::spawn(move || {
        for client in door.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(there).unwrap());
            let (from, to, is_done) = (client.try_clone().unwrap(), server.try_clone().unwrap(), is_done.clone());
            thread::spawn(move || passed_on(from, to, |said| spoil(said, &is_done)));
            let (old, new) = (there.to_string(), here.to_string());
            thread::spawn(move || passed_on(server, client, |said| put_in_place(said, old.as_bytes(), new.as_bytes())));
        }
    });
    here
}

fn passed_on(mut from: TcpStream, mut to: TcpStream, change: impl Fn(&mut [u8])) {
    let mut said = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut said) {
        change(&mut said[..length]);
        if to.write_all(&said[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn spoil(said: &mut [u8], is_done: &AtomicBool) {
    let is_amid = said.len() > AMID && !["GET ", "POST ", "PUT "].iter().any(|verb| said.starts_with(verb.as_bytes()));
    if is_amid && !is_done.swap(true, Ordering::Relaxed) {
        said[AMID / 2] ^= 1;
    }
}

fn put_in_place(said: &mut [u8], old: &[u8], new: &[u8]) {
    if let Some(at) = said.windows(old.len()).position(|window| window == old) {
        said[at..at + new.len()].copy_from_slice(new);
    }
}

#[test]
fn what_was_spoilt_on_its_way_is_refused_and_goes_the_next_time() {
    for (test, size) in [("a_spoilt_file_of_one_piece", 6_000_000), ("a_spoilt_file_of_parts", 20_000_000)] {
        let standin: Standin = cloud_storage();
        in_cloud_storage_by(&spoiling(standin.address()), &format!("spoilt::{test}"));
        let objects = standin.objects("films");
        assert!(objects.len() == 1 && objects[0].1 == bytes(size), "{test}");
        assert_eq!(standin.open_uploads(), 0, "{test}");
    }
}

/// A test for the runner and, with the variable set, the child of the one above.
#[test]
fn a_spoilt_file_of_one_piece() {
    put_twice(6_000_000);
}

/// A test for the runner and, with the variable set, the child of the one above.
#[test]
fn a_spoilt_file_of_parts() {
    put_twice(20_000_000);
}

fn put_twice(size: u32) {
    let Some((_, store)) = given() else { return };
    let (_folder, path, digest) = file(size);
    let spoilt = blocking(store.put_file("a/file", &path, &digest)).unwrap_err();
    assert!(matches!(&spoilt, StoreError::Away { class: Class::Transient, .. }), "{spoilt:?}");
    assert!(spoilt.to_string().contains("CRC32C"), "{spoilt}");
    assert_eq!(blocking(store.stat("a/file")).unwrap(), None);
    blocking(store.put_file("a/file", &path, &digest)).unwrap();
    assert!(blocking(store.get("a/file")).unwrap() == bytes(size));
    held();
}
