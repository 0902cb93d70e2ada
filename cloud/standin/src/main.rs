//! The stand-in as a program: says where it is, and serves until it is ended.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use pipe_standin::{Definitions, Standin};
use std::process::ExitCode;

const USAGE: &str = "usage: google-standin [--port PORT] [--definitions FOLDER] [BUCKET]...";

/// What was typed.
#[derive(Default)]
struct Arguments {
    port: u16,
    definitions: Option<String>,
    buckets: Vec<String>,
}

fn main() -> ExitCode {
    let served = arguments().and_then(|arguments| serve(&arguments));
    match served {
        Ok(standin) => {
            println!("STORAGE_EMULATOR_HOST=http://{}", standin.address());
            loop {
                std::thread::park();
            }
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    let mut typed = std::env::args().skip(1);
    while let Some(word) = typed.next() {
        let mut value = || typed.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--port" => arguments.port = value()?.parse().map_err(|_| format!("there is no such port\n{USAGE}"))?,
            "--definitions" => arguments.definitions = Some(value()?),
            _ if word.starts_with('-') => return Err(format!("there is no {word}\n{USAGE}")),
            _ => arguments.buckets.push(word),
        }
    }
    Ok(arguments)
}

fn serve(arguments: &Arguments) -> Result<Standin, String> {
    let definitions = match &arguments.definitions {
        Some(folder) => Definitions::of(folder),
        None => Definitions::fetched().map_err(|error| error.to_string())?,
    };
    let standin = Standin::serve(&definitions, arguments.port).map_err(|error| error.to_string())?;
    arguments.buckets.iter().for_each(|bucket| standin.make_bucket(bucket));
    Ok(standin)
}
