//! The plan as a picture: Graphviz DOT, Mermaid, which code hosts draw by themselves, or SVG, which we draw.
//!
//! `Plan -> Scene` (what stands where) `-> SVG`. The layout beneath it knows boxes and lines, not stages.

mod layers;
mod place;
mod scene;
mod shapes;
mod svg;
mod text;

pub use svg::{Detail, svg};
pub use text::{dot, mermaid};

use super::Stage;

/// What a run would do with a task, which is told by colour and shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Its result is there.
    Hit,
    /// It would run.
    Run,
    /// What becomes of it depends on tasks that would run.
    Depends,
    /// It would not run.
    Skip,
    /// It cannot be looked up.
    Failed,
}

impl Look {
    /// All of them, in the order in which they are told.
    const ALL: [Self; 5] = [Self::Hit, Self::Run, Self::Depends, Self::Skip, Self::Failed];

    /// Its word, as `pipe plan` has it.
    fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Run => "run",
            Self::Depends => "depends",
            Self::Skip => "skip",
            Self::Failed => "failed",
        }
    }
}

/// How many tasks a stage has, in words.
fn tasks_of(stage: &Stage, count: usize) -> String {
    match count {
        _ if stage.waits_for.is_some() => "tasks by rows to come".to_owned(),
        1 => "1 task".to_owned(),
        count => format!("{count} tasks"),
    }
}
