//! Proof under fire: `pipe run` is killed, cut off from power and disk, and set back in time; what must hold after it
//! is held against what lies on the disk. See docs/architecture.md, "Proof under fire".

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a table on stdout is what this program is for")]
#![allow(clippy::disallowed_methods, reason = "it measures a program from outside, with the machine's own clock")]

mod bench;
mod engine;
mod kills;
mod project;
mod scenes;
mod table;
mod watch;

use bench::Bench;
use clap::Parser;
use scenes::Ending;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Kills and cuts `pipe run` off in every way, and says what held
#[derive(Parser)]
struct Args {
    /// 60 tasks, 20 random kills and one at each point: for every change
    #[arg(long)]
    short: bool,
    /// The `pipe` that was built with the feature `failpoints`; beside this program unless told
    #[arg(long, value_name = "FILE")]
    pipe: Option<PathBuf>,
    /// Where random moments come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tasks of a project; a multiple of four
    #[arg(long)]
    tasks: Option<usize>,
    /// Kills at random moments
    #[arg(long)]
    random: Option<usize>,
    /// Kills at each fail point
    #[arg(long)]
    each: Option<usize>,
    /// Only this scene; `kills` is the table
    #[arg(long, value_name = "NAME")]
    scene: Option<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match all(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("torture: {why}");
            ExitCode::from(3)
        }
    }
}

/// Plays every scene. Returns whether everything held.
fn all(args: &Args) -> Result<bool, String> {
    let begun = Instant::now();
    let beside = std::env::current_exe().map_err(|e| e.to_string())?.with_file_name("pipe");
    let pipe = args.pipe.clone().unwrap_or(beside);
    let (tasks, random, each) = if args.short { (60, 20, 1) } else { (500, 200, 10) };
    let (tasks, random) = (args.tasks.unwrap_or(tasks), args.random.unwrap_or(random));
    let each = args.each.unwrap_or(each);
    if tasks < 16 || !tasks.is_multiple_of(4) {
        return Err(format!("--tasks {tasks}: at least 16, in fours"));
    }
    let bench = Bench::new(&pipe, tasks, args.seed, args.short)?;
    println!("seed {}, {tasks} tasks, {:.1} s undisturbed\n", args.seed, bench.took.as_secs_f64());
    let is_asked = |name: &str| args.scene.as_deref().is_none_or(|asked| asked == name);
    // Both sleep more than they work.
    let (table, scenes) = std::thread::scope(|threads| {
        let table = threads.spawn(|| is_asked("kills").then(|| kills::table(&bench, random, each)));
        let asked = scenes::ALL.iter().filter(|(name, _)| is_asked(name));
        let scenes: Vec<(&str, Ending)> = asked.map(|(name, play)| (*name, play(&bench))).collect();
        (table.join(), scenes)
    });
    let table = table.map_err(|_| "the table was not finished")?;
    if let Some(table) = &table {
        println!("{table}");
    }
    for (name, ended) in &scenes {
        println!("{name}: {ended}");
    }
    println!("\n{:.0} s", begun.elapsed().as_secs_f64());
    Ok(table.is_none_or(|table| table.holds()) && scenes.iter().all(|(_, ended)| ended.holds()))
}
