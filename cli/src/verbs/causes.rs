//! The tasks of a run -> which of them were there already, and why the others ran: in short, and one by one.

use crate::printer::{Printer, Style};
use crate::standing::{lookup, why, word};
use crate::table::{self, Entry, left};
use crate::words;
use indexmap::IndexMap;
use pipe_engine::report::{RunView, TaskView};

/// Reasons that are told in short; there is a list of all tasks.
const MOST: usize = 12;
/// Longer reasons are cut in a table; `--json` has them whole.
const WIDEST: usize = 100;

/// Why tasks ran, those of one stage and with one reason in one line; nothing when none did.
pub(super) fn in_short(view: &RunView, printer: &Printer) -> String {
    let mut reasons: IndexMap<(&str, &str), Vec<&str>> = IndexMap::new();
    for (name, task) in &view.tasks {
        let stage = name.split('[').next().unwrap_or(name);
        if let Some(why) = &task.why {
            reasons.entry((stage, why)).or_default().push(name);
        }
    }
    if reasons.is_empty() {
        return String::new();
    }
    let row = |((stage, why), tasks): (&(&str, &str), &Vec<&str>)| {
        let who = match tasks.as_slice() {
            [one] => (*one).to_owned(),
            several => format!("{stage} ({})", words::count(several.len() as u64, "task")),
        };
        vec![left(Style::Plain, format!("  {who}")), left(Style::Faint, words::cut(why, WIDEST))]
    };
    let rows: Vec<Vec<Entry>> = reasons.iter().take(MOST).map(row).collect();
    let more = match reasons.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("  and {}: `--tasks` lists all tasks\n", words::count(more as u64, "other reason")),
    };
    format!("\n{}\n{}{more}", printer.paint_out(Style::Strong, "why tasks ran"), table::lines(printer, &rows))
}

/// Each task with how it stands, whether its result was there already, and why not.
pub(super) fn one_by_one(view: &RunView, printer: &Printer) -> String {
    let head = ["task", "stands", "lookup", "why"].map(|name| left(Style::Strong, name)).to_vec();
    let row = |(name, task): (&String, &TaskView)| {
        let style = if task.failure.is_some() { Style::Error } else { Style::Plain };
        vec![
            left(Style::Plain, name),
            left(style, word(task.standing)),
            left(Style::Plain, lookup(task)),
            left(Style::Faint, words::cut(&why(task), WIDEST)),
        ]
    };
    let rows: Vec<Vec<Entry>> = std::iter::once(head).chain(view.tasks.iter().map(row)).collect();
    format!("\n{}", table::lines(printer, &rows))
}
