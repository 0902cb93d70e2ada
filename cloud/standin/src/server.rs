//! HTTP on loopback -> services, each request held against the definitions first.

use crate::answer::{Body, Manner, Refusal};
use crate::call::{Arriving, Call};
use crate::control;
use crate::definitions::{Definitions, DefinitionsError, Place};
use crate::doors::{Door, Doors};
use crate::ear::{Ear, Heard};
use crate::jobs::Jobs;
use crate::machine::Machine;
use crate::mischief::{Asked, Fault, Mischief};
use crate::registry;
use crate::route::Service;
use crate::secrets::Secrets;
use crate::storage::Storage;
use crate::tokens::Tokens;
use crate::vertex::Vertex;
use futures::stream::{self, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Google's services, until it is dropped.
pub struct Standin {
    address: SocketAddr,
    cloud: Arc<Cloud>,
    /// Taken when it ends.
    runtime: Option<Runtime>,
}

/// Everything that answers.
pub(crate) struct Cloud {
    pub(crate) address: String,
    pub(crate) mischief: Mischief,
    heard: Heard,
    pub(crate) machine: Machine,
    pub(crate) storage: Storage,
    pub(crate) jobs: Jobs,
    pub(crate) vertex: Vertex,
    tokens: Tokens,
    services: Vec<Service>,
}

/// Why there is no stand-in.
#[derive(Debug, thiserror::Error)]
pub enum StandinError {
    /// There are no definitions.
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
    /// There is no port, or no folder for objects.
    #[error("cannot serve: {0}")]
    Machine(#[from] io::Error),
}

impl Standin {
    /// Serves on a port of loopback, or on any free one for port 0.
    ///
    /// # Errors
    /// When there are no definitions, or the port is taken.
    pub fn serve(definitions: &Definitions, port: u16) -> Result<Self, StandinError> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let door = runtime.block_on(TcpListener::bind(("127.0.0.1", port)))?;
        let address = door.local_addr()?;
        let (doors, mut opened) = Doors::new();
        let cloud = Arc::new(Cloud::new(definitions, doors, format!("http://{address}"))?);
        runtime.spawn(open(door, None, cloud.clone()));
        let of_accounts = cloud.clone();
        runtime.spawn(async move {
            while let Some(Door { listener, account }) = opened.recv().await {
                if let Ok(door) = TcpListener::from_std(listener) {
                    tokio::spawn(open(door, Some(Arc::from(account)), of_accounts.clone()));
                }
            }
        });
        Ok(Self { address, cloud, runtime: Some(runtime) })
    }

    /// Where it is reached: the value of `STORAGE_EMULATOR_HOST`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on requests befalls what `rule` says.
    pub fn befalls(&self, rule: impl FnMut(&Asked) -> Option<Fault> + Send + 'static) {
        self.cloud.mischief.rule(rule);
    }

    /// Everything that was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.cloud.mischief.asked()
    }

    /// From now on every word is kept that is said to it.
    pub fn listen(&self) {
        self.cloud.heard.listen();
    }

    /// All that was said to it since: requests with their heads and bodies, of one connection among those of others.
    pub fn heard(&self) -> Vec<u8> {
        self.cloud.heard.all()
    }

    /// Makes a bucket, if there is none of that name.
    pub fn make_bucket(&self, name: &str) {
        self.cloud.storage.make_bucket(name);
    }

    /// From now on an object, a job or an execution that is made misses so many lists.
    pub fn list_late(&self, lists: u64) {
        self.cloud.list_late(lists);
    }

    /// From now on containers of this image begin with this program.
    pub fn image(&self, image: &str, entry_point: &[&str]) {
        self.cloud.machine.image(image, entry_point);
    }

    /// From now on a process of a job has so long between the first signal and the last; as long as the service gives else.
    pub fn grace(&self, grace: Duration) {
        self.cloud.machine.say_grace(grace);
    }

    /// What the tasks of an execution, or the replicas of a custom job, have printed, by its whole name.
    pub fn printed(&self, name: &str) -> String {
        if name.contains("/customJobs/") { self.cloud.vertex.printed(name) } else { self.cloud.jobs.printed(name) }
    }

    /// Takes the machines of a custom job away, by its whole name. Returns whether it ran.
    pub fn preempt(&self, job: &str) -> bool {
        self.cloud.vertex.preempt(job)
    }

    /// The next machines that a custom job wants are not there, so many times.
    pub fn stock_out(&self, times: u64) {
        self.cloud.vertex.stock_out(times);
    }

    /// From now on there is quota for jobs of Vertex AI, or none: then they stay queued.
    pub fn quota(&self, is_there: bool) {
        self.cloud.vertex.say_quota(is_there);
    }

    /// From now on a tuning job that is made goes on until it was told of so often, by its name or in a list. At first each is done
    /// at once.
    pub fn tuning_lasts(&self, looks: u64) {
        self.cloud.vertex.tuning_lasts(looks);
    }

    /// From now on nobody is served without a token.
    pub fn need_tokens(&self) {
        self.cloud.tokens.need();
    }

    /// From now on the tokens that were handed out are good no more.
    pub fn expire_tokens(&self) {
        self.cloud.tokens.expire();
    }

    /// How many uploads were begun and have neither ended nor been given up.
    pub fn open_uploads(&self) -> usize {
        self.cloud.storage.open_uploads()
    }

    /// The objects of a bucket with their bytes, by name.
    ///
    /// # Panics
    /// When a file of the stand-in is gone.
    pub fn objects(&self, bucket: &str) -> Vec<(String, Vec<u8>)> {
        let objects = self.cloud.storage.objects(bucket).into_iter();
        objects.map(|(name, content)| (name, std::fs::read(&content.path).expect("nobody else removes it"))).collect()
    }

    /// How many bytes of objects were sent whose names begin so. Those that share a file count once.
    pub fn sent(&self, bucket: &str, start: &str) -> u64 {
        let objects = self.cloud.storage.objects(bucket).into_iter().filter(|(name, _)| name.starts_with(start));
        let contents: BTreeMap<_, _> = objects.map(|(_, content)| (content.path.clone(), content.sent())).collect();
        contents.into_values().sum()
    }

    /// Makes objects of these names of one file with more holes than bytes, which must not change any more.
    ///
    /// # Panics
    /// When there is no such bucket, or the file lies on another disk than the stand-in's own.
    pub fn lay(&self, bucket: &str, names: &[String], file: &Path) {
        let laid = self.cloud.storage.lay(bucket, names, file);
        laid.expect("the bucket is there, and the file can get another name");
    }

    /// Puts an object there, whatever lay there before. Returns its generation.
    ///
    /// # Panics
    /// When there is no such bucket.
    pub fn put(&self, bucket: &str, name: &str, bytes: &[u8]) -> u64 {
        let storage = self.cloud.storage.clone();
        let (bucket, name, bytes) = (bucket.to_owned(), name.to_owned(), bytes.to_vec());
        let (tell, told) = std::sync::mpsc::channel();
        // Whoever calls may stand on a runtime of its own.
        self.runtime.as_ref().expect("it serves").spawn(async move {
            let _ = tell.send(storage.write(&bucket, &name, &bytes).await);
        });
        told.recv().expect("it serves").expect("the bucket is there")
    }

    /// What Google's definitions have against an answer to a request, as this server has given one. A test asks.
    pub fn wrong_in_answer(&self, verb: &str, path: &str, answer: &serde_json::Value) -> Vec<String> {
        let find = |service: &Service| Some((service.document.clone(), service.document.find(verb, path)?));
        let Some((document, place)) = self.cloud.services.iter().find_map(find) else { return Vec::new() };
        document.check_answer(&place.method, answer).into_iter().map(|problem| problem.says).collect()
    }

    /// Removes an object. Returns whether there was one.
    pub fn remove(&self, bucket: &str, name: &str) -> bool {
        self.cloud.storage.remove(bucket, name)
    }
}

