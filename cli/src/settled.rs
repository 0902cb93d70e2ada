//! A run that is asked for -> what the last one of the same stood on, and what of that does not stand any more. The engine
//! keeps the record; here is told which runs are the same, and what is left of one.

use crate::args::{Asked, Given, How, RunArgs};
use crate::exit::Refusal;
use crate::printer::Printer;
use crate::rooms::Rooms;
use crate::wiring::{Project, folder_of, state_folder};
use pipe_engine::event::Body;
use pipe_engine::lookup::Finder;
use pipe_engine::run::{Beside, Finished};
use pipe_engine::settled::{Gathering, Settled, Unsettled, Watched, can_settle};
use pipe_engine::state::{Hints, OpenJob, StateFolder};
use pipe_engine::world::Timestamp;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the record of a run lies, and of all that are asked for in the same way.
pub(crate) struct Place {
    state: StateFolder,
    name: String,
}

/// What is left of a run, as its record tells.
pub(crate) enum Recalled {
    /// Nothing can be told: all of it.
    All,
    /// Nothing is to be done.
    Nothing(Box<Unchanged>),
    /// A part of the plan.
    Part(Box<Part>),
}

/// A run in which everything stands.
pub(crate) struct Unchanged {
    pub(crate) started: Body,
    pub(crate) told: Vec<Body>,
    pub(crate) tasks: u64,
    pub(crate) rooms: Rooms,
    /// The store's root.
    pub(crate) store: PathBuf,
}

/// A run in which some of it does not.
pub(crate) struct Part {
    pub(crate) project: Project,
    pub(crate) beside: Beside,
    /// What is remembered of the part.
    pub(crate) hints: Hints,
    pub(crate) rooms: Rooms,
    pub(crate) record: Settled,
}

impl Place {
    /// The place for a run. `None` for one that asks for more, or less, than the whole spec as it lies on the disk: that is always
    /// planned.
    pub(crate) fn of(args: &RunArgs) -> Option<Self> {
        let state = state_folder(&args.spec.given, folder_of(&args.spec.spec));
        Some(Self { state, name: name_of(args)? })
    }

    /// Looks at all that the last run stood on. The rooms are taken first, so that nobody changes them meanwhile.
    ///
    /// # Errors
    /// When the state folder is held by another run, it or the store cannot be written, or the spec cannot be read.
    pub(crate) fn recall(&self, args: &RunArgs, now: Timestamp, printer: &Printer) -> Result<Recalled, Refusal> {
        let record = Settled::read(&self.state, &self.name).filter(Settled::has_same_texts);
        let Some(mut record) = record else { return Ok(Recalled::All) };
        let rooms = Rooms::take(&self.state, Path::new(record.store()), args.how.wait, printer)?;
        if !OpenJob::all(&rooms.state.journal())?.is_empty() {
            return Ok(Recalled::All);
        }
        let trusted = record.trusts();
        let Some(fallen) = record.fallen(now) else { return Ok(Recalled::All) };
        let (Some(left), Some(started)) = (record.unsettled(&fallen), record.started()) else {
            return Ok(Recalled::All);
        };
        if !fallen.is_empty() {
            return self.part(args, record, left, rooms);
        }
        if record.trusts() != trusted {
            record.write(&self.state, &self.name);
        }
        let tasks = record.len() as u64;
        let store = PathBuf::from(record.store());
        Ok(Recalled::Nothing(Box::new(Unchanged { started, told: left.told, tasks, rooms, store })))
    }

    fn part(&self, args: &RunArgs, record: Settled, left: Unsettled, rooms: Rooms) -> Result<Recalled, Refusal> {
        let Some(project) = Project::load_part(&args.spec, &left)? else { return Ok(Recalled::All) };
        // Somebody may have edited it a moment ago.
        let digest = |body: Option<Body>| match body {
            Some(Body::RunStarted { spec_digest, .. }) => Some(spec_digest),
            _ => None,
        };
        if digest(record.started()).as_ref() != Some(&project.plan.spec_digest) {
            return Ok(Recalled::All);
        }
        let project = project.asked(&args.asked)?;
        let plan = &project.plan;
        let files = plan.tasks().flat_map(|task| &task.files).filter_map(|file| file.path.canonicalize().ok());
        let tasks = plan.tasks().map(|task| &task.id);
        let hints = Hints::load_some(&rooms.state.hints(), files, &left.fingerprints, tasks, &plan.name);
        let beside = Beside { tasks: left.standing, told: left.told };
        Ok(Recalled::Part(Box::new(Part { project, beside, hints, rooms, record })))
    }

    /// Writes down what a run stands on that has ended well; `record` is that of the run before it, where only a part was planned.
    /// Of any other run nothing is written: what stood before it still does, or is seen not to.
    pub(crate) fn keep(&self, record: Option<Settled>, ended: &Ended<'_>) {
        let Ended { finished, finder, texts } = ended;
        let gathering = Gathering { plan: &finished.plan, known: &finished.known, finder };
        let record = match record {
            Some(mut record) => gathering.renew(&mut record).map(|()| record),
            None if can_settle(&finished.plan) => {
                texts.and_then(|texts| gathering.record(&finished.started, texts.to_vec()))
            }
            None => None,
        };
        if let Some(record) = record {
            record.write(&self.state, &self.name);
        }
    }
}

/// A run that has ended well.
pub(crate) struct Ended<'a> {
    pub(crate) finished: &'a Finished,
    pub(crate) finder: &'a Finder,
    /// The files that make up its spec.
    pub(crate) texts: Option<&'a [Watched]>,
}

/// A name that is the same for runs that are asked for in the same way: of this spec, from this folder, with these words and
/// these variables, by this program.
fn name_of(args: &RunArgs) -> Option<String> {
    let RunArgs { spec, asked, fail_fast, how: How { trace: None, .. }, slot: None, .. } = args else { return None };
    let Asked { only, from, until, force: false, inputs } = asked else { return None };
    if !(only.is_empty() && from.is_empty() && until.is_empty() && inputs.is_empty()) {
        return None;
    }
    let Given { params, params_file, offline: false, profile, state: _, at: None, as_before } = &spec.given else {
        return None;
    };
    // What is logged of a run decides nothing, and where its state lies is where this is looked for.
    let counts =
        |name: &OsStr| name.as_encoded_bytes().starts_with(b"PIPE_") && name != "PIPE_LOG" && name != "PIPE_STATE";
    let mut variables: Vec<_> = std::env::vars_os().filter(|(name, _)| counts(name)).collect();
    variables.sort();
    let folder = std::env::current_dir().ok()?;
    let told = (&spec.spec, params, params_file, profile, as_before, fail_fast);
    let words = format!("{told:?} {folder:?} {variables:?} {:?}", program()?);
    Some(blake3::hash(words.as_bytes()).to_hex()[..32].to_owned())
}

/// What tells this program from every other version of it.
fn program() -> Option<(PathBuf, [u64; 3], [i64; 4])> {
    let path = std::env::current_exe().ok()?;
    let meta = fs::metadata(&path).ok()?;
    let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
    Some((path, [meta.dev(), meta.ino(), meta.size()], times))
}
