//! The stand-in as a program: says where it is, and serves until it is ended.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use pipe_standin::{Definitions, Standin};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: google-standin [OPTION]... [BUCKET]... [BUCKET/PREFIX=FOLDER]...

  BUCKET                 a bucket with nothing in it
  BUCKET/PREFIX=FOLDER   one with the files of that folder, below the prefix
  --port PORT            the port of loopback [default: any that is free]
  --definitions FOLDER   Google's definitions [default: where tools/google.sh has put them]
  --image IMAGE=PROGRAM  containers of that image begin with this program, which is told where the services are
  --with-input           end when the input ends, and so with whoever holds its other end";

/// What was typed.
#[derive(Default)]
struct Arguments {
    port: u16,
    definitions: Option<String>,
    images: Vec<(String, String)>,
    ends_with_input: bool,
    buckets: Vec<Bucket>,
}

/// A bucket, and the folder that it is filled from, if any.
struct Bucket {
    name: String,
    prefix: String,
    folder: Option<PathBuf>,
}

impl Bucket {
    fn of(word: &str) -> Self {
        let (place, folder) = match word.split_once('=') {
            Some((place, folder)) => (place, Some(PathBuf::from(folder))),
            None => (word, None),
        };
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = if prefix.is_empty() { String::new() } else { format!("{}/", prefix.trim_end_matches('/')) };
        Self { name: name.to_owned(), prefix, folder }
    }
}

fn main() -> ExitCode {
    let Err(why) = arguments().and_then(|arguments| serve(&arguments)) else { return ExitCode::SUCCESS };
    eprintln!("error: {why}");
    ExitCode::from(2)
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    let mut typed = std::env::args().skip(1);
    while let Some(word) = typed.next() {
        let mut value = || typed.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--port" => arguments.port = value()?.parse().map_err(|_| format!("there is no such port\n{USAGE}"))?,
            "--definitions" => arguments.definitions = Some(value()?),
            "--image" => arguments.images.push(image(&value()?)?),
            "--with-input" => arguments.ends_with_input = true,
            _ if word.starts_with('-') => return Err(format!("there is no {word}\n{USAGE}")),
            _ => arguments.buckets.push(Bucket::of(&word)),
        }
    }
    Ok(arguments)
}

fn image(word: &str) -> Result<(String, String), String> {
    let pair = word.split_once('=').map(|(image, program)| (image.to_owned(), program.to_owned()));
    pair.ok_or_else(|| format!("{word} is no IMAGE=PROGRAM\n{USAGE}"))
}

fn serve(arguments: &Arguments) -> Result<(), String> {
    let definitions = match &arguments.definitions {
        Some(folder) => Definitions::of(folder),
        None => Definitions::fetched().map_err(|error| error.to_string())?,
    };
    let standin = Standin::serve(&definitions, arguments.port).map_err(|error| error.to_string())?;
    for Bucket { name, prefix, folder } in &arguments.buckets {
        standin.make_bucket(name);
        if let Some(folder) = folder {
            fill(&standin, name, folder, prefix).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
    }
    // A container gets nothing of ours, so what it begins with says where its bucket is.
    let here = format!("STORAGE_EMULATOR_HOST={}", standin.address());
    for (image, program) in &arguments.images {
        standin.image(image, &["env", &here, program]);
    }
    println!("STORAGE_EMULATOR_HOST=http://{}", standin.address());
    if arguments.ends_with_input {
        return io::copy(&mut io::stdin().lock(), &mut io::sink()).map(drop).map_err(|error| error.to_string());
    }
    loop {
        std::thread::park();
    }
}

/// Makes an object of each file below a folder, under its path from there, which `before` stands before.
fn fill(standin: &Standin, bucket: &str, folder: &Path, before: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            fill(standin, bucket, &entry.path(), &format!("{name}/"))?;
        } else {
            standin.put(bucket, &name, &fs::read(entry.path())?);
        }
    }
    Ok(())
}
