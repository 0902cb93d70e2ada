//! What is typed after verbs that say what would run and why: `plan`, `graph`, `explain`, `diff`.

use super::{Asked, Given, SpecArgs};
use clap::{Args as Group, ValueEnum};
use std::num::NonZeroU32;
use std::path::PathBuf;

#[derive(Debug, Group)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// One line for each task
    #[arg(long)]
    pub(crate) tasks: bool,
    /// Show instead what it would cost: by stage, or with `--tasks` by task
    #[arg(long)]
    pub(crate) cost: bool,
    /// Show instead where every value of the spec comes from: file, line and what set it
    #[arg(long)]
    pub(crate) origins: bool,
    /// CPU slots the time is estimated for [default: those of this machine]
    #[arg(long, value_name = "N")]
    pub(crate) cpu: Option<NonZeroU32>,
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: PlanFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For terminals
    Text,
    /// For a comment on a pull request
    Markdown,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe graph specs/demo.toml -o graph.svg          what is up to date, what would run
  pipe graph specs/demo.toml -o graph.svg --tasks  each task by itself
  pipe graph specs/demo.toml --format mermaid      for a page in Markdown
  pipe graph specs/demo.toml | dot -Tpdf > graph.pdf")]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// How it is drawn [default: as the file's name says, else dot]
    #[arg(long, value_enum)]
    pub(crate) format: Option<GraphFormat>,
    /// Write a file: .svg, .dot or .mmd
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Draw each task; SVG only
    #[arg(long)]
    pub(crate) tasks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Graphviz
    Dot,
    /// For Markdown pages
    Mermaid,
    /// For browsers and pages
    Svg,
}

#[derive(Debug, Group)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// A stage, or a task such as `clips[game=g1]`; keys left out match all
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe explain-error P0203
  pipe explain-error              all codes")]
pub(crate) struct ExplainErrorArgs {
    /// The code, such as P0203 [default: list all]
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe diff specs/demo.toml                    the newest run and the one before
  pipe diff latest~3 latest specs/demo.toml
  pipe diff 20261121-2354 20261122-0107 specs/demo.toml
  pipe diff v1..v2 specs/demo.toml             what another revision makes of the spec
  pipe diff main.. specs/demo.toml             a revision and the files as they are

Ends with 0 whether or not anything differs.")]
pub(crate) struct DiffArgs {
    /// Two runs or two revisions, A B or A..B, and the spec [default: the two newest runs]
    #[arg(value_name = "A B SPEC", num_args = 1..)]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) given: Given,
}
