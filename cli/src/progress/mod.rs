//! The events of a run -> what a person sees while it runs: bars on a terminal, lines now and then in a pipe, and in
//! both every failure at once. `--json` passes the events on as they are.

mod bars;
mod board;
pub(crate) mod note;
mod stage;
mod talk;

use crate::printer::Printer;
use bars::Bars;
use board::Board;
use note::Note;
use pipe_engine::event::{Body, RunEvent};
use pipe_engine::plan::Plan;
use pipe_engine::state::StateFolder;
use pipe_engine::world::Timestamp;
use stage::Stage;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use talk::Talk;

/// In a pipe, a stage that goes on is mentioned this often.
const MENTION_EVERY: Duration = Duration::from_secs(10);

/// Hears a run and shows it.
pub(crate) struct Progress {
    view: Mutex<View>,
}

impl Progress {
    /// `beside`: how many tasks of each stage are not in the plan and have their results. `verbose` adds why each task runs and the lines it writes.
    pub(crate) fn new(
        plan: &Plan,
        beside: &HashMap<String, u64>,
        state: StateFolder,
        printer: &Printer,
        verbose: bool,
    ) -> Self {
        let view = View {
            board: Board::of(plan, beside),
            note: Note::in_folder(&state),
            bars: printer.live.then(|| Bars::new(printer)),
            talk: Talk::new(printer.clone(), state, verbose),
            printer: printer.clone(),
            waiting: Vec::new(),
        };
        Self { view: Mutex::new(view) }
    }

    /// Takes the next event of the run.
    pub(crate) fn hear(&self, event: &RunEvent) {
        self.view().hear(event);
    }

    /// Time went by.
    pub(crate) fn tick(&self, now: Timestamp) {
        self.view().tick(now);
    }

    fn view(&self) -> std::sync::MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event, as a line of JSON.
pub(crate) fn pass_on(event: &RunEvent, printer: &Printer) {
    let line = serde_json::to_string(event).expect("events have string keys and finite numbers");
    // A reader that has left does not end the run.
    let _ = printer.data(&(line + "\n"));
}

struct View {
    board: Board,
    note: Note,
    bars: Option<Bars>,
    talk: Talk,
    printer: Printer,
    /// Lines of stages that were there already. They are only worth saying once something else runs: a run with
    /// nothing to do says one line.
    waiting: Vec<String>,
}

impl View {
    fn hear(&mut self, event: &RunEvent) {
        self.note.hear(event);
        if self.printer.json {
            return pass_on(event, &self.printer);
        }
        let touched = self.board.take(event);
        self.tell_waiting();
        self.talk.hear(event);
        if matches!(event.body, Body::RunFinished { .. })
            && let Some(bars) = &mut self.bars
        {
            bars.clear();
        }
        if let Some(place) = touched {
            self.touched(place, event.time);
        }
    }

    fn touched(&mut self, place: usize, now: Timestamp) {
        let stage = &mut self.board.stages[place];
        if !stage.is_over() {
            return self.show(place, now);
        }
        if stage.told {
            return;
        }
        stage.told = true;
        let line = stage.last_line(self.board.name_width, &self.printer);
        if let Some(bars) = &mut self.bars {
            bars.remove(place);
        }
        self.waiting.push(line);
        self.tell_waiting();
    }

    fn tell_waiting(&mut self) {
        if self.board.has_run {
            self.waiting.drain(..).for_each(|line| self.printer.line(&line));
        }
    }

    fn tick(&mut self, now: Timestamp) {
        self.note.keep(now);
        if self.printer.json {
            return;
        }
        self.talk.tick(now);
        for place in 0..self.board.stages.len() {
            if self.board.stages[place].is_active() {
                self.show(place, now);
            }
        }
    }

    fn show(&mut self, place: usize, now: Timestamp) {
        let width = self.board.name_width;
        let stage: &mut Stage = &mut self.board.stages[place];
        let Some(began) = stage.began else { return };
        match &mut self.bars {
            Some(bars) => bars.show(place, stage, width, now),
            None if now.since(stage.mentioned.unwrap_or(began)) >= MENTION_EVERY => {
                stage.mentioned = Some(now);
                self.printer.line(&format!("{:width$}  {}", stage.name, stage.so_far(now)));
            }
            None => {}
        }
    }
}
