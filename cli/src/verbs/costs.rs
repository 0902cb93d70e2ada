//! `pipe costs`: what the attempts of all runs of a state folder cost that ran elsewhere -> sums, by stage, by month or by a key
//! of their cells. Looks only; a spec that is wrong by now does no harm.

use crate::args::{CostsArgs, Given};
use crate::bills::{Sum, is_at_most, is_unpriced, sum};
use crate::exit::{Exit, Refusal};
use crate::printer::{Printer, Style};
use crate::table::{self, Entry, left, right};
use crate::wiring;
use crate::words::{count, duration};
use pipe_engine::ids::TaskId;
use pipe_engine::state::Bill;
use pipe_engine::text::one_of;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// How many attempts are named that are not in a sum; `--json` has them all.
const NAMED: usize = 10;
/// The group of tasks that have no such key.
const WITHOUT: &str = "(none)";

pub(crate) fn run(args: &CostsArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let given = Given { state: args.state.clone(), ..Given::default() };
    let state = wiring::state_folder(&given, wiring::folder_of(&args.spec));
    let bills = Bill::all(&state.journal())?;
    let groups = groups(&bills, &args.by)?;
    let all = sum(bills.iter());
    if printer.json {
        printer.document(&document(&bills, &args.by, &groups, all))?;
        return Ok(Exit::Done);
    }
    if bills.is_empty() {
        printer.line("nothing was paid for: no attempt of these runs ran elsewhere");
        return Ok(Exit::Done);
    }
    let mut rows = vec![header(&args.by)];
    rows.extend(groups.iter().map(|(name, sum)| row(Style::Plain, name, *sum)));
    rows.push(row(Style::Strong, "all", all));
    let note = |note: String| format!("  {}  {note}\n", printer.paint_out(Style::Faint, "note"));
    let notes: String = notes(&bills).into_iter().map(note).collect();
    printer.data(&format!("{}{notes}", table::lines(printer, &rows)))?;
    Ok(Exit::Done)
}

/// # Errors
/// When no task has that key.
fn groups(bills: &[Bill], by: &str) -> Result<BTreeMap<String, Sum>, Refusal> {
    let keys: BTreeSet<String> =
        bills.iter().flat_map(|bill| TaskId::cell_of(&bill.task)).map(|(key, _)| key).collect();
    if !["stage", "month"].contains(&by) && !keys.contains(by) && !bills.is_empty() {
        let known = ["stage", "month"].into_iter().chain(keys.iter().map(String::as_str));
        let message = format!("no task that ran elsewhere has the key `{by}`");
        return Err(Refusal::new(Exit::Wrong, message).help(format!("add up by {}", one_of(known))));
    }
    let mut groups: BTreeMap<String, Sum> = BTreeMap::new();
    for bill in bills {
        groups.entry(group(bill, by)).or_default().add(bill);
    }
    Ok(groups)
}

fn group(bill: &Bill, by: &str) -> String {
    match by {
        "stage" => bill.task.split('[').next().unwrap_or(&bill.task).to_owned(),
        "month" => bill.submitted.to_month(),
        key => {
            let value = TaskId::cell_of(&bill.task).into_iter().find(|(known, _)| known == key);
            value.map_or_else(|| WITHOUT.to_owned(), |(_, value)| value)
        }
    }
}

fn header(by: &str) -> Vec<Entry> {
    let number = |title: &str| right(Style::Strong, title);
    vec![left(Style::Strong, by), number("attempts"), number("time"), number("price")]
}

fn row(style: Style, name: &str, sum: Sum) -> Vec<Entry> {
    let numbers = [sum.attempts.to_string(), duration(sum.time), sum.told()];
    std::iter::once(left(style, name)).chain(numbers.map(|number| right(style, number))).collect()
}

/// What is not in the sums, and what is in them that nobody had asked for.
fn notes(bills: &[Bill]) -> Vec<String> {
    let named = |why: &str, is_meant: fn(&Bill) -> bool| {
        let meant: Vec<&Bill> = bills.iter().filter(|bill| is_meant(bill)).collect();
        let names =
            meant.iter().take(NAMED).map(|bill| format!("{} on {} ({})", bill.task, bill.backend, bill.attempt));
        let names = names.collect::<Vec<_>>().join(", ");
        let more = meant.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!meant.is_empty()).then(|| format!("{} {why}: {names}{more}", count(meant.len() as u64, "attempt")))
    };
    let unpriced = named("without a known price, which is not free", is_unpriced);
    let open = named("that may run still, for all that is known", Bill::is_open);
    let doubled =
        named("that had a second job, since an answer was lost; it is in the sum", |bill| bill.doubles.jobs > 0);
    let at_most = named("that a service has counted by itself: the sum has the most that it may be", is_at_most);
    [unpriced, open, at_most, doubled].into_iter().flatten().collect()
}

fn document(bills: &[Bill], by: &str, groups: &BTreeMap<String, Sum>, all: Sum) -> Json {
    let named = |is_meant: fn(&Bill) -> bool| {
        let meant = bills.iter().filter(|bill| is_meant(bill));
        let told = meant.map(
            |bill| json!({ "attempt": bill.attempt, "task": bill.task, "run": bill.run, "backend": bill.backend }),
        );
        told.collect::<Vec<_>>()
    };
    let groups = groups.iter().map(|(name, sum)| {
        let mut told = sum.document();
        told["name"] = name.as_str().into();
        told
    });
    json!({
        "currency": "USD", "by": by, "groups": groups.collect::<Vec<_>>(), "all": all.document(),
        "unpriced": named(is_unpriced), "open": named(Bill::is_open), "at_most": named(is_at_most),
    })
}
