//! `pipe status --watch`: a run's journal, read again and again -> how the run stands, until it ends. Looks only: the
//! run waits for nobody who watches it.

use super::status;
use crate::exit::{Exit, Refusal};
use crate::life::Life;
use crate::printer::Printer;
use crate::runs;
use crate::words;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pipe_engine::event::RunEvent;
use pipe_engine::ids::RunId;
use pipe_engine::report::RunView;
use pipe_engine::state::{JournalError, Lock, StateFolder, read_only};
use pipe_engine::world::World;
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// Shows a run until it ends: on a terminal as `pipe status` does, again and again; into a pipe a line whenever something
/// changed; as JSON its events. How the run ended is how this ends.
pub(super) fn until_it_ends(run: &RunId, state: &StateFolder, spec: &str, printer: &Printer) -> Result<Exit, Refusal> {
    let mut watched = Watched::new(run, state);
    let text = |view: &RunView, life: &Life| status::text(view, life, state, spec, printer);
    let screen = printer.redraws().then(screen);
    let mut last = String::new();
    loop {
        let (life, events) = watched.look()?;
        for event in events.iter().filter(|_| printer.json) {
            let line = serde_json::to_string(event).expect("events have string keys and finite numbers");
            printer.data(&(line + "\n"))?;
        }
        let view = &watched.view;
        let goes_on = matches!(life, Life::Running(_));
        match &screen {
            Some(screen) if goes_on => screen.set_message(text(view, &life).trim_end().to_owned()),
            Some(screen) => screen.finish_and_clear(),
            None => {
                let tally = runs::tally(view, &life);
                if goes_on && !printer.json && tally != last {
                    let since = words::whole(World::real().now().since(view.started));
                    printer.data(&format!("{since}: {tally}\n"))?;
                    last = tally;
                }
            }
        }
        if !goes_on {
            if !printer.json {
                printer.data(&text(view, &life))?;
            }
            return Ok(life.exit());
        }
        std::thread::sleep(EVERY);
    }
}

/// Lines on the terminal that are drawn over and over.
fn screen() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}").expect("the template is ours");
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout()).with_style(style)
}

/// A run that is read as it goes on.
pub(super) struct Watched<'a> {
    run: &'a RunId,
    state: &'a StateFolder,
    /// The newest event that was read.
    seq: u64,
    /// What is known of the run.
    pub(super) view: RunView,
}

impl<'a> Watched<'a> {
    pub(super) fn new(run: &'a RunId, state: &'a StateFolder) -> Self {
        Self { run, state, seq: 0, view: RunView::default() }
    }

    /// Reads what is new, and tells whether the run goes on.
    pub(super) fn look(&mut self) -> Result<(Life, Vec<RunEvent>), JournalError> {
        let holder = Lock::holder(self.state.root());
        let events = read_only::read(&self.state.journal(), self.run, self.seq)?;
        events.iter().for_each(|event| self.view.take(event));
        self.seq = events.last().and_then(|event| event.seq).unwrap_or(self.seq);
        Ok((Life::of(&self.view, holder), events))
    }
}
