//! Stages that go on -> bars at the bottom of the terminal, one line each.

use super::stage::Stage;
use crate::printer::Printer;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use pipe_engine::world::Timestamp;
use std::collections::BTreeMap;

/// The bars of the stages that go on, by the stages' places in the plan.
pub(super) struct Bars {
    multi: MultiProgress,
    style: ProgressStyle,
    shown: BTreeMap<usize, ProgressBar>,
}

impl Bars {
    pub(super) fn new(printer: &Printer) -> Self {
        let template = if printer.colors_talk() {
            "{prefix:.bold}  {bar:20.green/dim}  {wide_msg}"
        } else {
            "{prefix}  {bar:20}  {wide_msg}"
        };
        let style = ProgressStyle::with_template(template).expect("the template is ours and well formed");
        Self { multi: printer.bars.clone(), style: style.progress_chars("━╸─"), shown: BTreeMap::new() }
    }

    pub(super) fn show(&mut self, place: usize, stage: &Stage, width: usize, now: Timestamp) {
        let message = stage.so_far(now);
        let bar = self.shown.entry(place).or_insert_with(|| {
            let bar = ProgressBar::new(1000).with_style(self.style.clone());
            // Whole before it is added, so that it is never drawn without its words.
            self.multi.add(bar.with_prefix(format!("{:width$}", stage.name)).with_message(message.clone()))
        });
        bar.set_position(stage.thousandths());
        bar.set_message(message);
    }

    pub(super) fn remove(&mut self, place: usize) {
        if let Some(bar) = self.shown.remove(&place) {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
    }

    pub(super) fn clear(&mut self) {
        for place in self.shown.keys().copied().collect::<Vec<_>>() {
            self.remove(place);
        }
    }
}