impl Drop for Standin {
    /// Whoever drops it may stand on a runtime of its own, where nobody may wait for another to end.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Cloud {
    fn new(definitions: &Definitions, doors: Doors, address: String) -> Result<Self, StandinError> {
        let (machine, storage, secrets) = (Machine::new(doors)?, Storage::new()?, Secrets::default());
        let jobs = Jobs::new(machine.clone(), secrets.clone());
        let vertex = Vertex::new(machine.clone(), storage.clone());
        let service = |name: &str, manner, methods| -> Result<Service, StandinError> {
            Ok(Service { document: Arc::new(definitions.document(name)?), manner, methods })
        };
        let services = vec![
            service("storage.v1", Manner::Reasons, storage.methods())?,
            service("run.v2", Manner::Status, jobs.methods())?,
            service("aiplatform.v1", Manner::Status, vertex.methods())?,
            service("secretmanager.v1", Manner::Status, secrets.methods())?,
        ];
        let (mischief, heard, tokens) = (Mischief::default(), Heard::default(), Tokens::default());
        Ok(Self { address, mischief, heard, machine, storage, jobs, vertex, tokens, services })
    }
}

impl Cloud {
    pub(crate) fn list_late(&self, lists: u64) {
        self.storage.list_late(lists);
        self.jobs.list_late(lists);
        self.vertex.list_late(lists);
    }
}

