//! `docs/spec.md`: every example of the reference is planned, some are run, wrong ones give the problem they name, and
//! each is the same in TOML and YAML.

use crate::bench::Bench;
use crate::features::can_plan;
use crate::reference_page::{Block, blocks};
use pipe_engine::spec::template::{Context, FILTERS, TESTS, Templates};
use pipe_engine::spec::{toml, yaml};
use pipe_engine::text::Severity;
use pipe_engine::units::{Bytes, Cpu, Millis, Usd};
use serde_json::Value as Json;
use std::fs;
use std::path::PathBuf;

/// A folder with one example in it, in one of the two languages.
pub(crate) struct Try {
    pub(crate) bench: Bench,
    file: String,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) arguments: Vec<String>,
}

impl Try {
    pub(crate) fn new(block: &Block, text: &str, language: &str) -> Self {
        let bench = Bench::new();
        for (name, text) in surroundings().iter().chain(&block.files) {
            bench.write(name, text);
        }
        let plays = "create table plays (id, label, start_ms, end_ms, game_id); create table games (id, video)";
        rusqlite::Connection::open(bench.path("plays.db")).unwrap().execute_batch(plays).unwrap();
        let file = format!("spec.{language}");
        bench.write(&file, text);
        let command: Vec<&str> = block.command().split_whitespace().collect();
        let place = command.iter().position(|word| *word == "pipe").unwrap_or(0);
        let variables = command[..place].iter().map(|word| word.split_once('=').unwrap());
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let arguments = command.iter().skip(place + 3).map(|word| (*word).to_owned()).collect();
        Self { bench, file, variables, arguments }
    }

