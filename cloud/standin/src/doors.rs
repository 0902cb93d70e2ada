//! Whom a container speaks for. Whoever asks on loopback shows no token, so each account that jobs act as has a port of its own, of
//! which its containers are told and nobody else: whoever comes there is that account.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The variable that names a stand-in for Secret Manager.
const SECRETS: &str = "SECRET_MANAGER_EMULATOR_HOST";

/// The ports of accounts.
#[derive(Clone)]
pub(crate) struct Doors(Arc<Shared>);

struct Shared {
    known: Mutex<BTreeMap<String, SocketAddr>>,
    opened: UnboundedSender<Door>,
}

/// A port, and whose it is.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) account: String,
}

impl Doors {
    /// With what hears of each that is opened.
    pub(crate) fn new() -> (Self, UnboundedReceiver<Door>) {
        let (opened, heard) = unbounded_channel();
        (Self(Arc::new(Shared { known: Mutex::default(), opened })), heard)
    }

    /// What a container finds that acts as this account. A variable that its job or its image sets counts more.
    pub(crate) fn variable(&self, account: &str) -> Result<(String, String), String> {
        let door = self.of(account).map_err(|error| format!("nobody answers for {account}: {error}"))?;
        Ok((SECRETS.to_owned(), door.to_string()))
    }

    fn of(&self, account: &str) -> io::Result<SocketAddr> {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = known.get(account) {
            return Ok(*address);
        }
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        // Nobody hears of it any more where the stand-in is about to end.
        let _ = self.0.opened.send(Door { listener, account: account.to_owned() });
        known.insert(account.to_owned(), address);
        Ok(address)
    }
}
