//! A spec -> every value in it, with the file and line that gave it.

use crate::printer::{Printer, Style};
use crate::table::{self, Entry, left};
use crate::wiring::Checked;
use pipe_engine::plan::Resolved;
use pipe_engine::spec::node::{Node, Value};
use pipe_engine::text::Sources;
use serde_json::{Value as Json, json};

/// Longer values are cut on a terminal; `--json` has them whole.
const LONGEST: usize = 60;

/// One value and where it comes from.
struct Origin {
    /// Its path, such as `stages.clips.crf`.
    path: String,
    value: String,
    /// `specs/base.toml:3:7`.
    place: String,
    /// For a parameter: what set it.
    from: Option<String>,
}

/// One line for each value, in the order of the spec.
pub(crate) fn lines(checked: &Checked, printer: &Printer) -> String {
    let row = |origin: &Origin| -> Vec<Entry> {
        let from = origin.from.as_ref().map_or_else(String::new, |from| format!("({from})"));
        vec![
            left(Style::Plain, origin.path.clone()),
            left(Style::Strong, cut(&origin.value)),
            left(Style::Faint, origin.place.clone()),
            left(Style::Faint, from),
        ]
    };
    let rows: Vec<Vec<Entry>> = of(checked).iter().map(row).collect();
    table::lines(printer, &rows)
}

/// The same for programs.
pub(crate) fn document(checked: &Checked) -> Json {
    let origins = of(checked).into_iter().map(|o| {
        let (file, line) = o
            .place
            .rsplit_once(':')
            .map_or((o.place.as_str(), ""), |(rest, _)| rest.rsplit_once(':').unwrap_or((rest, "")));
        json!({ "path": o.path, "value": o.value, "file": file, "line": line.parse::<u64>().ok(), "from": o.from })
    });
    origins.collect()
}

fn of(checked: &Checked) -> Vec<Origin> {
    let Some(spec) = &checked.spec else { return Vec::new() };
    let mut origins = Vec::new();
    for (key, node) in spec.root.entries() {
        match key.value.as_str() {
            "params" => {
                let resolved = checked.plan.iter().flat_map(|plan| &plan.origins);
                origins.extend(resolved.map(|param| parameter(param, &checked.sources)));
            }
            // What of them counts stands at its place already.
            "profiles" | "extends" => {}
            name => walk(name.to_owned(), node, &checked.sources, &mut origins),
        }
    }
    origins
}

fn parameter(param: &Resolved, sources: &Sources) -> Origin {
    Origin {
        path: format!("params.{}", param.name),
        value: param.value.to_string(),
        place: sources.place(&param.span).to_string(),
        from: Some(param.from.clone()),
    }
}

/// Tables are opened; a list is one value, since it is replaced as one.
fn walk(path: String, node: &Node, sources: &Sources, origins: &mut Vec<Origin>) {
    if let Value::Table(entries) = &node.value {
        for (key, inner) in entries {
            walk(format!("{path}.{}", key.value), inner, sources, origins);
        }
        return;
    }
    let place = sources.place(&node.span).to_string();
    origins.push(Origin { path, value: node.to_json().to_string(), place, from: None });
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
