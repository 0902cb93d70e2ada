//! A URI of the web or of a bucket -> what lies there, and the bytes of its ranges. Each try is one request; who reads says
//! how often it is tried again.

mod bucket;
mod guard;
mod trouble;
mod web;

pub(crate) use trouble::{Trouble, cause};

use crate::google;
use crate::open::{Place, client, place, reading};
use opendal::Operator;
use pipe_engine::failure::Failure;
use pipe_engine::remote::{RangeError, RemoteBytes, RemoteStat, Remotes, scheme, shown};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use trouble::Lost;

/// How often what lies at a URI is asked for, when the way there breaks.
const TRIES: u32 = 5;
/// How long after the first try; each further pause is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// Opens `http://`, `https://`, `s3://` and `gs://`. Who opens nothing pays for nothing: no client and no thread is made before.
pub struct WebAndBuckets {
    silence: Duration,
    pause: Duration,
    machinery: OnceLock<Result<Arc<Machinery>, String>>,
}

/// What requests are made with.
struct Machinery {
    /// Whoever reads has no runtime, or one of its own on which nobody may wait. There until the end.
    runtime: Option<Runtime>,
    handle: Handle,
    /// For what the web serves.
    web: reqwest::Client,
    /// For buckets, and for where their credentials are told: the guard of the other would refuse that.
    client: reqwest::Client,
    /// To find the region of a bucket takes a request, so each is opened once.
    buckets: Mutex<HashMap<String, Opened>>,
    silence: Duration,
}

impl Drop for Machinery {
    /// Whoever drops it may stand on a runtime of its own, where nobody may wait for another to end.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A bucket: what is asked of any, and of one of Cloud Storage Google's own client, which reads one generation.
#[derive(Clone)]
struct Opened {
    operator: Operator,
    google: Option<Arc<google::Bucket>>,
    silence: Duration,
}

/// Something elsewhere, and the way to it.
#[derive(Clone)]
enum Way {
    Web { client: reqwest::Client, url: String },
    Bucket { opened: Opened, path: String },
}

impl Default for WebAndBuckets {
    fn default() -> Self {
        Self::patient(SILENCE, PAUSE)
    }
}

impl WebAndBuckets {
    /// The same for those who wait no longer than this for a server that says nothing, and so long before the second try.
    pub fn patient(silence: Duration, pause: Duration) -> Self {
        Self { silence, pause, machinery: OnceLock::new() }
    }

    fn machinery(&self) -> Result<&Arc<Machinery>, Lost> {
        let made = self
            .machinery
            .get_or_init(|| Machinery::new(self.silence).map(Arc::new).map_err(|error| error.to_string()));
        made.as_ref().map_err(|why| Lost::here(why))
    }

    fn way(&self, uri: &str) -> Result<(&Arc<Machinery>, Way), Lost> {
        let machinery = self.machinery()?;
        let way = match scheme(uri) {
            Some("http" | "https") => Way::Web { client: machinery.web.clone(), url: uri.to_owned() },
            _ => machinery.bucket(uri)?,
        };
        Ok((machinery, way))
    }
}

impl Remotes for WebAndBuckets {
    fn schemes(&self) -> &'static [&'static str] {
        &["http", "https", "s3", "gs"]
    }

    fn look(&self, uri: &str) -> Result<RemoteStat, Failure> {
        let told = |trouble: Trouble| trouble.failure().on(shown(uri));
        let (machinery, way) = self.way(uri).map_err(|lost| told(Trouble::Lost(lost)))?;
        let pause = self.pause;
        let asked = machinery.waited(async move {
            let mut failures = 0;
            loop {
                match way.look().await {
                    Err(Trouble::Broken(_)) if failures + 1 < TRIES => {
                        tokio::time::sleep(pause * (1 << failures)).await;
                        failures += 1;
                    }
                    other => return other,
                }
            }
        });
        asked.unwrap_or_else(|ended| Err(Trouble::Lost(Lost::here(&ended)))).map_err(told)
    }

    fn open(&self, uri: &str, stat: &RemoteStat) -> Result<Arc<dyn RemoteBytes>, Failure> {
        let (machinery, way) = self.way(uri).map_err(|lost| Trouble::Lost(lost).failure().on(shown(uri)))?;
        Ok(Arc::new(Pinned { machinery: machinery.clone(), way, stat: stat.clone() }))
    }
}

impl Machinery {
    fn new(silence: Duration) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let web = client(|builder| guard::guarded(builder).read_timeout(silence))?;
        let client = client(|builder| builder.read_timeout(silence))?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle, web, client, buckets: Mutex::default(), silence })
    }

    /// What comes of `act`, which runs on another thread.
    fn waited<T: Send + 'static>(&self, act: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
        let (tell, told) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            let _ = tell.send(act.await);
        });
        told.recv().map_err(|_| io::Error::other("what speaks to servers has ended"))
    }

    fn bucket(&self, uri: &str) -> Result<Way, Lost> {
        let Place { scheme, bucket, root } = place(uri).map_err(|error| Lost::here(&error))?;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{scheme}://{bucket}");
        let opened = match buckets.get(&name) {
            Some(opened) => opened.clone(),
            None => {
                let place = Place { scheme, bucket, root: "" };
                let operator = reading(&place, &self.handle, self.client.clone()).map_err(|e| Lost::here(&e))?;
                let google = (scheme == "gs").then(|| Arc::new(google::Bucket::new(bucket, "")));
                let opened = Opened { operator, google, silence: self.silence };
                buckets.insert(name, opened.clone());
                opened
            }
        };
        if root.is_empty() {
            return Err(Lost::here(&"it names a bucket and nothing in it"));
        }
        Ok(Way::Bucket { opened, path: root.to_owned() })
    }
}

impl Way {
    async fn look(&self) -> Result<RemoteStat, Trouble> {
        match self {
            Self::Web { client, url } => web::look(client, url).await,
            Self::Bucket { opened, path } => bucket::look(&opened.operator, path).await,
        }
    }

    /// Bytes from `at` on, up to so many, and what broke behind them.
    async fn read(&self, stat: &RemoteStat, at: u64, most: usize) -> (Vec<u8>, Option<Trouble>) {
        let mut bytes = Vec::with_capacity(most);
        let read = match self {
            Self::Web { client, url } => web::read(client, url, stat, at, most, &mut bytes).await,
            Self::Bucket { opened, path } => bucket::read(opened, path, stat, at, most, &mut bytes).await,
        };
        (bytes, read.err())
    }
}

/// Something elsewhere, as it was when it was looked at.
struct Pinned {
    machinery: Arc<Machinery>,
    way: Way,
    stat: RemoteStat,
}

impl RemoteBytes for Pinned {
    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<usize, RangeError> {
        let left = usize::try_from(self.stat.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        if most == 0 {
            return Ok(0);
        }
        let (way, stat) = (self.way.clone(), self.stat.clone());
        let read = self.machinery.waited(async move { way.read(&stat, at, most).await });
        let (bytes, trouble) = read.map_err(RangeError::Lost)?;
        into[..bytes.len()].copy_from_slice(&bytes);
        match trouble {
            // What came before the way broke is as good as any, unless it is of something else.
            None => Ok(bytes.len()),
            Some(Trouble::Broken(_)) if !bytes.is_empty() => Ok(bytes.len()),
            Some(Trouble::Broken(why)) => Err(RangeError::Broken(io::Error::other(why))),
            Some(Trouble::Changed) => Err(RangeError::Changed),
            Some(Trouble::Lost(lost)) => Err(RangeError::Lost(io::Error::other(lost.message))),
        }
    }
}
