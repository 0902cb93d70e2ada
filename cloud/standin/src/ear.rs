//! A connection whose every word is kept, once somebody asks for that: what tests look through for a value that must not be there.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What was heard on all connections, from when it was asked for.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Option<Vec<u8>>>>);

impl Heard {
    pub(crate) fn listen(&self) {
        self.words().get_or_insert_default();
    }

    pub(crate) fn all(&self) -> Vec<u8> {
        self.words().clone().unwrap_or_default()
    }

    fn hear(&self, said: &[u8]) {
        if let Some(words) = self.words().as_mut() {
            words.extend_from_slice(said);
        }
    }

    fn words(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection. What goes the other way is not kept: secrets are read there.
pub(crate) struct Ear<S> {
    pub(crate) socket: S,
    pub(crate) heard: Heard,
}

impl<S: AsyncRead + Unpin> AsyncRead for Ear<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, into);
        if into.filled().len() > before {
            self.heard.hear(&into.filled()[before..]);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Ear<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
