//! A folder of specs -> runs at their slots, until somebody says stop. The one loop that owns [`Turns`](crate::Turns); it
//! asks the clock, makes each decision durable and then carries it out.

mod folder;
mod runs;
mod watch;

use crate::ledger::Ledger;
use crate::said::{Said, What};
use folder::Folder;
use jiff::tz::TimeZone;
use pipe_engine::spec::Schedule;
use pipe_engine::state::LockError;
use pipe_engine::world::{Timestamp, World};
use runs::Runs;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use watch::Watch;

/// How often the clock and the folder are looked at when nothing falls due: a clock that was set, a machine that slept and
/// a spec that was changed are noticed within this time.
pub const LOOK: Duration = Duration::from_secs(5);

/// A file of the folder, read.
pub enum Reading {
    /// Not a spec, or one without a schedule.
    Other,
    /// It cannot be read.
    Broken {
        /// What is wrong, for people.
        problems: String,
        /// Whether it looks like a spec with a schedule; other files with these names are none of our business.
        looks_scheduled: bool,
    },
    /// A spec with a schedule.
    Scheduled(Box<Scheduled>),
}

/// A spec that runs by itself.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// When.
    pub schedule: Schedule,
    /// The files it is made of; when one changes it is read again.
    pub sources: Vec<PathBuf>,
    /// Its state folder.
    pub state: PathBuf,
}

/// A spec and a slot -> the program that runs the one for the other.
pub type Program = dyn Fn(&Path, Timestamp) -> Command;

/// What the loop needs, wired by whoever starts it.
pub struct Setup {
    /// The folder whose specs are looked after, and those of the folders in it.
    pub folder: PathBuf,
    /// The state folder of the folder itself: who holds it is the one who looks after it.
    pub state: PathBuf,
    /// The clock.
    pub world: World,
    /// Reads a file.
    pub read: Box<dyn Fn(&Path) -> Reading>,
    /// The program that runs a spec for a slot.
    pub program: Box<Program>,
    /// Hears what happens.
    pub listener: Box<dyn Fn(&Said)>,
    /// How often to look: [`LOOK`].
    pub look: Duration,
}

impl Setup {
    /// A spec as it is told: by its place in the folder.
    fn name_of(&self, spec: &Path) -> String {
        spec.strip_prefix(&self.folder).unwrap_or(spec).display().to_string()
    }
}

/// Looks after a folder until `stop` says so: the first word asks the runs to end and waits for them, each one after it
/// asks again.
///
/// # Errors
/// When another process looks after the folder, or its state folder cannot be written.
pub async fn run(setup: Setup, mut stop: UnboundedReceiver<()>) -> Result<(), LockError> {
    let mut daemon = Daemon::begin(setup)?;
    loop {
        daemon.look();
        let rest = daemon.rest();
        tokio::select! {
            _ = stop.recv() => break,
            ended = daemon.runs.next() => daemon.ended(ended),
            () = tokio::time::sleep(rest) => {}
        }
    }
    daemon.end(stop).await;
    Ok(())
}

/// A folder that is there, by the one name of it without links and dots.
fn written_once(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

struct Daemon {
    setup: Setup,
    folder: Folder,
    ledgers: BTreeMap<PathBuf, Ledger>,
    watches: BTreeMap<PathBuf, Watch>,
    runs: Runs,
}

impl Daemon {
    fn begin(setup: Setup) -> Result<Self, LockError> {
        let ledger = Ledger::take(&setup.state)?;
        let ledgers = BTreeMap::from([(written_once(&setup.state), ledger)]);
        let folder = Folder::new(setup.folder.clone());
        let mut daemon = Self { setup, folder, ledgers, watches: BTreeMap::new(), runs: Runs::default() };
        daemon.read_folder();
        if daemon.watches.is_empty() {
            daemon.say(What::Nothing);
        }
        Ok(daemon)
    }

    /// Reads what has changed, and wakes what falls due.
    fn look(&mut self) {
        self.read_folder();
        let now = self.setup.world.now();
        for watch in self.watches.values_mut() {
            watch.look(&self.setup, &mut self.runs, now);
        }
    }

    fn read_folder(&mut self) {
        let found = self.folder.look(&self.setup.read);
        for (spec, problems) in found.broken {
            let was_watched = self.watches.contains_key(&spec);
            self.say_of(&spec, What::Broken { problems, was_watched });
        }
        for spec in found.gone {
            if let Some(watch) = self.watches.get_mut(&spec) {
                watch.leave(&self.setup);
            }
        }
        self.watches.retain(|_, watch| !watch.is_over());
        for (spec, scheduled) in found.scheduled {
            self.take(spec, scheduled);
        }
    }

    /// Looks after a spec from now on, or after its changed schedule.
    fn take(&mut self, spec: PathBuf, scheduled: Scheduled) {
        if let Some(watch) = self.watches.get_mut(&spec).filter(|watch| watch.state == written_once(&scheduled.state)) {
            return watch.change(&self.setup, scheduled.schedule);
        }
        if let Err(error) = self.hold(&scheduled.state) {
            return self.refused(&spec, error);
        }
        match Watch::open(&self.setup, &mut self.runs, spec.clone(), scheduled) {
            Ok(watch) => drop(self.watches.insert(spec, watch)),
            Err(message) => self.trouble(&spec, message),
        }
    }

    fn hold(&mut self, state: &Path) -> Result<(), LockError> {
        if self.ledgers.contains_key(&written_once(state)) {
            return Ok(());
        }
        let ledger = Ledger::take(state)?;
        self.ledgers.insert(written_once(state), ledger);
        Ok(())
    }

    /// Tried again at every look, and told once.
    fn refused(&mut self, spec: &Path, error: LockError) {
        if self.folder.try_again(spec) {
            self.say_of(
                spec,
                match error {
                    LockError::Held { holder, .. } => What::Held { holder: holder.to_string() },
                    error @ (LockError::Network { .. } | LockError::Io { .. }) => {
                        What::Trouble { message: error.to_string() }
                    }
                },
            );
        }
    }

    fn trouble(&mut self, spec: &Path, message: String) {
        if self.folder.try_again(spec) {
            self.say_of(spec, What::Trouble { message });
        }
    }

    /// How long nothing falls due.
    fn rest(&self) -> Duration {
        let now = self.setup.world.now();
        let next = self.watches.values().filter_map(Watch::next).min();
        next.map_or(self.setup.look, |next| next.since(now).min(self.setup.look))
    }

    fn ended(&mut self, ended: runs::Ended) {
        if let Some(watch) = self.watches.get_mut(&ended.spec) {
            watch.ended(&self.setup, &mut self.runs, ended);
        }
        self.watches.retain(|_, watch| !watch.is_over());
    }

    /// Nothing begins any more; what runs is asked to end, and heard out.
    async fn end(mut self, mut stop: UnboundedReceiver<()>) {
        self.say(What::Stopping { runs: self.runs.len() });
        for watch in self.watches.values_mut() {
            watch.close();
        }
        self.runs.ask_all_to_end();
        while self.runs.len() > 0 {
            tokio::select! {
                ended = self.runs.next() => self.ended(ended),
                Some(()) = stop.recv() => self.runs.ask_all_to_end(),
            }
        }
    }

    fn say(&self, what: What) {
        (self.setup.listener)(&Said { time: self.setup.world.now(), spec: None, what, zone: TimeZone::UTC });
    }

    fn say_of(&self, spec: &Path, what: What) {
        let spec = Some(self.setup.name_of(spec));
        (self.setup.listener)(&Said { time: self.setup.world.now(), spec, what, zone: TimeZone::UTC });
    }
}
