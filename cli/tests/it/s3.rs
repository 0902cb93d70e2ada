//! An S3 server on loopback whose buckets are folders, and which a test can let answer as it likes.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3ErrorCode, S3Result};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// What becomes of a request.
pub(crate) enum Answer {
    /// What the server has to say.
    Served,
    /// An error of S3, such as `AccessDenied`.
    Error(S3ErrorCode),
    /// None, ever.
    Silence,
}

/// Says what becomes of a request: its operation and the object it is about.
type Rule = Box<dyn FnMut(&str, &str) -> Answer + Send>;

/// The server. It serves until the test ends.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    gate: Gate,
}

#[derive(Clone)]
struct Gate(Arc<Mutex<Rule>>);

impl S3Access for Gate {
    fn check<'a, 'b, 'c, 'd>(
        &'a self,
        context: &'b mut S3AccessContext<'c>,
    ) -> Pin<Box<dyn Future<Output = S3Result<()>> + Send + 'd>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
    {
        let object = context.s3_path().as_object().map_or_else(String::new, |(_, key)| key.to_owned());
        let answer = match context.credentials() {
            Some(_) => self.0.lock().unwrap()(context.s3_op().name(), &object),
            None => Answer::Error(S3ErrorCode::AccessDenied),
        };
        Box::pin(async move {
            match answer {
                Answer::Served => Ok(()),
                Answer::Error(code) => Err(S3Error::new(code)),
                Answer::Silence => std::future::pending().await,
            }
        })
    }
}

impl Server {
    /// Serves the folders in `root` as buckets, to `somebody` whose secret is `a-secret`.
    pub(crate) fn of(root: &Path) -> Self {
        let gate = Gate(Arc::new(Mutex::new(Box::new(|_, _| Answer::Served))));
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
        service.set_auth(SimpleAuth::from_single("somebody", "a-secret"));
        service.set_access(gate.clone());
        let service = service.build();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(door.local_addr().unwrap()).unwrap();
                loop {
                    let (socket, _) = door.accept().await.unwrap();
                    tokio::spawn(serve(socket, service.clone()));
                }
            });
        });
        Self { address: told.recv().unwrap(), gate }
    }

    /// From now on requests are answered as `rule` says.
    pub(crate) fn answers(&self, rule: impl FnMut(&str, &str) -> Answer + Send + 'static) {
        *self.gate.0.lock().unwrap() = Box::new(rule);
    }
}

async fn serve(socket: tokio::net::TcpStream, service: S3Service) {
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
}
