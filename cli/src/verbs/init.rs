//! `pipe init`: a template -> a spec with comments, the files it needs, and what to do next. Overwrites nothing.

use crate::args::{InitArgs, Template};
use crate::exit::{Exit, Refusal};
use crate::printer::{Printer, Style};
use crate::wiring;
use crate::words;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What git need not keep.
const IGNORED: &str = "# what pipe keeps: results, and its memory of runs\nout/\n.pipe/\n";
/// What the quickstart says of places that are others in a new project, and what is said instead.
const MOVED: [(&str, &str); 5] = [
    ("#:schema ../schemas/spec.v1.json\n", ""),
    ("# yaml-language-server: $schema=../schemas/spec.v1.json\n", ""),
    ("# The twin of quickstart.toml: the same plan, the same fingerprints.\n", ""),
    ("../testdata", "data"),
    ("../out", "out"),
];

const PROMPT: (&str, &str) = ("prompts/play.jinja", include_str!("../../../specs/prompts/play.jinja"));
const CARD: (&str, &str) = ("tools/model-card.sh", include_str!("../../../specs/tools/model-card.sh"));

pub(crate) fn run(args: &InitArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let spec = place(args)?;
    can_be_run(args.template)?;
    let folder = spec.parent().unwrap_or(Path::new(""));
    let yaml = spec.extension().is_some_and(|extension| extension != "toml");
    let mut files = vec![(spec.clone(), text(args.template, yaml, &name_of(&spec)))];
    files.extend(beside(args.template).iter().map(|(path, text)| (folder.join(path), (*text).to_owned())));
    let ignored = folder.join(".gitignore");
    if !ignored.exists() {
        files.push((ignored, IGNORED.to_owned()));
    }
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(Refusal::new(Exit::Wrong, format!("{} is there already", path.display()))
            .help("nothing was written; name another folder or file: `pipe init other`"));
    }
    for (path, text) in &files {
        write(path, text).map_err(|error| {
            Refusal::new(Exit::Unavailable, format!("cannot write {}: {error}", path.display()))
                .help("check that the folder can be written")
        })?;
    }
    if printer.json {
        let files: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
        printer.document(&json!({ "spec": spec.display().to_string(), "files": files }))?;
        return Ok(Exit::Done);
    }
    files.iter().for_each(|(path, _)| printer.line(&format!("wrote {}", path.display())));
    printer.line(&next(args.template, &spec, printer));
    Ok(Exit::Done)
}

/// The spec's file: the one that was named, or `pipeline.toml` in the folder that was.
fn place(args: &InitArgs) -> Result<PathBuf, Refusal> {
    let named = args.place.as_deref().unwrap_or(Path::new(""));
    match named.extension().and_then(|extension| extension.to_str()) {
        Some("toml") if args.yaml => {
            let message = format!("{} is named as TOML, and `--yaml` asks for YAML", named.display());
            Err(Refusal::new(Exit::Wrong, message).help("leave `--yaml` out, or let the name end in .yaml"))
        }
        Some("toml" | "yaml" | "yml") => Ok(named.to_owned()),
        _ => Ok(named.join(if args.yaml { "pipeline.yaml" } else { "pipeline.toml" })),
    }
}

/// A name for the pipeline: the file's, or for a file that is just named `pipeline` that of its folder.
fn name_of(spec: &Path) -> String {
    let stem = spec.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let folder = || Some(fs::canonicalize(spec.parent()?).ok()?.file_name()?.to_str()?.to_owned());
    let given = || Some(spec.parent()?.file_name()?.to_str()?.to_owned());
    let name = if stem == "pipeline" {
        let here = || std::env::current_dir().ok()?.file_name()?.to_str().map(str::to_owned);
        folder().or_else(given).or_else(here).unwrap_or_default()
    } else {
        stem.to_owned()
    };
    // It becomes a folder of the store, so it may not hold all that a folder's name can.
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.chars().map(plain).take(100).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.is_empty() { "pipeline".to_owned() } else { name.to_owned() }
}

/// The spec under its new name.
fn text(template: Template, yaml: bool, name: &str) -> String {
    let (own, text) = match (template, yaml) {
        (Template::Command, false) => ("command", include_str!("../../templates/command.toml")),
        (Template::Command, true) => ("command", include_str!("../../templates/command.yaml")),
        (Template::Clips, false) => ("clips", include_str!("../../templates/clips.toml")),
        (Template::Clips, true) => ("clips", include_str!("../../templates/clips.yaml")),
        (Template::Quickstart, false) => ("quickstart", include_str!("../../../specs/quickstart.toml")),
        (Template::Quickstart, true) => ("quickstart", include_str!("../../../specs/quickstart.yaml")),
    };
    let moved = MOVED.iter().fold(text.to_owned(), |text, (was, is)| text.replace(was, is));
    // A name such as `1.0` or `yes` would be something else without quotes.
    let (was, is) = if yaml {
        (format!("\nname: {own}\n"), format!("\nname: \"{name}\"\n"))
    } else {
        (format!("\nname = \"{own}\"\n"), format!("\nname = \"{name}\"\n"))
    };
    format!("\n{moved}").replacen(&was, &is, 1).split_off(1)
}

/// The other files a template needs.
fn beside(template: Template) -> &'static [(&'static str, &'static str)] {
    match template {
        Template::Command => &[],
        Template::Clips => &[PROMPT],
        Template::Quickstart => &[PROMPT, CARD],
    }
}

/// Whether this build has the stages of a template.
fn can_be_run(template: Template) -> Result<(), Refusal> {
    let needed: &[&str] = match template {
        Template::Command => &["command"],
        Template::Clips => &["export", "extract-clips", "format-jsonl"],
        Template::Quickstart => &["export", "extract-clips", "preprocess", "format-jsonl", "train", "command"],
    };
    let kinds = wiring::kinds();
    match needed.iter().find(|kind| kinds.get(kind).is_none()) {
        None => Ok(()),
        Some(kind) => Err(Refusal::new(Exit::Wrong, format!("this build of pipe has no `{kind}`"))
            .help("use `--template command`, or a build with the features `video` and `trainer`")),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
    // Somebody else may have made it meanwhile.
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// What to do next, as commands to type.
fn next(template: Template, spec: &Path, printer: &Printer) -> String {
    let faint = |text: &str| printer.paint_err(Style::Faint, text);
    let spec = words::typed(&spec.display().to_string());
    let mut text = "\nnext:\n".to_owned();
    if !matches!(template, Template::Command) {
        let data = "put plays.db and videos/GAME/ANGLE.mp4 into data/, or say where they are: -P data=DIR";
        text += &format!("  {data}\n");
    }
    text += &format!("  pipe plan {spec}    {}\n", faint("(what would run, and why)"));
    text += &format!("  pipe run {spec}     {}", faint("(makes it; again: only what changed)"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_store_cannot_have_is_made_one_it_can() {
        let names = ["my games.toml", "über.toml", "-x.toml", "v1.0.yaml"].map(|file| name_of(Path::new(file)));
        assert_eq!(names, ["my-games", "ber", "x", "v1.0"]);
    }

    #[test]
    fn a_template_has_the_name_it_is_given_and_no_place_of_this_repository() {
        for template in [Template::Command, Template::Clips, Template::Quickstart] {
            for yaml in [false, true] {
                let text = text(template, yaml, "mine");
                assert!(text.contains(if yaml { "\nname: \"mine\"\n" } else { "\nname = \"mine\"\n" }), "{text}");
                assert!(!text.contains("../") && text.starts_with('#'), "{text}");
            }
        }
    }
}
