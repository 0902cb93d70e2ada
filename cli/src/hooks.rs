//! What a spec wants done after a run: one command, in the spec's folder, that is told how the run went. However it ends,
//! the run has ended as it has.

use crate::args::RunArgs;
use crate::printer::Printer;
use pipe_engine::run::Finished;
use pipe_engine::spec::{Hook, Hooks};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long a hook may take that does not say it.
const USUAL: Duration = Duration::from_secs(60);

/// Runs the hook that belongs to the end of a run, if the spec has one. What it writes goes to stderr: stdout is data.
pub(crate) fn after(hooks: &Hooks, finished: &Finished, args: &RunArgs, printer: &Printer) {
    let spec: &Path = &args.spec.spec;
    let (name, status) = match finished {
        Finished { limit: Some(_), .. } => ("failure", "stopped"),
        Finished { interrupted: true, .. } => ("failure", "interrupted"),
        Finished { counts, .. } if counts.failed > 0 => ("failure", "failed"),
        _ => ("success", "succeeded"),
    };
    let Some(hook) = (if name == "success" { &hooks.success } else { &hooks.failure }) else { return };
    let told = [
        ("PIPE_RUN", finished.run.to_string()),
        ("PIPE_STATUS", status.to_owned()),
        ("PIPE_FAILED", finished.counts.failed.to_string()),
        ("PIPE_SPEC", spec.canonicalize().unwrap_or_else(|_| spec.to_owned()).display().to_string()),
    ];
    let ended = command(hook, spec).and_then(|mut command| {
        command.envs(told).envs(args.slot.map(|slot| ("PIPE_SLOT", pipe_clock::told(slot))));
        run(command, hook.timeout.map_or(USUAL, Duration::from))
    });
    if let Err(why) = ended {
        printer.line(&format!("warning: the hook `{name}` {why}"));
    }
}

fn command(hook: &Hook, spec: &Path) -> Result<Command, String> {
    let shell = hook.shell.as_ref().map(|lines| vec!["sh".to_owned(), "-ec".to_owned(), lines.clone()]);
    let argv = hook.argv.clone().or(shell).unwrap_or_default();
    let (program, arguments) = argv.split_first().ok_or("has no command")?;
    let folder =
        crate::wiring::folder_of(spec).join(".").canonicalize().map_err(|error| format!("cannot start: {error}"))?;
    // A path such as `tools/tell.sh` means the file beside the spec.
    let beside = folder.join(program);
    let mut command = if program.contains('/') { Command::new(beside) } else { Command::new(program) };
    let out = std::io::stderr().as_fd().try_clone_to_owned().map_err(|error| format!("cannot start: {error}"))?;
    command.args(arguments).current_dir(folder).envs(&hook.env).stdin(Stdio::null()).stdout(out);
    Ok(command)
}

/// Waits for the command, for its longest time at most; in words, what went wrong.
fn run(mut command: Command, longest: Duration) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        // In a group of its own, so that whatever it starts ends with it.
        let mut child = command.process_group(0).spawn().map_err(|error| format!("cannot start: {error}"))?;
        tokio::select! {
            status = child.wait() => judged(status),
            () = tokio::time::sleep(longest) => {
                end(&mut child).await;
                Err(format!("was ended after {} s; `timeout` gives it more time", longest.as_secs()))
            }
            _ = tokio::signal::ctrl_c() => {
                end(&mut child).await;
                Err("was interrupted".to_owned())
            }
        }
    })
}

fn judged(status: std::io::Result<ExitStatus>) -> Result<(), String> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => match status.code() {
            Some(code) => Err(format!("ended with exit code {code}")),
            None => Err("was killed".to_owned()),
        },
        Err(error) => Err(format!("cannot be waited for: {error}")),
    }
}

async fn end(child: &mut Child) {
    if let Some(group) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait().await;
}
