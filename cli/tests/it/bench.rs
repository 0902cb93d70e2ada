//! A folder with a spec in it, and the binary run there.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Two tasks that each write a number and one that puts the numbers together.
pub(crate) const SUM: &str = r#"
version = 1
name = "sum"

[params]
numbers = [1, 2]
extra = 0

[stages.number]
kind = "command"
matrix.n = "{{ params.numbers }}"
argv = ["sh", "-c", "echo number {{ n }}; echo $(({{ n }} + {{ params.extra }})) > $PIPE_OUTPUT/number"]
outputs = ["number"]

[stages.sum]
kind = "command"
argv = ["sh", "-c", "cat $PIPE_INPUT_NUMBERS/*/number > $PIPE_OUTPUT/all"]
inputs = { numbers = { stage = "number" } }
outputs = ["all"]
"#;

/// The folder of one test.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

/// What the binary said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The events of `run --json`.
    pub(crate) fn events(&self) -> Vec<Json> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many events there are of a type.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.events().iter().filter(|event| event["type"] == kind).count()
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with this spec as `spec.toml`. `@` in it stands for the folder's path.
    pub(crate) fn with(spec: &str) -> Self {
        let bench = Self::new();
        bench.write("spec.toml", &spec.replace('@', &bench.path("").display().to_string()));
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap().trim().to_owned()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.prepared(Command::new(env!("CARGO_BIN_EXE_pipe")), arguments)
    }

    /// `pipe` with so small a stack that nothing may call itself for each task of a large plan.
    pub(crate) fn on_a_small_stack(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -s 1024 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_pipe")]);
        ended(self.prepared(command, arguments).output().unwrap())
    }

    fn prepared(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for variable in ["PIPE_STATE", "PIPE_ATTEMPT", "PIPE_LOG", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command
    }

    pub(crate) fn pipe(&self, arguments: &[&str]) -> Said {
        ended(self.command(arguments).output().unwrap())
    }

    /// What a command of this bench says.
    pub(crate) fn said(&self, command: &mut Command) -> Said {
        ended(command.output().unwrap())
    }

    /// `pipe run spec.toml --json`, which must end well.
    pub(crate) fn run(&self) -> Said {
        let said = self.pipe(&["run", "spec.toml", "--json"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        said
    }

    /// Starts the binary and comes back at once.
    pub(crate) fn start(&self, arguments: &[&str]) -> Started {
        let child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Started { child: Some(child) }
    }

    /// Waits for a file that a task writes.
    pub(crate) fn wait_for(&self, name: &str) {
        wait_until(name, || fs::metadata(self.path(name)).is_ok_and(|meta| meta.len() > 0));
    }

    /// Waits until a run of the spec has begun a task that writes this file. A task may begin before the disk has it that the
    /// run has.
    pub(crate) fn wait_for_run(&self, name: &str) {
        self.wait_for(name);
        wait_until("the run to be listed", || {
            self.pipe(&["runs", "spec.toml", "--json"]).stdout.contains("\"running\"")
        });
    }

    /// The file of the only result of a stage.
    pub(crate) fn result(&self, stage: &str, file: &str) -> String {
        let folders: Vec<PathBuf> =
            fs::read_dir(self.path("out/data/sum").join(stage)).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(folders.len(), 1, "{folders:?}");
        fs::read_to_string(folders[0].join(file)).unwrap()
    }
}

/// The binary while it runs. It is killed when the test forgets it.
pub(crate) struct Started {
    child: Option<Child>,
}

impl Started {
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.id().cast_signed()).unwrap(), signal).unwrap();
    }

    pub(crate) fn wait(mut self) -> Said {
        ended(self.child.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn ended(output: std::process::Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Looks again and again, for at most half a minute.
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1500 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("waited in vain for {what}");
}

/// Whether a process lives. One that has ended and whose parent has not yet asked for it does not.
pub(crate) fn lives(process: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(process).join("stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}
