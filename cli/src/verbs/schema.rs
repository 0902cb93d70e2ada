//! `pipe schema`: the types of a format -> its JSON Schema, on stdout or as files.

use crate::args::{SchemaArgs, SchemaFormat};
use crate::exit::{Exit, Refusal};
use crate::printer::Printer;
use crate::wiring;
use clap::ValueEnum;
use pipe_engine::attempt::{Attempt, Outcome};
use pipe_engine::event::RunEvent;
use pipe_engine::manifest::Manifest;
use pipe_engine::spec::SpecSchema;
use schemars::schema_for;
use serde_json::Value as Json;
use std::fs;
use std::io;
use std::path::Path;

pub(crate) fn run(args: &SchemaArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let Some(folder) = &args.write else {
        printer.document(&schema(args.format))?;
        return Ok(Exit::Done);
    };
    for format in SchemaFormat::value_variants() {
        let path = folder.join(file_name(*format));
        write(&path, &schema(*format)).map_err(|error| {
            Refusal::new(Exit::Unavailable, format!("cannot write {}: {error}", path.display()))
                .help("check that the folder can be written")
        })?;
        printer.line(&format!("wrote {}", path.display()));
    }
    Ok(Exit::Done)
}

fn schema(format: SchemaFormat) -> Json {
    match format {
        SchemaFormat::Spec => SpecSchema::of(&wiring::kinds(), &wiring::backends()).for_editors(),
        SchemaFormat::Manifest => schema_for!(Manifest).to_value(),
        SchemaFormat::Attempt => schema_for!(Attempt).to_value(),
        SchemaFormat::Outcome => schema_for!(Outcome).to_value(),
        SchemaFormat::RunEvent => schema_for!(RunEvent).to_value(),
    }
}

fn file_name(format: SchemaFormat) -> String {
    let name = format.to_possible_value().expect("no format is hidden");
    format!("{}.v1.json", name.get_name())
}

fn write(path: &Path, schema: &Json) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    let text = serde_json::to_string_pretty(schema).map_err(io::Error::other)?;
    fs::write(path, text + "\n")
}
