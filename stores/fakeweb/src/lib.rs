//! A web server for tests: gives one file at every path on loopback, counts what it gives, and misbehaves on command.
//! Bytes of a file may be made when they are asked for, so a file can be longer than any disk here.

mod mp4;
mod request;
mod stretched;

pub use mp4::groups;
pub use stretched::Stretched;

use request::Request;
use std::collections::VecDeque;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The bytes of a file.
pub trait Content: Send + Sync {
    /// How many there are.
    fn size(&self) -> u64;

    /// Those from `at` on.
    fn read(&self, at: u64, into: &mut [u8]);
}

impl Content for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, at: u64, into: &mut [u8]) {
        let at = usize::try_from(at).expect("it is in memory");
        into.copy_from_slice(&self[at..at + into.len()]);
    }
}

/// What is done to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another answer than the file: a status without a body.
    Status(u16),
    /// It lies elsewhere, the server says.
    Elsewhere(String),
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// Nothing is said any more after so many bytes of the body, and the connection stays.
    Silence(usize),
}

/// How the file is given.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Its entity tag, with its quotes.
    pub tag: Option<String>,
    /// When it was last changed, as a server writes it.
    pub modified: Option<String>,
    /// Whether ranges are given.
    pub has_ranges: bool,
    /// Whether `If-Match` and `If-Unmodified-Since` are kept to.
    pub keeps_conditions: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Manner { tag: Some("\"one\"".into()), modified: None, has_ranges: true, keeps_conditions: true }
    }
}

/// What is known of the requests so far.
#[derive(Default)]
struct State {
    manner: Manner,
    faults: VecDeque<Fault>,
    /// How many requests come before the first of them.
    faults_wait: usize,
    /// After so many more requests the manner is this one.
    later: Option<(usize, Manner)>,
    given: Vec<Range<u64>>,
    requests: usize,
}

/// A server that serves until the test ends.
pub struct Web {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    content: Box<dyn Content>,
    state: Mutex<State>,
}

impl Web {
    /// Serves a file.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub fn serve(content: impl Content + 'static) -> Self {
        let door = TcpListener::bind("127.0.0.1:0").expect("loopback has a port left");
        let address = door.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared { content: Box::new(content), state: Mutex::default() });
        let served = shared.clone();
        thread::spawn(move || {
            for connection in door.incoming().flatten() {
                let shared = served.clone();
                // Whoever hangs up has what was wanted.
                thread::spawn(move || drop(shared.converse(connection)));
            }
        });
        Web { address, shared }
    }

    /// The address of the file under a name.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// From now on it is given in this manner.
    pub fn behave(&self, manner: Manner) {
        self.state().manner = manner;
    }

    /// After so many more requests it is given in this manner.
    pub fn behave_later(&self, after: usize, manner: Manner) {
        self.state().later = Some((after, manner));
    }

    /// What is done to the next requests, one after another.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// What is done to requests after so many more.
    pub fn fail_later(&self, after: usize, faults: impl IntoIterator<Item = Fault>) {
        let mut state = self.state();
        state.faults_wait = after;
        state.faults.extend(faults);
    }

    /// Nothing is done to requests any more.
    pub fn recover(&self) {
        self.state().faults.clear();
    }

    /// How many faults are still to come.
    pub fn faults_left(&self) -> usize {
        self.state().faults.len()
    }

    /// How many bytes of the file it gave.
    pub fn bytes(&self) -> u64 {
        self.state().given.iter().map(|range| range.end - range.start).sum()
    }

    /// The parts of the file it gave, in order.
    pub fn given(&self) -> Vec<Range<u64>> {
        self.state().given.clone()
    }

    /// How many requests it heard.
    pub fn requests(&self) -> usize {
        self.state().requests
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers requests until the other side has no more.
    fn converse(&self, connection: TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        let mut reader = BufReader::new(connection.try_clone()?);
        while let Some(request) = Request::read(&mut reader)? {
            if !self.answer(&request, &connection)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether the connection goes on.
    fn answer(&self, request: &Request, connection: &TcpStream) -> io::Result<bool> {
        let (manner, fault) = self.heard();
        if let Some(Fault::Status(status)) = fault {
            return head(connection, status, &[], 0).map(|()| true);
        }
        if let Some(Fault::Elsewhere(url)) = &fault {
            return head(connection, 302, &[format!("Location: {url}")], 0).map(|()| true);
        }
        let size = self.content.size();
        let mut headers = Vec::new();
        headers.extend(manner.tag.iter().map(|tag| format!("ETag: {tag}")));
        headers.extend(manner.modified.iter().map(|time| format!("Last-Modified: {time}")));
        if manner.keeps_conditions && !request.holds(&manner) {
            return head(connection, 412, &headers, 0).map(|()| true);
        }
        let (status, range) = match request.range.clone().filter(|_| manner.has_ranges) {
            None => (200, 0..size),
            Some(range) if range.start >= size => {
                headers.push(format!("Content-Range: bytes */{size}"));
                return head(connection, 416, &headers, 0).map(|()| true);
            }
            Some(range) => (206, range.start..range.end.min(size)),
        };
        if status == 206 {
            headers.push(format!("Content-Range: bytes {}-{}/{size}", range.start, range.end - 1));
        }
        head(connection, status, &headers, range.end - range.start)?;
        self.body(range, fault, connection)
    }

    fn heard(&self) -> (Manner, Option<Fault>) {
        let mut state = self.state();
        state.requests += 1;
        match state.later.take() {
            Some((0, manner)) => state.manner = manner,
            later => state.later = later.map(|(left, manner)| (left - 1, manner)),
        }
        let waits = state.faults_wait > 0;
        state.faults_wait = state.faults_wait.saturating_sub(1);
        let fault = if waits { None } else { state.faults.pop_front() };
        (state.manner.clone(), fault)
    }

    fn body(&self, range: Range<u64>, fault: Option<Fault>, mut connection: &TcpStream) -> io::Result<bool> {
        let most = match fault {
            Some(Fault::Cut(most) | Fault::Silence(most)) => most as u64,
            _ => u64::MAX,
        };
        let end = range.end.min(range.start.saturating_add(most));
        let mut at = range.start;
        while at < end {
            let step = (end - at).min(64 << 10);
            let mut bytes = vec![0; usize::try_from(step).expect("it is small")];
            self.content.read(at, &mut bytes);
            // Counted first: who has the last byte may ask at once how many there were.
            self.gave(at..at + step);
            connection.write_all(&bytes)?;
            at += step;
        }
        if matches!(fault, Some(Fault::Silence(_))) {
            // The other side hangs up one day.
            io::copy(&mut connection, &mut io::sink())?;
        }
        Ok(fault.is_none())
    }

    fn gave(&self, range: Range<u64>) {
        let mut state = self.state();
        match state.given.last_mut().filter(|last| last.end == range.start) {
            Some(last) => last.end = range.end,
            None => state.given.push(range),
        }
    }
}

fn head(mut connection: &TcpStream, status: u16, headers: &[String], length: u64) -> io::Result<()> {
    let mut text = format!("HTTP/1.1 {status} So\r\nContent-Length: {length}\r\n");
    headers.iter().for_each(|header| text += &format!("{header}\r\n"));
    connection.write_all(format!("{text}\r\n").as_bytes())
}
