//! `pipe resume`: a run of the journal -> a new one, of the same spec with the same parameters and wishes.

use crate::args::{Asked, Given, How, ResumeArgs, RunArgs, SpecArgs};
use crate::exit::{Exit, Refusal, let_go_on};
use crate::life::Life;
use crate::paths;
use crate::printer::Printer;
use crate::runs;
use crate::verbs::run;
use crate::wiring;
use pipe_engine::report::RunView;
use pipe_engine::state::{Lock, StateFolder};
use serde_json::{Map, Value as Json};
use std::path::{Path, PathBuf};

pub(crate) fn run(args: &ResumeArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let (spec, name) = spec_and_run(&args.what)?;
    let place = Place::of(spec.as_deref(), args.state.as_ref());
    let view = place.ended_run(spec.as_deref(), name)?;
    let spec = match spec {
        Some(spec) => spec,
        None => recorded_spec(&view)?,
    };
    let again = again(&view, spec, &place, &view.params, &args.how);
    run::go_on(&again, &view, printer)
}

/// What looks like a spec, and the other.
fn spec_and_run(what: &[String]) -> Result<(Option<PathBuf>, &str), Refusal> {
    let is_spec = |name: &str| {
        Path::new(name).extension().is_some_and(|e| e == "toml" || e == "yaml" || e == "yml")
            || Path::new(name).is_file()
    };
    match what {
        [one] if is_spec(one) => Ok((Some(one.into()), "latest")),
        [one] => Ok((None, one)),
        [spec, run] if is_spec(spec) => Ok((Some(spec.into()), run)),
        [run, spec] if is_spec(spec) => Ok((Some(spec.into()), run)),
        _ => Err(Refusal::new(Exit::Wrong, "neither of the two is a spec").help("pipe resume SPEC RUN")),
    }
}

/// Where the runs of a spec are remembered.
pub(super) struct Place {
    pub(super) state: StateFolder,
    given: Given,
}

impl Place {
    pub(super) fn of(spec: Option<&Path>, state: Option<&PathBuf>) -> Self {
        let given = Given { state: state.cloned(), as_before: true, ..Given::default() };
        let beside = spec.map_or(Path::new(""), wiring::folder_of);
        Self { state: wiring::state_folder(&given, beside), given }
    }

    /// A run that no longer goes on.
    ///
    /// # Errors
    /// When there is none of that name, or it goes on.
    pub(super) fn ended_run(&self, spec: Option<&Path>, name: &str) -> Result<RunView, Refusal> {
        let holder = Lock::holder(self.state.root());
        let journal = self.state.journal();
        let view = match spec.filter(|_| runs::place(name).is_some()) {
            Some(spec) => runs::named_of_spec(&journal, spec, name)?,
            None => runs::named(&journal, None, name)?,
        };
        refuse_another_spec(spec, &view)?;
        if let Life::Running(holder) = Life::of(&view, holder) {
            let message = format!("run {} goes on still ({holder})", runs::name(&view));
            let spec = super::beside(spec.unwrap_or(Path::new(&view.spec)), self.given.state.as_ref());
            let help = format!("`pipe status {spec} --watch` shows it, `pipe cancel {spec}` stops it");
            return Err(Refusal::new(Exit::Unavailable, message).help(let_go_on(&holder).unwrap_or(help)));
        }
        Ok(view)
    }
}

/// What a run was given fits its own spec. One that is not where it was may be this one under a new name.
fn refuse_another_spec(spec: Option<&Path>, view: &RunView) -> Result<(), Refusal> {
    let recorded = view.asked.as_ref().and_then(|asked| Path::new(&asked.path).canonicalize().ok());
    let (Some(spec), Some(recorded)) = (spec, recorded) else { return Ok(()) };
    if spec.canonicalize().is_ok_and(|spec| spec == recorded) {
        return Ok(());
    }
    let message = format!("run {} is none of {}", runs::name(view), spec.display());
    Err(Refusal::new(Exit::Wrong, message).help(format!("it is one of {}", paths::from_here(&recorded))))
}

/// Where the spec of a run lies.
fn recorded_spec(view: &RunView) -> Result<PathBuf, Refusal> {
    let recorded = view.asked.as_ref().map_or(view.spec.as_str(), |asked| &asked.path);
    let path = PathBuf::from(paths::from_here(Path::new(recorded)));
    if path.exists() || view.asked.as_ref().is_some_and(|asked| asked.at.is_some()) {
        return Ok(path);
    }
    let message = format!("the spec of run {} was {recorded}, and it is not there", runs::name(view));
    Err(Refusal::new(Exit::Wrong, message).help("name it as it is called now: `pipe resume SPEC RUN`"))
}

/// The arguments of a run that is asked for what another was, with these parameters.
pub(super) fn again(view: &RunView, spec: PathBuf, place: &Place, params: &Map<String, Json>, how: &How) -> RunArgs {
    let asked = view.asked.clone().unwrap_or_default();
    // A name such as `main` may mean another commit by now.
    let commit = || view.revision.as_ref().filter(|revision| revision.at.is_some()).map(|revision| &revision.commit);
    let given = Given {
        params: params.iter().map(|(name, value)| (name.clone(), runs::typed(value))).collect(),
        profile: asked.profile,
        at: commit().cloned().or(asked.at),
        ..place.given.clone()
    };
    RunArgs {
        spec: SpecArgs { spec, given },
        asked: Asked {
            only: asked.only,
            from: asked.from,
            until: asked.until,
            force: asked.force,
            inputs: asked.inputs.into_iter().map(|(name, path)| (name, path.into())).collect(),
        },
        fail_fast: asked.fail_fast,
        keep_going: false,
        how: how.clone(),
        // The slot of a schedule is claimed once.
        slot: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_known_by_its_name_and_may_stand_on_either_side() {
        let read = |what: &[&str]| {
            let what: Vec<String> = what.iter().map(|name| (*name).to_owned()).collect();
            spec_and_run(&what).ok().map(|(spec, run)| (spec.map(|spec| spec.display().to_string()), run.to_owned()))
        };
        let of = |spec: Option<&str>, run: &str| Some((spec.map(str::to_owned), run.to_owned()));
        assert_eq!(read(&["x.toml"]), of(Some("x.toml"), "latest"));
        assert_eq!(read(&["x.yaml", "2026"]), of(Some("x.yaml"), "2026"));
        assert_eq!(read(&["2026", "x.yml"]), of(Some("x.yml"), "2026"));
        assert_eq!(read(&["latest~1"]), of(None, "latest~1"));
        assert_eq!(read(&["2026", "2027"]), None);
    }
}
