//! `pipe explain-error`: a code -> the page about it; without a code, the list of all.

use crate::args::ExplainErrorArgs;
use crate::exit::{Exit, Refusal};
use crate::printer::{Printer, Style};
use crate::table::{self, left};
use pipe_engine::text::{CATALOGUE, Entry, closest, page_of};
use serde_json::{Value as Json, json};

pub(crate) fn run(args: &ExplainErrorArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let Some(code) = &args.code else { return list(printer) };
    let entry = page_of(code).ok_or_else(|| unknown(code))?;
    if printer.json {
        let mut document = summary(entry);
        document["page"] = entry.page.into();
        printer.document(&document)?;
    } else {
        printer.data(&styled(entry.page, printer))?;
    }
    Ok(Exit::Done)
}

fn list(printer: &Printer) -> Result<Exit, Refusal> {
    if printer.json {
        printer.document(&CATALOGUE.iter().map(summary).collect::<Vec<Json>>())?;
    } else {
        let row = |entry: &Entry| vec![left(Style::Strong, entry.code), left(Style::Plain, entry.title())];
        let rows: Vec<_> = CATALOGUE.iter().map(row).collect();
        printer.data(&table::lines(printer, &rows))?;
    }
    Ok(Exit::Done)
}

fn summary(entry: &Entry) -> Json {
    json!({ "code": entry.code, "title": entry.title() })
}

fn unknown(code: &str) -> Refusal {
    let refusal = Refusal::new(Exit::Wrong, format!("no problem has the code `{code}`"));
    match closest(code, CATALOGUE.iter().map(|entry| entry.code)) {
        Some(near) => refusal.help(format!("did you mean `{near}`? `pipe explain-error` lists all codes")),
        None => refusal.help("`pipe explain-error` lists all codes"),
    }
}

/// Markdown as it is, its headings strong and its examples without their fences.
fn styled(page: &str, printer: &Printer) -> String {
    let mut in_example = false;
    let shown = page.lines().filter_map(|line| {
        if line.starts_with("```") {
            in_example = !in_example;
            return None;
        }
        let heading = line.trim_start_matches('#').trim_start();
        Some(match (in_example, heading.len() < line.len()) {
            (true, _) if line.is_empty() => String::new(),
            (true, _) => format!("    {line}"),
            (false, true) => printer.paint_out(Style::Strong, heading),
            (false, false) => line.to_owned(),
        })
    });
    shown.map(|line| line + "\n").collect()
}
