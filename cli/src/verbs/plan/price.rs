//! What a plan costs, by stage or by task, and what was chosen for its price -> rows and lines.

use crate::cost::{Cost, Costs, told, traffic, word};
use crate::outlook::Outlook;
use crate::printer::Style;
use crate::table::{Entry, left, right};
use crate::words::{bytes, count, roughly};
use pipe_engine::plan::{Basis, Choice, Leaving, Offer, Plan};
use pipe_engine::units::Usd;
use serde_json::{Value as Json, json};

/// One row for each stage that would run.
pub(super) fn stage_rows(plan: &Plan, costs: &Costs) -> Vec<Vec<Entry>> {
    let mut rows = vec![header("stage", true)];
    let running = plan.stages.iter().enumerate().filter(|(place, _)| costs.stage(*place).tasks > 0);
    rows.extend(running.map(|(place, stage)| {
        let (sum, at) = (costs.stage(place), &plan.places[stage.backend]);
        let first = costs.running().find(|(task, _)| plan.task(*task).stage == place).map(|(_, cost)| cost);
        vec![
            left(Style::Plain, &stage.name),
            left(Style::Faint, &at.name),
            left(Style::Faint, at.machine(&stage.settings.need()).unwrap_or_default()),
            right(Style::Plain, sum.tasks.to_string()),
            right(Style::Plain, first.map_or_else(String::new, time)),
            left(Style::Faint, first.map_or_else(String::new, |cost| told(cost.basis))),
            right(Style::Plain, sum.told()),
            left(Style::Faint, sum.range()),
        ]
    }));
    rows
}

/// One row for each task that would run.
pub(super) fn task_rows(plan: &Plan, costs: &Costs) -> Vec<Vec<Entry>> {
    let mut rows = vec![header("task", false)];
    rows.extend(costs.running().map(|(task, cost)| {
        let stage = &plan.stages[plan.task(task).stage];
        let at = &plan.places[stage.backend];
        vec![
            left(Style::Plain, plan.task(task).id.to_string()),
            left(Style::Faint, &at.name),
            left(Style::Faint, at.machine(&stage.settings.need()).unwrap_or_default()),
            right(Style::Plain, time(cost)),
            left(Style::Faint, told(cost.basis)),
            right(Style::Plain, cost.told()),
            left(Style::Faint, cost.range()),
        ]
    }));
    rows
}

fn header(first: &str, counts: bool) -> Vec<Entry> {
    let mut header: Vec<Entry> = [first, "place", "machine"].map(|title| left(Style::Strong, title)).into();
    header.extend(counts.then(|| right(Style::Strong, "tasks")));
    header.extend([right(Style::Strong, "time each"), left(Style::Strong, "")]);
    header.extend([right(Style::Strong, "price"), left(Style::Strong, "")]);
    header
}

fn time(cost: &Cost) -> String {
    cost.time.map_or_else(|| "?".to_owned(), roughly)
}

/// What all of it costs, and what is not certain of that.
pub(super) fn totals(plan: &Plan, costs: &Costs) -> Vec<(&'static str, String)> {
    let all = &costs.all;
    let range = all.range();
    let range = if range.is_empty() { range } else { format!(", {range}") };
    let most = match all.most {
        Usd(0) => String::new(),
        most => format!("; {most} when every attempt runs into its timeout"),
    };
    let mut lines = vec![("price", format!("{}{range}{most}", all.told()))];
    lines.extend(costs.leaving().map(|leaving| ("reads", out_of_buckets(leaving))));
    if all.unknown > 0 {
        let tasks = count(all.unknown, "task");
        lines.push(("note ", format!("{tasks} without a known price or time: no price is not free")));
    }
    if all.guessed > 0 {
        let tasks = count(all.guessed, "task");
        let guess = "`expect` can say how long it takes, and so will a first run";
        lines.push(("note ", format!("the time of {tasks} is a guess: {guess}")));
    }
    let unseen: Vec<String> = plan.waiting().map(|(stage, _)| format!("`{}`", plan.stages[stage].name)).collect();
    if !unseen.is_empty() {
        lines.push(("note ", format!("without {}, whose tasks are not known yet", unseen.join(" and "))));
    }
    lines
}

/// What is read from buckets and paid for.
fn out_of_buckets(leaving: Leaving) -> String {
    let known = (leaving.bytes > 0)
        .then(|| format!("{} at most for {} out of buckets, not in the price", leaving.cost, bytes(leaving.bytes)));
    let unknown = (leaving.unknown > 0).then(|| without(leaving.unknown));
    [known, unknown].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn without(tasks: u64) -> String {
    format!("without what {} out of buckets, of which size or price is not known", reads(tasks))
}

fn reads(tasks: u64) -> String {
    format!("{} {}", count(tasks, "task"), if tasks == 1 { "reads" } else { "read" })
}

/// What the run's limit of cost leaves out.
pub(super) fn limit(plan: &Plan, outlook: &Outlook) -> Option<(&'static str, String)> {
    let (most, left) = (plan.around.max_cost?, outlook.left()?);
    Some(("limit", format!("its max_cost of {most} has no room for {}", count(left, "task"))))
}

/// Where stages run that leave it to the plan, and why.
pub(super) fn choices(plan: &Plan) -> impl Iterator<Item = (&'static str, String)> {
    plan.stages.iter().filter_map(|stage| {
        let choice = stage.choice.as_ref()?;
        let name = &plan.places[stage.backend].name;
        let offers = choice.offers.iter().map(|offer| match (&offer.why_not, offer.price) {
            (Some(why), _) => format!("{}: {why}", offer.place),
            (None, Some(Usd(0))) => format!("{}: free{}", offer.place, untold(offer)),
            (None, price) => format!("{}: {} a task{}", offer.place, price.unwrap_or_default(), untold(offer)),
        });
        let offers = offers.collect::<Vec<_>>().join("; ");
        let time = choice.time.filter(|_| matches!(choice.basis, Basis::Measured(_)));
        let time =
            time.map_or_else(String::new, |time| format!("; one task takes {}, {}", roughly(time), told(choice.basis)));
        Some(("place", format!("{} runs on {name}, {} ({offers}){time}", stage.name, choice.reason)))
    })
}

/// What an offer's price does not hold.
fn untold(offer: &Offer) -> String {
    match offer.leaving.unknown {
        0 => String::new(),
        tasks => format!(", without what {} out of buckets", reads(tasks)),
    }
}

/// The same for programs.
pub(super) fn choice_document(choice: &Choice) -> Json {
    let offers = choice.offers.iter().map(|offer| {
        json!({
            "place": offer.place,
            "price": offer.price.map(|price| price.0 as f64 / 1e6),
            "traffic": traffic(offer.leaving),
            "startup": offer.startup.as_secs_f64(),
            "done": offer.done.map(|done| done.as_secs_f64()),
            "why_not": offer.why_not,
        })
    });
    json!({
        "reason": choice.reason,
        "seconds": choice.time.map(|time| time.as_secs_f64()),
        "basis": word(choice.basis),
        "offers": offers.collect::<Vec<_>>(),
    })
}
