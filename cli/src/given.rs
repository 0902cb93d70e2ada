//! `--input NAME=PATH`: files and folders that a run takes in the place of results -> the results they stand for.

use crate::args::Asked;
use crate::exit::{Exit, Refusal};
use crate::paths;
use crate::printer::{Printer, Style};
use crate::words;
use pipe_engine::failure::Failure;
use pipe_engine::given::Given;
use pipe_engine::manifest::Artifact;
use pipe_engine::plan::{Plan, SelectError};
use pipe_engine::text::{closest, listed};

/// What is wrong with inputs before it is known what they stand for.
pub(crate) fn refused(asked: &Asked) -> Option<Refusal> {
    let (name, _) = asked.inputs.first()?;
    if asked.only.is_empty() && asked.from.is_empty() {
        let message = format!("`--input {name}=...` says what is given, and not what is to be made of it");
        return Some(
            Refusal::new(Exit::Wrong, message).help("name the stage with `--only`, or with `--from` what follows too"),
        );
    }
    let missing = asked.inputs.iter().find(|(_, path)| !path.exists()).map(|(_, path)| path);
    let missing = missing.map(|path| Refusal::new(Exit::Wrong, format!("there is no {}", path.display())));
    let names: Vec<&String> = asked.inputs.iter().map(|(name, _)| name).collect();
    let twice = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name));
    missing.or_else(|| {
        let message = format!("`{}` is given twice", twice?.1);
        Some(Refusal::new(Exit::Wrong, message).help("one file or folder stands for one result"))
    })
}

/// What is said of an input that stands for nothing, or for too much.
pub(crate) fn no_input(error: SelectError) -> Refusal {
    match error {
        SelectError::NoTask(name) => Refusal::new(Exit::Wrong, format!("no task is named `{name}`")),
        SelectError::NoInput { name, there } => {
            let names = || there.iter().map(String::as_str);
            let stage = name.split('[').next().unwrap_or(&name);
            let help = match closest(stage, names()).filter(|near| *near != stage) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it takes {}", listed(names())),
            };
            Refusal::new(Exit::Wrong, format!("nothing that is asked for takes `{name}`")).help(help)
        }
        SelectError::SeveralTasks { name, tasks } => {
            let message = format!("`{name}` stands for {} results, and one file or folder is given", tasks.len());
            let help = format!("give each its own, as in `--input '{}=PATH'`", tasks[0]);
            Refusal::new(Exit::Wrong, message).help(help)
        }
        SelectError::AskedFor(name) => {
            Refusal::new(Exit::Wrong, format!("`{name}` is to be made by this run, so it cannot be given"))
                .help("ask with `--only` for the stages that take it")
        }
    }
}

/// The results that stand for those of tasks, each by its task.
///
/// # Errors
/// When one cannot be read, or the task could not have made it.
pub(crate) fn all(
    plan: &Plan,
    read: impl Fn(&Given<'_>) -> Result<Artifact, Failure>,
) -> Result<Vec<(usize, Artifact)>, Refusal> {
    let given = plan.given().map(|(index, from)| {
        let task = plan.task(index);
        let artifact = read(&Given { plan, task, from }).map_err(|failure| match failure.code.as_str() {
            "cannot_adopt" | "cannot_give" | "bad_output" | "bad_result" => {
                let refusal = Refusal::new(Exit::Wrong, format!("this cannot be given for {}: {failure}", task.id));
                failure.help.into_iter().fold(refusal, Refusal::help)
            }
            _ => failure.into(),
        })?;
        Ok((index, artifact))
    });
    given.collect()
}

/// Says what was given: what is made of it looks like any other result.
pub(crate) fn tell(plan: &Plan, given: &[(usize, Artifact)], printer: &Printer) {
    for ((task, artifact), (_, from)) in given.iter().zip(plan.given()) {
        let files = words::count(artifact.files.len() as u64, "file");
        let bytes = words::bytes(artifact.files.iter().map(|file| file.size).sum());
        let title = printer.paint_err(Style::Warning, "given:");
        let (task, from) = (&plan.task(*task).id, paths::from_here(from));
        printer.line(&format!("{title} {task} is taken from {from} ({files}, {bytes}, {})", &artifact.digest[..12]));
    }
}
