//! `pipe schedule next`: a spec -> the next times it falls due, on its own clock and in UTC.

use crate::args::NextArgs;
use crate::exit::{Exit, Refusal};
use crate::printer::{Printer, Style};
use crate::table::{self, left};
use crate::wiring;
use crate::words;
use pipe_clock::{Slots, told, zoned};
use pipe_engine::spec::Schedule;
use pipe_engine::world::{Timestamp, World};
use serde_json::json;

pub(crate) fn run(args: &NextArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let checked = wiring::check(&args.spec)?.sound(printer)?;
    let plan = checked.plan.expect("a sound spec has a plan");
    let spec = args.spec.spec.display();
    let Some(schedule) = plan.around.schedule.clone() else {
        return Err(Refusal::new(Exit::Wrong, format!("{spec} has no schedule"))
            .help("write `schedule = { cron = \"0 3 * * *\", time_zone = \"Europe/Berlin\" }` above its first table"));
    };
    let slots = Slots::of(&schedule).map_err(|error| Refusal::new(Exit::Wrong, error.to_string()))?;
    let now = World::real().now();
    let next: Vec<Timestamp> = slots.iter_after(args.from.unwrap_or(now)).take(args.number.get() as usize).collect();
    if printer.json {
        printer.document(&document(&schedule, &slots, &next))?;
        return Ok(Exit::Done);
    }
    if next.is_empty() {
        return Err(Refusal::new(Exit::Wrong, format!("{spec} never falls due: no day is `{}`", schedule.cron))
            .help("day of the month and month stand third and fourth in `cron`"));
    }
    printer.data(&lines(&schedule, &slots, &next, now, printer))?;
    Ok(Exit::Done)
}

fn document(schedule: &Schedule, slots: &Slots, next: &[Timestamp]) -> serde_json::Value {
    let slot = |slot: &Timestamp| {
        let local = zoned(*slot, slots.zone());
        json!({ "utc": told(*slot), "local": local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string() })
    };
    json!({
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "slots": next.iter().map(slot).collect::<Vec<_>>(),
    })
}

fn lines(schedule: &Schedule, slots: &Slots, next: &[Timestamp], now: Timestamp, printer: &Printer) -> String {
    let mut rows = vec![["", schedule.time_zone.as_str(), "UTC"].map(|title| left(Style::Strong, title)).to_vec()];
    rows[0].remove(0);
    rows[0].push(left(Style::Strong, ""));
    rows.extend(next.iter().map(|slot| {
        let local = zoned(*slot, slots.zone()).strftime("%a %Y-%m-%d %H:%M %:z").to_string();
        let utc = told(*slot).replace('T', " ").replace(":00Z", "");
        let until = format!("in {}", words::roughly(slot.since(now)));
        vec![left(Style::Plain, local), left(Style::Faint, utc), left(Style::Faint, until)]
    }));
    table::lines(printer, &rows)
}
