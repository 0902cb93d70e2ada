//! `pipe schedule run`: wires the loop that looks after a folder: how a spec is read, what program runs it, and where
//! what is said goes.

use crate::args::{Given, LookAfterArgs, SpecArgs};
use crate::exit::{Exit, Refusal};
use crate::printer::{Printer, Style};
use crate::wiring::{self, Checked};
use pipe_clock::daemon::{self, LOOK, Reading, Scheduled, Setup};
use pipe_clock::{Said, What};
use pipe_engine::state::LockError;
use pipe_engine::text::render;
use pipe_engine::world::World;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

pub(crate) fn run(args: &LookAfterArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let folder = &args.folder;
    if !folder.is_dir() {
        let refusal = Refusal::new(Exit::Wrong, format!("{} is no folder", folder.display()));
        return Err(match wiring::folder_of(folder) {
            parent if folder.is_file() => {
                let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                refusal.help(format!("name the folder the spec lies in: `pipe schedule run {}`", parent.display()))
            }
            _ => refusal.help("name a folder with specs in it"),
        });
    }
    let setup = setup(args, printer)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Refusal::new(Exit::Unavailable, format!("cannot start: {error}")).help("check the limits on open files")
    })?;
    runtime.block_on(async {
        let (stop, stopped) = unbounded_channel();
        tokio::spawn(listen(stop)?);
        daemon::run(setup, stopped).await.map_err(|error| refused(folder, &error))
    })?;
    Ok(Exit::Done)
}

fn refused(folder: &Path, error: &LockError) -> Refusal {
    let folder = folder.display();
    match error {
        LockError::Held { holder, .. } => {
            Refusal::new(Exit::Unavailable, format!("the schedules in {folder} are looked after already ({holder})"))
                .help("one is enough: it reads the specs again when they change")
        }
        LockError::Network { .. } | LockError::Io { .. } => Refusal::new(Exit::Unavailable, error.to_string())
            .help("check that the folder can be written, or use another one with `--state DIR`"),
    }
}

fn setup(args: &LookAfterArgs, printer: &Printer) -> Result<Setup, Refusal> {
    let program = std::env::current_exe()
        .map_err(|error| Refusal::new(Exit::Unavailable, format!("cannot find the file of this program: {error}")))?;
    let given = given(args);
    let (told, painted, reads) = (printer.clone(), printer.clone(), given.clone());
    let more: Vec<(&str, PathBuf)> = args
        .state
        .iter()
        .map(|state| ("--state", state.clone()))
        .chain(args.profile.iter().map(|p| ("--profile", p.into())))
        .collect();
    Ok(Setup {
        folder: args.folder.clone(),
        state: wiring::state_folder(&given, &args.folder).root().to_owned(),
        world: World::real(),
        read: Box::new(move |spec| read(spec, &reads, &painted)),
        program: Box::new(move |spec, slot| {
            let slot = pipe_clock::told(slot);
            let mut command = Command::new(&program);
            command.arg("run").arg(spec).args(["--wait", "--slot", &slot]).env("PIPE_SLOT", slot);
            command.args(more.iter().flat_map(|(name, value)| [Path::new(name).as_os_str(), value.as_os_str()]));
            command
        }),
        listener: Box::new(move |said| tell(said, &told)),
        look: LOOK,
    })
}

/// Only the text of specs counts here: a file that is not there yet is the run's affair.
fn given(args: &LookAfterArgs) -> Given {
    Given { offline: true, profile: args.profile.clone(), state: args.state.clone(), ..Given::default() }
}

fn read(spec: &Path, given: &Given, printer: &Printer) -> Reading {
    let args = SpecArgs { spec: spec.to_owned(), given: given.clone() };
    let Ok(checked) = wiring::check(&args) else { return Reading::Other };
    let state = wiring::state_folder(given, wiring::folder_of(spec)).root().to_owned();
    match &checked.plan {
        Some(plan) => plan.around.schedule.clone().map_or(Reading::Other, |schedule| {
            let sources = checked.sources.files().map(|file| PathBuf::from(&file.path)).filter(|path| path.is_file());
            Reading::Scheduled(Box::new(Scheduled { schedule, sources: sources.collect(), state }))
        }),
        None => Reading::Broken {
            problems: render(&checked.sources, &checked.problems, printer.colors_talk()),
            looks_scheduled: looks_scheduled(&checked),
        },
    }
}

/// Whether a file that is no sound spec is meant as one that runs by itself. Folders hold other TOML and YAML too.
fn looks_scheduled(checked: &Checked) -> bool {
    match &checked.spec {
        Some(spec) => spec.root.entries().iter().any(|(key, _)| key.value == "schedule"),
        None => ["schedule", "stages", "version"].iter().all(|word| checked.sources.main().text.contains(word)),
    }
}

fn tell(said: &Said, printer: &Printer) {
    if printer.json {
        let line = serde_json::to_string(said).expect("what is said has string keys");
        // Nobody who reads is no reason to stop running specs.
        let _ = printer.data(&(line + "\n"));
        return;
    }
    let style = match &said.what {
        What::Ended { exit: Some(0), .. } => Style::Good,
        What::Ended { .. } | What::NotStarted { .. } => Style::Error,
        What::Broken { .. } | What::Held { .. } | What::Trouble { .. } | What::SetBack { .. } => Style::Warning,
        _ => Style::Plain,
    };
    let time = printer.paint_err(Style::Faint, &said.time.to_local());
    printer.line(&format!("{time}  {}", printer.paint_err(style, &said.line())));
}

/// Passes the signals that ask for an end on, each of them.
///
/// # Errors
/// When the system does not let us listen.
fn listen(stop: UnboundedSender<()>) -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.send(()).is_err() {
                return;
            }
        }
    })
}
