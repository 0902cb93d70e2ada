//! The TCP connections of this machine -> how much went over each, by the kernel's own counts of them.
//!
//! The kernel is asked as `ss` asks it: `sock_diag(7)`. Nobody needs rights for that. What it tells is of the network
//! namespace that we are in.

use rustix::fd::OwnedFd;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};
use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// Bytes that came and went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) received: u64,
    pub(super) sent: u64,
}

/// A connection: a number that no other ever had since the machine was started, and what went over it until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) cookie: u64,
    pub(super) moved: Moved,
}

/// `SOCK_DIAG_BY_FAMILY`, `NLMSG_ERROR` and `NLMSG_DONE`.
const BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_REQUEST` with `NLM_F_DUMP`: all of them.
const ALL: u16 = 0x301;
/// `IPPROTO_TCP`, and the request for `INET_DIAG_INFO`, which is a `tcp_info`.
const TCP: u8 = 6;
const INFO: u16 = 2;
/// Established, and those of which one end has closed: the others have moved nothing or have nobody.
const STATES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;
/// Places in the kernel's structures, which never change: `nlmsghdr`, `inet_diag_msg`, `tcp_info`.
const HEADER: usize = 16;
const REQUEST: usize = 56;
const COOKIE: usize = 44;
const INODE: usize = 68;
const MESSAGE: usize = 72;
const BYTES_RECEIVED: usize = 128;
const BYTES_SENT: usize = 200;
const BYTES_SENT_AGAIN: usize = 208;
/// The kernel writes no more than 32 KiB at once.
const BUFFER: usize = 64 * 1024;

/// The sockets that a process holds, by their inodes. Only of processes of our own user.
pub(super) fn held(pid: i32) -> Vec<u64> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let inode = |target: &str| target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok();
    files.filter_map(|file| inode(fs::read_link(file.path()).ok()?.to_str()?)).collect()
}

/// All TCP connections by the inodes of their sockets; `None` when the kernel does not tell.
pub(super) fn connections() -> Option<HashMap<u64, Connection>> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG));
    let socket = socket.ok()?;
    // The kernel answers at once. Should it ever not, a look must not hang.
    set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(1))).ok()?;
    let mut found = HashMap::new();
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        send(&socket, &request(u8::try_from(family.as_raw()).ok()?), SendFlags::empty()).ok()?;
        answer(&socket, &mut found)?;
    }
    Some(found)
}

fn request(family: u8) -> Vec<u8> {
    let mut request = Vec::with_capacity(HEADER + REQUEST);
    request.extend(((HEADER + REQUEST) as u32).to_ne_bytes());
    request.extend(BY_FAMILY.to_ne_bytes());
    request.extend(ALL.to_ne_bytes());
    request.resize(HEADER, 0);
    request.extend([family, TCP, 1 << (INFO - 1), 0]);
    request.extend(STATES.to_ne_bytes());
    request.resize(HEADER + REQUEST, 0);
    request
}

fn answer(socket: &OwnedFd, found: &mut HashMap<u64, Connection>) -> Option<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let (read, _) = recv(socket, &mut buffer[..], RecvFlags::empty()).ok()?;
        if take(buffer.get(..read)?, found)? {
            return Some(());
        }
    }
}

/// Takes what the kernel wrote at once: whether that was the last of it. `None` when it refuses, or says what nobody
/// understands.
fn take(mut rest: &[u8], found: &mut HashMap<u64, Connection>) -> Option<bool> {
    while !rest.is_empty() {
        let (length, kind) = (u32_at(rest, 0)? as usize, u16_at(rest, 4)?);
        let message = rest.get(HEADER..length)?;
        match kind {
            DONE => return Some(true),
            ERROR => return None,
            _ => {
                if let Some(info) = info(message) {
                    found.extend([connection(message, info)?]);
                }
            }
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(false)
}

/// The `tcp_info` of a socket. One that only waits until its number may be used again has none.
fn info(message: &[u8]) -> Option<&[u8]> {
    let mut rest = message.get(MESSAGE..)?;
    loop {
        let length = usize::from(u16_at(rest, 0)?);
        let attribute = rest.get(4..length)?;
        if u16_at(rest, 2)? == INFO {
            return Some(attribute);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// `None` before Linux 4.19, whose `tcp_info` ends sooner.
fn connection(message: &[u8], info: &[u8]) -> Option<(u64, Connection)> {
    let (received, sent) = (u64_at(info, BYTES_RECEIVED)?, u64_at(info, BYTES_SENT)?);
    let sent = sent.saturating_sub(u64_at(info, BYTES_SENT_AGAIN)?);
    let (inode, cookie) = (u32_at(message, INODE)?, u64_at(message, COOKIE)?);
    Some((u64::from(inode), Connection { cookie, moved: Moved { received, sent } }))
}

fn u16_at(bytes: &[u8], place: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(place..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(place..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], place: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(place..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = (HEADER + body.len()) as u32;
        let head = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10]].concat();
        [&head, body].concat()
    }

    #[test]
    fn a_kernel_that_refuses_or_is_cut_short_tells_nothing() {
        let mut found = HashMap::new();
        assert_eq!(take(&message(ERROR, &(-2_i32).to_ne_bytes()), &mut found), None);
        assert_eq!(take(&message(BY_FAMILY, &[0; 72])[..40], &mut found), None);
        assert_eq!(take(&[0; 16], &mut found), None);
        // What an old kernel knows of a socket: as much as `tcp_info` had before it counted bytes.
        let old = [&[0; MESSAGE][..], &108_u16.to_ne_bytes(), &INFO.to_ne_bytes(), &[0; 104]].concat();
        assert_eq!(take(&message(BY_FAMILY, &old), &mut found), None);
        // A socket that has ended has no more than its name.
        assert_eq!(take(&message(BY_FAMILY, &[0; MESSAGE]), &mut found), Some(false));
        assert_eq!(take(&message(DONE, &[0; 4]), &mut found), Some(true));
        assert_eq!(found, HashMap::new());
    }
}