    fn pipe(&self, verb: &str) -> Json {
        let mut arguments = vec![verb, &self.file, "--json"];
        // The buckets of examples are not there.
        if verb == "plan" && fs::read_to_string(self.bench.path(&self.file)).unwrap().contains("://") {
            arguments.push("--offline");
        }
        arguments.extend(self.arguments.iter().map(String::as_str));
        let output = self.bench.command(&arguments).envs(self.variables.clone()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The codes of the errors in it, each once and in order.
    fn codes(&self) -> Vec<String> {
        let problems = self.pipe("validate")["problems"].as_array().unwrap().clone();
        let errors = problems.iter().filter(|problem| problem["severity"] == "error");
        let mut codes: Vec<String> = errors.map(|problem| problem["code"].as_str().unwrap().to_owned()).collect();
        codes.sort();
        codes.dedup();
        codes
    }

    fn tasks(&self) -> Vec<String> {
        let plan = self.pipe("plan");
        plan["tasks"].as_array().unwrap().iter().map(|task| task["task"].as_str().unwrap().to_owned()).collect()
    }

    /// A file of the only result of a task.
    pub(crate) fn result(&self, task: &str, file: &str) -> String {
        let (stage, cell) = task.trim_end_matches(']').split_once('[').unwrap_or((task, ""));
        let pipelines = fs::read_dir(self.bench.path("out/data")).unwrap();
        let folder = pipelines.map(|entry| entry.unwrap().path().join(stage)).find(|path| path.exists()).unwrap();
        let results: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        let of_cell = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{cell}@"));
        let found = results.iter().find(of_cell).or(results.first()).unwrap();
        fs::read_to_string(found.join(file)).unwrap().trim().to_owned()
    }
}

/// The files that examples name.
fn surroundings() -> Vec<(String, String)> {
    let files = [
        ("rules.txt", "be fair\n"),
        ("count.sh", "cat \"$PIPE_INPUT_RULES\" > \"$PIPE_OUTPUT/count\"; echo $1 $LEVEL >> \"$PIPE_OUTPUT/count\"\n"),
        ("g1.mp4", "not looked at while planning"),
        ("play.jinja", "{\"clip\": {{ clip.id | json }}, \"label\": {{ row.label | json }}}"),
    ];
    files.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec()
}

/// The examples that are specs and that this build can plan.
fn specs() -> Vec<Block> {
    let is_spec = |block: &Block| block.is_spec() && can_plan(&block.text);
    let specs: Vec<Block> = blocks().into_iter().filter(is_spec).collect();
    assert!(specs.len() > 40, "{} examples", specs.len());
    specs
}

#[test]
fn every_example_is_what_it_is_said_to_be() {
    for block in specs() {
        let example = Try::new(&block, &block.whole(), &block.language);
        assert_eq!(example.codes(), block.wrong(), "docs/spec.md:{}\n{}", block.line, block.whole());
        if let Some(tasks) = block.block_below("tasks") {
            assert_eq!(example.tasks(), tasks.lines().collect::<Vec<_>>(), "docs/spec.md:{}", block.line);
        }
    }
}

#[test]
fn every_example_is_the_same_in_the_other_language() {
    for block in specs() {
        let (text, is_yaml) = (block.whole(), block.language == "yaml");
        let (tree, problems) = if is_yaml { yaml::parse(&text) } else { toml::parse(&text) };
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            assert!(block.wrong().iter().all(|code| code.starts_with("S01")), "docs/spec.md:{}", block.line);
            continue;
        }
        let (twin, language) = match is_yaml {
            true => (as_toml(&tree.to_json()), "toml"),
            // JSON is YAML.
            false => (tree.to_json().to_string(), "yaml"),
        };
        let (here, there) = (Try::new(&block, &text, &block.language), Try::new(&block, &twin, language));
        assert_eq!(there.codes(), block.wrong(), "docs/spec.md:{}\n{twin}", block.line);
        if block.wrong().is_empty() {
            assert_eq!(here.pipe("plan"), there.pipe("plan"), "docs/spec.md:{}\n{twin}", block.line);
        }
    }
}

fn as_toml(tree: &Json) -> String {
    let entries = tree.as_object().unwrap().iter();
    entries.map(|(key, value)| format!("{} = {}\n", Json::from(key.as_str()), inline(value))).collect()
}

fn inline(value: &Json) -> String {
    match value {
        Json::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Json::Object(entries) => {
            let pairs = entries.iter().map(|(key, value)| format!("{} = {}", Json::from(key.as_str()), inline(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string(),
    }
}

#[test]
fn examples_that_are_run_make_what_they_say() {
    let mut run = 0;
    for block in specs().into_iter().filter(|block| block.has("run")) {
        makes_what_it_says(&block, "docs/spec.md");
        run += 1;
    }
    assert!(run >= 5, "{run} examples");
}

/// Runs an example of a page, and looks at the results that stand below it.
pub(crate) fn makes_what_it_says(block: &Block, page: &str) {
    let example = Try::new(block, &block.whole(), &block.language);
    let said = example.bench.pipe(&["run", &example.file]);
    assert_eq!(said.code, Some(0), "{page}:{}\n{}", block.line, said.stderr);
    for (about, text) in block.blocks_below("result") {
        let (task, file) = about.split_once(' ').unwrap();
        assert_eq!(example.result(task, file), text.trim(), "{page}:{}: {task}", block.line);
    }
}

/// The lines of all blocks of a kind, each split at `between`.
fn lines(kind: &str, between: &str) -> Vec<(String, String)> {
    let blocks = blocks().into_iter().filter(|block| block.language == "text" && block.has(kind));
    let text: String = blocks.map(|block| block.text).collect();
    let lines = text.lines().map(|line| line.split_once(between).unwrap_or_else(|| panic!("{line}")));
    lines.map(|(left, right)| (left.trim().to_owned(), right.trim().to_owned())).collect()
}

#[test]
fn every_filter_and_test_of_templates_is_shown_with_its_value() {
    let (templates, lines) = (Templates::new(), lines("values", " -> "));
    for (expression, value) in &lines {
        let expected: Json = serde_json::from_str(value).unwrap();
        let found = templates.value(&format!("{{{{ {expression} }}}}"), &Context::new());
        assert_eq!(found.as_ref(), Ok(&expected), "{expression}");
    }
    let shown = |before: &str, name: &str| {
        let call = format!("{before} {name}");
        lines.iter().any(|(line, _)| line.split(&call).skip(1).any(|rest| !rest.starts_with(char::is_alphanumeric)))
    };
    for name in FILTERS {
        assert!(shown("|", name), "no example of the filter `{name}`");
    }
    for name in TESTS {
        assert!(shown("is", name), "no example of the test `{name}`");
    }
}

#[test]
fn units_are_what_the_page_says() {
    let check = |kind: &str, read: &dyn Fn(&str) -> u64| {
        let lines = lines(kind, " = ");
        assert!(lines.len() >= 3, "{kind}");
        lines.iter().for_each(|(text, value)| assert_eq!(read(text), value.parse::<u64>().unwrap(), "{text}"));
    };
    check("sizes", &|text| text.parse::<Bytes>().unwrap().0);
    check("durations", &|text| text.parse::<Millis>().unwrap().0);
    check("cpus", &|text| text.parse::<Cpu>().unwrap().0.into());
    check("amounts", &|text| text.parse::<Usd>().unwrap().0);
}

#[test]
fn every_key_of_the_language_has_an_example() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/spec.v1.json");
    let schema: Json = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let kinds = schema.pointer("/properties/stages/additionalProperties/oneOf").unwrap().as_array().unwrap();
    let command = kinds.iter().find(|kind| kind["title"] == "command").unwrap();
    let tables =
        ["Declaration", "Defaults", "Foreach", "Gpu", "Hook", "Hooks", "Matrix", "Resources", "RetrySpec", "Schedule"];
    let tables = tables.iter().map(|name| &schema["$defs"][*name]).chain([&schema, command]);
    let examples: String =
        blocks().iter().filter(|block| block.is_spec()).map(|block| format!("\n{}", block.text)).collect();
    let is_key = |key: &str| {
        let mut places = examples.match_indices(key);
        places.any(|(at, _)| {
            let before = examples[..at].chars().next_back().unwrap_or('\n');
            let after = examples[at + key.len()..].trim_start_matches(' ').chars().next().unwrap_or('\n');
            "\n [{.".contains(before) && "=:.]".contains(after)
        })
    };
    for table in tables {
        let keys = table["properties"].as_object().unwrap_or_else(|| panic!("{table}")).keys();
        for key in keys {
            assert!(is_key(key), "docs/spec.md has no example of `{key}`");
        }
    }
}
