//! The command `make-testdata`: reads a few options, makes the sample data, says what it made.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, io};

use pipe_testdata::{Recipe, Summary, generate};
use pipe_video::contact_sheet;

const HELP: &str = "\
Makes sample games: videos/<game>/<ANGLE>.mp4 and plays.db. Says nothing when they are there already.

Usage: make-testdata [--out DIR] [--games N] [--seed N] [--sheet FILE]

  --out DIR     where to make them [default: testdata]
  --games N     how many games [default: 8]
  --seed N      another seed gives other games [default: 2026]
  --sheet FILE  also write a PNG with the middle frame of each video
  --help        this text
";

struct Options {
    out: PathBuf,
    recipe: Recipe,
    sheet: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(options) = (match read_options(env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => return say(&format!("error: {problem}\n\n{HELP}"), 2),
    }) else {
        return say(HELP, 0);
    };
    match run(&options) {
        Ok(summary) if summary.already_there => ExitCode::SUCCESS,
        Ok(summary) => {
            let (videos, plays, mib) = (summary.videos, summary.plays, summary.bytes as f64 / f64::from(1 << 20));
            say(&format!("made {videos} videos and {plays} plays, {mib:.1} MiB, in {}\n", options.out.display()), 0)
        }
        Err(problem) => say(&format!("error: {problem}\n"), 1),
    }
}

fn run(options: &Options) -> Result<Summary, Box<dyn std::error::Error>> {
    let summary = generate(&options.out, &options.recipe)?;
    if let Some(sheet) = &options.sheet {
        let angles = &options.recipe.angles;
        let video = |game: u32, angle: &str| options.out.join(format!("videos/g{game}/{angle}.mp4"));
        let games = 1..=options.recipe.games;
        let paths: Vec<_> = games.flat_map(|game| angles.iter().map(move |a| video(game, a.name()))).collect();
        std::fs::write(sheet, contact_sheet(&paths, angles.len(), options.recipe.width)?)?;
    }
    Ok(summary)
}

/// The options, or `None` when help was asked for.
fn read_options(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options { out: "testdata".into(), recipe: Recipe::default(), sheet: None };
    while let Some(name) = args.next() {
        if name == "--help" || name == "-h" {
            return Ok(None);
        }
        let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--out" => options.out = value()?.into(),
            "--games" => options.recipe.games = number(&name, &value()?)?,
            "--seed" => options.recipe.seed = number(&name, &value()?)?,
            "--sheet" => options.sheet = Some(value()?.into()),
            _ => return Err(format!("`{name}` is no option")),
        }
    }
    Ok(Some(options))
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} needs a whole number, not `{text}`"))
}

/// Says something to the person who called; when nobody listens there is nothing left to do about it.
fn say(text: &str, code: u8) -> ExitCode {
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::from(code)
}
