//! The stand-in over the wire, by a client that knows nothing of it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers as well")]

mod custom_jobs;
mod faults;
mod jobs;
mod lists;
mod objects;
mod strictness;
mod tuning_jobs;
mod uploads;

use pipe_standin::{Definitions, Standin};
use serde_json::Value as Json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A stand-in with the bucket `films`.
pub(crate) struct Bench {
    pub(crate) standin: Standin,
}

/// What came back. A connection that broke before the end of an answer leaves `is_whole` false.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) is_whole: bool,
}

/// Where the objects of the bucket are written, and where they are.
pub(crate) const UPLOAD: &str = "/upload/storage/v1/b/films/o";
pub(crate) const OBJECTS: &str = "/storage/v1/b/films/o";

impl Bench {
    pub(crate) fn new() -> Self {
        let standin = Standin::serve(&Definitions::fetched().unwrap(), 0).unwrap();
        standin.make_bucket("films");
        Self { standin }
    }

    /// A request whose connection ends with its answer. `None`: the connection ended without one.
    pub(crate) fn ask(&self, verb: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Said> {
        self.ask_at(self.standin.address(), verb, path, headers, body)
    }

    /// The same at another of its ports.
    pub(crate) fn ask_at(
        &self,
        address: SocketAddr,
        verb: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Said> {
        let mut text = format!("{verb} {path} HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n");
        text += &format!("Content-Length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(format!("{text}\r\n").as_bytes()).unwrap();
        // Whoever refuses early does not read to the end.
        let _ = connection.write_all(body);
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        let said = Said::read(&answer)?;
        let is_json = said.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        if said.code == 200 && said.is_whole && is_json {
            let place = path.split('?').next().unwrap();
            let wrong = self.standin.wrong_in_answer(verb, place, &said.read_json());
            assert!(wrong.is_empty(), "the stand-in itself keeps to the definitions: {wrong:?}");
        }
        Some(said)
    }

    pub(crate) fn get(&self, path: &str) -> Said {
        self.ask("GET", path, &[], b"").unwrap()
    }

    pub(crate) fn json(&self, verb: &str, path: &str, body: &str) -> Said {
        self.ask(verb, path, &[("Content-Type", "application/json")], body.as_bytes()).unwrap()
    }

    /// Writes an object of the bucket; `more` is added to the query.
    pub(crate) fn put(&self, name: &str, bytes: &[u8], more: &str) -> Said {
        self.ask("POST", &format!("{UPLOAD}?uploadType=media&name={name}{more}"), &[], bytes).unwrap()
    }

    /// Begins an upload that goes part by part. Returns its address without the host.
    pub(crate) fn begin(&self, name: &str, more: &str) -> String {
        let said = self.json("POST", &format!("{UPLOAD}?uploadType=resumable&name={name}{more}"), "{}");
        assert_eq!(said.code, 200, "{said:?}");
        let at = said.header("location").unwrap().to_owned();
        at.strip_prefix(&format!("http://{}", self.standin.address())).unwrap().to_owned()
    }

    pub(crate) fn add(&self, at: &str, range: &str, bytes: &[u8]) -> Said {
        self.ask("PUT", at, &[("Content-Range", range)], bytes).unwrap()
    }

    /// What an object of the bucket holds.
    pub(crate) fn holds(&self, name: &str) -> Option<Vec<u8>> {
        let objects = self.standin.objects("films");
        objects.into_iter().find(|(known, _)| known == name).map(|(_, bytes)| bytes)
    }
}

impl Said {
    fn read(answer: &[u8]) -> Option<Self> {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&answer[..end]).unwrap();
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = head.lines().skip(1).map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let said = Self { code, headers, body: answer[end + 4..].to_vec(), is_whole: true };
        let length: usize = said.header("content-length").map_or(0, |length| length.parse().unwrap());
        Some(Self { is_whole: said.body.len() == length, ..said })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn read_json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The message of an error, and the reason that Cloud Storage gives for it.
    pub(crate) fn error(&self) -> (String, String) {
        let error = &self.read_json()["error"];
        assert_eq!(error["code"], self.code, "{error}");
        (error["message"].as_str().unwrap().to_owned(), error["errors"][0]["reason"].as_str().unwrap().to_owned())
    }
}

/// Bytes that differ from place to place.
pub(crate) fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}
