//! `pipe schema`: the types of a format -> its JSON Schema, on stdout or as files. The stage kinds contribute the
//! formats of their artifacts.

use crate::args::SchemaArgs;
use crate::exit::{Exit, Refusal};
use crate::printer::{Printer, Style};
use crate::table::{self, left};
use crate::wiring;
use pipe_engine::account::Account;
use pipe_engine::attempt::{Attempt, Outcome};
use pipe_engine::event::RunEvent;
use pipe_engine::manifest::Manifest;
use pipe_engine::spec::SpecSchema;
use pipe_engine::text::{DiagnosticJson, closest, listed};
use schemars::{JsonSchema, schema_for};
use serde_json::{Value as Json, json};
use std::fs;
use std::io;
use std::path::Path;

pub(crate) fn run(args: &SchemaArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let formats = formats();
    match (&args.format, &args.write) {
        (Some(name), _) => printer.document(&named(&formats, name)?.schema)?,
        (None, Some(folder)) => write_all(&formats, folder, printer)?,
        (None, None) if printer.json => printer.document(&formats.iter().map(Format::document).collect::<Vec<_>>())?,
        (None, None) => printer.data(&list(&formats, printer))?,
    }
    Ok(Exit::Done)
}

/// A format that others than `pipe` read or write.
struct Format {
    name: &'static str,
    /// Where it is met.
    place: String,
    schema: Json,
}

impl Format {
    fn of<T: JsonSchema>(name: &'static str, place: &str) -> Self {
        Self { name, place: place.to_owned(), schema: schema_for!(T).to_value() }
    }

    fn file(&self) -> String {
        format!("{}.v1.json", self.name)
    }

    /// What it holds, in one line.
    fn about(&self) -> String {
        let paragraph =
            self.schema["description"].as_str().unwrap_or_default().split("\n\n").next().unwrap_or_default();
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        line.split_once(". ").map_or(line.as_str(), |(first, _)| first).trim_end_matches('.').to_owned()
    }

    fn document(&self) -> Json {
        json!({ "name": self.name, "place": self.place, "about": self.about(), "file": self.file() })
    }
}

/// Every format of this build: those of the engine, and those of the artifacts of each kind of stage.
fn formats() -> Vec<Format> {
    let kinds = wiring::kinds();
    let spec = SpecSchema::of(&kinds, &wiring::backends()).for_editors();
    let mut formats = vec![
        Format { name: "spec", place: "what you write".to_owned(), schema: spec },
        Format::of::<DiagnosticJson>("problem", "validate --json"),
        Format::of::<RunEvent>("run-event", "run --json"),
        Format::of::<Account>("report", "report --json"),
        Format::of::<Manifest>("manifest", "the store"),
        Format::of::<Attempt>("attempt", "attempt.json"),
        Format::of::<Outcome>("outcome", "outcome.json"),
    ];
    for kind in kinds.kinds() {
        formats.extend(kind.formats().into_iter().map(|format| Format {
            name: format.name,
            place: format!("{}: {}", kind.name(), format.files.join(", ")),
            schema: format.schema.to_value(),
        }));
    }
    formats
}

fn named<'a>(formats: &'a [Format], name: &str) -> Result<&'a Format, Refusal> {
    let names = || formats.iter().map(|format| format.name);
    formats.iter().find(|format| format.name == name).ok_or_else(|| {
        let help = match closest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the formats there are: {}", listed(names())),
        };
        Refusal::new(Exit::Wrong, format!("no format is named `{name}`")).help(help)
    })
}

fn list(formats: &[Format], printer: &Printer) -> String {
    let row = |format: &Format| {
        vec![left(Style::Plain, format.name), left(Style::Plain, &format.place), left(Style::Faint, format.about())]
    };
    let header = ["format", "found in", "holds"].map(|title| left(Style::Strong, title)).to_vec();
    let rows: Vec<_> = std::iter::once(header).chain(formats.iter().map(row)).collect();
    table::lines(printer, &rows)
}

fn write_all(formats: &[Format], folder: &Path, printer: &Printer) -> Result<(), Refusal> {
    for format in formats {
        let path = folder.join(format.file());
        write(&path, &format.schema).map_err(|error| {
            Refusal::new(Exit::Unavailable, format!("cannot write {}: {error}", path.display()))
                .help("check that the folder can be written")
        })?;
        printer.line(&format!("wrote {}", path.display()));
    }
    Ok(())
}

fn write(path: &Path, schema: &Json) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    let text = serde_json::to_string_pretty(schema).map_err(io::Error::other)?;
    fs::write(path, text + "\n")
}
