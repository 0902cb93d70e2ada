//! A service with an empty bucket, of one kind or the other, that a test looks into, spoils, and lets answer as it likes.

use crate::s3::{self, Server};
use pipe_standin::{Definitions, Fault, Standin};
use s3s::S3ErrorCode;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What sort of service it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    S3,
    Gs,
}

impl Kind {
    /// The store that is in the bucket.
    pub(crate) fn root(self) -> &'static str {
        match self {
            Kind::S3 => "s3://bucket/prefix",
            Kind::Gs => "gs://bucket/prefix",
        }
    }
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It brings bytes of an object: all of them, or a part.
    Writing,
    /// Anything else.
    Other,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What the service has to say.
    Served,
    /// Whoever asks may not.
    Denied,
    /// It has too much to do.
    Busy,
    /// It is broken.
    Broken,
    /// None, ever.
    Silence,
}

/// The service.
pub(crate) enum Service {
    /// Its bucket is a folder.
    S3 {
        server: Server,
        folder: PathBuf,
    },
    Gs(Standin),
}

impl Service {
    /// An empty bucket; a folder that is not there yet may be used for it.
    pub(crate) fn of(kind: Kind, folder: &Path) -> Self {
        match kind {
            Kind::S3 => {
                fs::create_dir_all(folder.join("bucket")).unwrap();
                Service::S3 { server: Server::of(folder), folder: folder.join("bucket") }
            }
            Kind::Gs => {
                let standin = Standin::serve(&Definitions::fetched().unwrap(), 0).unwrap();
                standin.make_bucket("bucket");
                Service::Gs(standin)
            }
        }
    }

    /// Tells a program where the service is, and who it is there.
    pub(crate) fn tell(&self, command: &mut Command) {
        match self {
            Service::S3 { server, .. } => command
                .env("AWS_ENDPOINT_URL", format!("http://{}", server.address))
                .env("AWS_REGION", "us-east-1")
                .env("AWS_ACCESS_KEY_ID", "somebody")
                .env("AWS_SECRET_ACCESS_KEY", "a-secret")
                .env_remove("AWS_SESSION_TOKEN"),
            Service::Gs(standin) => command.env("STORAGE_EMULATOR_HOST", standin.address().to_string()),
        };
    }

    /// Tells a program of a service where none is.
    pub(crate) fn tell_of(&self, address: &str, command: &mut Command) {
        self.tell(command);
        match self {
            Service::S3 { .. } => command.env("AWS_ENDPOINT_URL", address),
            Service::Gs(_) => command.env("STORAGE_EMULATOR_HOST", address),
        };
    }

    /// From now on requests are answered as `rule` says, which is told what they do and the object they are about.
    pub(crate) fn answers(&self, mut rule: impl FnMut(Doing, &str) -> Answer + Send + 'static) {
        match self {
            Service::S3 { server, .. } => server.answers(move |operation, object| {
                let writes = matches!(operation, "PutObject" | "UploadPart");
                match rule(if writes { Doing::Writing } else { Doing::Other }, object) {
                    Answer::Served => s3::Answer::Served,
                    Answer::Denied => s3::Answer::Error(S3ErrorCode::AccessDenied),
                    Answer::Busy => s3::Answer::Error(S3ErrorCode::SlowDown),
                    Answer::Broken => s3::Answer::Error(S3ErrorCode::InternalError),
                    Answer::Silence => s3::Answer::Silence,
                }
            }),
            Service::Gs(standin) => standin.befalls(move |asked| {
                let writes = asked.method.ends_with("/part");
                match rule(if writes { Doing::Writing } else { Doing::Other }, &asked.about) {
                    Answer::Served => None,
                    Answer::Denied => Some(Fault::Refuse(403)),
                    Answer::Busy => Some(Fault::Refuse(429)),
                    Answer::Broken => Some(Fault::Refuse(503)),
                    Answer::Silence => Some(Fault::Stall),
                }
            }),
        }
    }

    /// From now on it creates objects that are there already.
    pub(crate) fn forgets_conditions(&self) {
        match self {
            Service::S3 { server, folder } => {
                // What was written is gone when it is to be there: the next create says that it was the first.
                let object = folder.join("prefix/tmp/writable");
                server.answers(move |_, _| {
                    let _ = fs::remove_file(&object);
                    s3::Answer::Served
                });
            }
            Service::Gs(standin) => standin.befalls(|_| Some(Fault::Forget)),
        }
    }

    /// Puts an object there, whatever lay there before.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        match self {
            Service::S3 { folder, .. } => {
                let path = folder.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
            Service::Gs(standin) => {
                standin.put("bucket", name, bytes);
            }
        }
    }

    /// Every object by its name, with its bytes.
    pub(crate) fn objects(&self) -> Vec<(String, Vec<u8>)> {
        match self {
            Service::S3 { folder, .. } => {
                let names = files(folder).into_iter();
                names.map(|(path, bytes)| (path.strip_prefix(folder).unwrap().display().to_string(), bytes)).collect()
            }
            Service::Gs(standin) => standin.objects("bucket"),
        }
    }
}

/// Every file below a folder with its bytes.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.clone(), fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}