/// Who asks: an account that a job acts as; `None` at the door where everybody may ask for everything.
type By = Option<Arc<str>>;

async fn open(door: TcpListener, by: By, cloud: Arc<Cloud>) {
    loop {
        // A connection that does not come about is its maker's loss.
        if let Ok((socket, _)) = door.accept().await {
            tokio::spawn(converse(socket, by.clone(), cloud.clone()));
        }
    }
}

async fn converse(socket: TcpStream, by: By, cloud: Arc<Cloud>) {
    let _ = socket.set_nodelay(true);
    let socket = Ear { socket, heard: cloud.heard.clone() };
    let service = service_fn(move |request| {
        let (cloud, by) = (cloud.clone(), by.clone());
        // In a task of its own: what was begun is brought to its end, also when whoever asked is gone.
        async move { tokio::spawn(answer(cloud, by, request)).await.unwrap_or_else(|_| Err(hung_up())) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    let _ = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service).await;
}

/// Makes the connection end without a word.
fn hung_up() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "told to hang up")
}

async fn answer(cloud: Arc<Cloud>, by: By, request: Request<Incoming>) -> io::Result<Response<Body>> {
    if let Some(told) = request.uri().path().strip_prefix("/standin/").map(str::to_owned) {
        return Ok(control::answer(&cloud, &told, request).await.unwrap_or_else(|e| e.answer(Manner::Status)));
    }
    if let Some(told) = cloud.tokens.answer(request.method(), request.uri().path(), request.headers()) {
        return Ok(told.unwrap_or_else(|refusal| refusal.answer(Manner::Status)));
    }
    if let Some(image) = registry::image(request.method(), request.uri().path()) {
        let told = cloud.tokens.check(request.headers()).and_then(|()| registry::answer(&cloud.machine, &image));
        return Ok(told.unwrap_or_else(|refusal| refusal.answer(Manner::Status)));
    }
    let found = cloud.services.iter().find_map(|service| Some((service, service.place(&request)?)));
    let Some((service, place)) = found else {
        return Ok(Refusal::new(404, "Not Found").answer(Manner::Reasons));
    };
    let mut query = query(request.uri().query().unwrap_or_default());
    let fault = cloud.mischief.befalls(asked(&request, &by, &place, &query));
    if fault == Some(Fault::Forget) {
        query.retain(|(name, _)| !name.starts_with("if"));
    }
    match fault {
        Some(Fault::Refuse(code)) => return Ok(refused(code).answer(service.manner)),
        Some(Fault::Say(code, ref words)) => return Ok(Refusal::new(code, words).answer(service.manner)),
        Some(Fault::HangUp) => return Err(hung_up()),
        Some(Fault::Stall) => return std::future::pending().await,
        Some(Fault::Delay(millis)) => tokio::time::sleep(Duration::from_millis(millis)).await,
        _ => {}
    }
    let left = if let Some(Fault::Lose(left)) = fault { Some(left) } else { None };
    let done = service.done(&cloud, by, place, query, (request, left)).await;
    if left.is_some() && done.as_ref().is_err_and(|refusal| refusal.code == 408) {
        return Err(hung_up());
    }
    let done = done.unwrap_or_else(|refusal| refusal.answer(service.manner));
    match fault {
        Some(Fault::DoAndRefuse(code)) => Ok(refused(code).answer(service.manner)),
        Some(Fault::DoAndHangUp) => Err(hung_up()),
        Some(Fault::Cut(most)) => Ok(cut(done, most)),
        _ => Ok(done),
    }
}

