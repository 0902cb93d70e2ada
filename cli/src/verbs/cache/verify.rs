//! `pipe cache verify`: whether the files of all results are what was filed. What is not is put in quarantine.

use super::{project, store};
use crate::args::VerifyArgs;
use crate::exit::{Exit, Refusal};
use crate::printer::{Printer, Style};
use crate::rooms::share;
use crate::words;
use indicatif::{ProgressBar, ProgressStyle};
use pipe_engine::gc::verify::{Trouble, Verified, put_aside, verify};
use pipe_engine::store::Folder;
use serde_json::{Value as Json, json};

/// More files of one result than this are counted, not shown.
const SHOWN: usize = 5;

pub(crate) fn run(args: &VerifyArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let project = project(&args.spec, printer)?;
    if !project.plan.store.exists() {
        printer.line(&format!("there is nothing to look at: {} is not there yet", project.plan.store.display()));
        return Ok(Exit::Done);
    }
    let (verified, aside) = if args.dry_run {
        (look(&store(&project), args.deep, printer)?, 0)
    } else {
        let store = Folder::open(&project.plan.store)?;
        let _hold = share(&store, printer)?;
        let verified = look(&store, args.deep, printer)?;
        let aside = put_aside(&store, &verified)?;
        (verified, aside)
    };
    if printer.json {
        printer.document(&document(&verified, aside))?;
    } else {
        printer.data(&text(&verified, aside, args, printer))?;
    }
    let is_well = verified.wrong.is_empty() && verified.damaged.is_empty();
    Ok(if is_well { Exit::Done } else { Exit::TaskFailed })
}

/// With a bar where somebody watches: to read terabytes takes hours.
fn look(store: &Folder, deep: bool, printer: &Printer) -> Result<Verified, Refusal> {
    let bar = if deep && printer.live { printer.bars.add(ProgressBar::new(0)) } else { ProgressBar::hidden() };
    let template = "{bar:20}  {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is ours and well formed"));
    let verified = verify(store, deep, &|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    Ok(verified?)
}

fn text(verified: &Verified, aside: usize, args: &VerifyArgs, printer: &Printer) -> String {
    let mut text = String::new();
    for wrong in &verified.wrong {
        let name = format!("{} {}", wrong.entry.task, wrong.entry.fingerprint.short(12));
        text.push_str(&format!("{}\n", printer.paint_out(Style::Strong, &name)));
        for (file, trouble) in wrong.files.iter().take(SHOWN) {
            let told = printer.paint_out(Style::Error, &told(trouble, file.size));
            text.push_str(&format!("  {}: {told}\n", file.at));
        }
        if wrong.files.len() > SHOWN {
            text.push_str(&format!("  and {} more\n", wrong.files.len() - SHOWN));
        }
    }
    for fingerprint in &verified.damaged {
        text.push_str(&format!("the manifest {} cannot be read\n", fingerprint.short(12)));
    }
    let (results, files) = (verified.results as u64, verified.files as u64);
    let seen = format!("{}, {}", words::count(results, "result"), words::count(files, "file"));
    let read = if args.deep { format!(", {} read", words::bytes(verified.bytes)) } else { String::new() };
    let wrong = verified.wrong.len() + verified.damaged.len();
    let end = match wrong {
        0 => "all is well".to_owned(),
        _ if args.dry_run => format!("{wrong} wrong"),
        _ => format!("{wrong} wrong, {aside} put in quarantine: the next run makes them again"),
    };
    text + &format!("{seen}{read}: {end}\n")
}

fn told(trouble: &Trouble, size: u64) -> String {
    match trouble {
        Trouble::Missing => "is missing".to_owned(),
        Trouble::Size(now) => format!("has {now} bytes, and {size} were filed"),
        Trouble::Bytes => "has other bytes than were filed".to_owned(),
        Trouble::Unreadable(why) => format!("cannot be read: {why}"),
    }
}

fn document(verified: &Verified, aside: usize) -> Json {
    let wrong = verified.wrong.iter().map(|wrong| {
        let files = wrong.files.iter().map(|(file, trouble)| json!({ "at": file.at, "trouble": trouble }));
        json!({
            "task": wrong.entry.task.to_string(), "of": wrong.entry.of, "fingerprint": wrong.entry.fingerprint,
            "files": files.collect::<Vec<_>>(),
        })
    });
    json!({
        "results": verified.results, "files": verified.files, "bytes": verified.bytes,
        "wrong": wrong.collect::<Vec<_>>(), "damaged": verified.damaged, "quarantined": aside,
    })
}