fn refused(code: u16) -> Refusal {
    Refusal::new(code, "the stand-in was told to say so")
}

/// The first bytes of an answer, and then a connection that breaks.
fn cut(answer: Response<Body>, most: u64) -> Response<Body> {
    let left = usize::try_from(most).unwrap_or(usize::MAX);
    answer.map(|body| {
        let frames = stream::unfold((body, left), |(mut body, left)| async move {
            let next = if left == 0 { None } else { body.frame().await };
            let Some(frame) = next else {
                // What was said before leaves first.
                tokio::task::yield_now().await;
                return Some((Err(hung_up()), (body, 0)));
            };
            let frame = frame.map(|frame| frame.map_data(|bytes| bytes.slice(..left.min(bytes.len()))));
            let sent = frame.as_ref().ok().and_then(|frame| frame.data_ref()).map_or(0, hyper::body::Bytes::len);
            Some((frame, (body, left - sent)))
        });
        StreamBody::new(frames.boxed()).boxed_unsync()
    })
}

fn query(text: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn asked(request: &Request<Incoming>, by: &By, place: &Place, query: &[(String, String)]) -> Asked {
    let named = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let method = match named("upload_id") {
        None => place.method.id.clone(),
        Some(_) if request.method() == "DELETE" => format!("{}/end", place.method.id),
        Some(_) if request.headers().get(CONTENT_LENGTH).is_some_and(|length| length == "0") => {
            format!("{}/look", place.method.id)
        }
        Some(_) => format!("{}/part", place.method.id),
    };
    let about = ["object", "name", "jobId", "secretId", "parent"]
        .into_iter()
        .find_map(|name| place.names.get(name).cloned().or_else(|| named(name)));
    Asked { method, about: about.unwrap_or_default(), by: by.as_deref().map(str::to_owned) }
}

impl Service {
    /// What a request asks of this service. Requests that go on with an upload belong to the method that began it.
    fn place(&self, request: &Request<Incoming>) -> Option<Place> {
        let goes_on = request.uri().query().is_some_and(|query| query.contains("upload_id="));
        let verb = if goes_on { "POST" } else { request.method().as_str() };
        self.document.find(verb, request.uri().path()).filter(|place| place.is_upload || !goes_on)
    }

    async fn done(
        &self,
        cloud: &Cloud,
        by: By,
        place: Place,
        mut query: Vec<(String, String)>,
        (request, left): (Request<Incoming>, Option<u64>),
    ) -> Result<Response<Body>, Refusal> {
        let upload = query.iter().position(|(name, _)| name == "upload_id").map(|at| query.remove(at).1);
        cloud.tokens.check(request.headers())?;
        let problems = place.method.check_query(&query);
        if !problems.is_empty() {
            return Err(Refusal::of(problems));
        }
        let (parts, body) = request.into_parts();
        let call = Call {
            document: self.document.clone(),
            is_upload: place.is_upload,
            is_end: parts.method == "DELETE",
            names: place.names,
            query,
            headers: parts.headers,
            body: Arriving::new(body, left),
            address: cloud.address.clone(),
            by,
            method: place.method,
        };
        if let Some(upload) = upload {
            return cloud.storage.go_on(&upload, call).await;
        }
        let id = call.method.id.clone();
        match self.methods.iter().find(|done| done.id == id) {
            Some(done) => done.act(call).await,
            None => Err(Refusal::not_done(&id)),
        }
    }
}
