//! A path -> one tree, merged from the spec, the files it extends and the profile that was asked for, and the values
//! that are set from outside it. Every value keeps its place.
//!
//! Where texts come from is told by [`Texts`]: the disk, or a revision of a repository.

use super::node::{MAX_FILE, Node, Value};
use super::outside::{Environment, Outside};
use super::overlay::{overlay, split_off};
use super::{dotenv, slips, toml, yaml};
use crate::text::{Diagnostic, Severity, SourceText, Sources, Span, Spanned, closest, code, moved, one_of};
use std::io;
use std::path::{Component, Path, PathBuf};

/// How many files may extend one another.
const LONGEST_CHAIN: usize = 8;
/// How many values a spec may have once it is written out with each of its profiles, as it is to be checked.
const MOST_WITH_PROFILES: usize = 1_000_000;
/// The file of variables beside a spec.
const ENV_FILE: &str = ".env";

/// Where the texts of a spec come from, and the files of its project: the disk, or a revision of a repository.
pub trait Texts {
    /// The bytes of a file; of one that is longer than `most`, at least one more than that.
    ///
    /// # Errors
    /// Those of reading a file.
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>>;

    /// Where on the disk a file of the project lies, such as a template or a script.
    ///
    /// # Errors
    /// Why it cannot be had, in words that read on after "the file `x`".
    fn locate(&self, path: &Path) -> Result<PathBuf, String> {
        Ok(path.to_owned())
    }
}

/// The files of this machine.
pub struct Disk;

impl Texts for Disk {
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        use io::Read;
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A value for a parameter that comes from outside the spec's own `[params]`. Of several, the first counts.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The parameter.
    pub name: Spanned<String>,
    /// Its value.
    pub value: Given,
    /// What a person calls the place it comes from, such as `-P` or `profile prod`.
    pub from: String,
}

/// A value as it was given.
#[derive(Clone, Debug)]
pub enum Given {
    /// Text, read as the type of the parameter.
    Text(Spanned<String>),
    /// A value of a file.
    Value(Node),
}

/// What was read.
pub(super) struct Loaded {
    pub(super) sources: Sources,
    /// The tree with the profile laid over it; absent when a file could not be parsed.
    pub(super) root: Option<Node>,
    /// The trees with each of the other profiles, and where these stand: they are checked too.
    pub(super) others: Vec<(Span, Node)>,
    /// The profile that was asked for.
    pub(super) profile: Option<String>,
    pub(super) settings: Vec<Setting>,
    pub(super) environment: Environment,
    pub(super) problems: Vec<Diagnostic>,
}

/// Reads everything.
///
/// # Errors
/// When the spec itself cannot be read; whatever else is wrong is among the problems.
pub(super) fn load(path: &Path, texts: &dyn Texts, outside: &Outside) -> io::Result<Loaded> {
    let bytes = texts.read(path, MAX_FILE)?;
    let mut loader = Loader { texts, sources: Sources::default(), problems: Vec::new() };
    let main = loader.parse(path, bytes);
    let mut environment = outside.environment.clone();
    loader.env_file(path, &mut environment);
    let root = main.and_then(|main| loader.with_bases(main, path));
    Ok(loader.finish(root, outside, environment))
}

/// One text without anything from outside.
pub(super) fn single(source: SourceText) -> Loaded {
    let mut loader = Loader { texts: &Disk, sources: Sources::default(), problems: Vec::new() };
    let path = PathBuf::from(&source.path);
    let root = loader.parse(&path, source.text.into_bytes());
    loader.finish(root, &Outside::default(), Environment::default())
}

struct Loader<'a> {
    texts: &'a dyn Texts,
    sources: Sources,
    problems: Vec<Diagnostic>,
}

impl Loader<'_> {
    fn finish(mut self, root: Option<Node>, outside: &Outside, environment: Environment) -> Loaded {
        let profile = self.profile_name(outside, &environment);
        let mut settings = self.command_line(outside);
        settings.extend(outside.params_file.as_deref().map(|file| self.params_file(file)).unwrap_or_default());
        let (mut others, mut chosen) = (Vec::new(), None);
        let root = root.map(|root| {
            let (mut root, profiles) = (root.clone(), root.get("profiles").cloned());
            settings.extend(self.variables(&root, &environment));
            if let Some(wanted) = &profile {
                chosen = self.profile(profiles.as_ref(), wanted);
            }
            let others_fit = self.profiles_fit(&root, profiles.as_ref());
            for (name, node) in profiles.iter().flat_map(Node::entries) {
                let is_chosen = profile.as_ref().is_some_and(|wanted| wanted.value == name.value);
                if !is_chosen && !others_fit {
                    continue;
                }
                let (rest, params) = split_off(node.clone(), "params");
                let with = overlay(root.clone(), rest);
                if is_chosen {
                    settings.extend(values_of(params.as_ref(), &format!("profile {}", name.value)));
                    root = with;
                } else {
                    others.push((extent(node), with));
                }
            }
            root
        });
        let Self { sources, problems, .. } = self;
        Loaded { sources, root, others, profile: chosen, settings, environment, problems }
    }

    /// Whether the spec can be checked with each of its profiles; when they are too many for that, it is told.
    fn profiles_fit(&mut self, root: &Node, profiles: Option<&Node>) -> bool {
        let Some(profiles) = profiles else { return true };
        let size = root.size().saturating_mul(profiles.entries().len());
        if size > MOST_WITH_PROFILES {
            let message = format!("the spec with each of its profiles has {size} values");
            let label = format!("at most {MOST_WITH_PROFILES} are allowed");
            self.problems.push(Diagnostic::error(code::TOO_MANY, message, profiles.span.clone(), label));
        }
        size <= MOST_WITH_PROFILES
    }

    /// Parses a file by its ending, at its place among all.
    fn parse(&mut self, path: &Path, bytes: Vec<u8>) -> Option<Node> {
        // A file that is too long was cut off, maybe in the middle of a character.
        let is_cut_off = bytes.len() > MAX_FILE;
        let (text, broken) = text_of(bytes);
        let is_yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
        let (mut root, mut problems) = if is_yaml { yaml::parse(&text) } else { toml::parse(&text) };
        slips::other_language(&text, is_yaml, &root, &mut problems);
        if let Some(broken) = broken.filter(|_| !is_cut_off) {
            problems = vec![broken];
        }
        let start = self.sources.add(SourceText::new(path.display().to_string(), text));
        root.shift(start);
        let is_whole = problems.iter().all(|problem| problem.severity != Severity::Error);
        self.problems.extend(moved(problems, start));
        is_whole.then_some(root)
    }

    /// The tree laid over those it extends, the farthest lowest.
    fn with_bases(&mut self, main: Node, path: &Path) -> Option<Node> {
        let mut chain = vec![plain(path)];
        let mut trees = vec![main];
        let mut folder = folder_of(path).to_owned();
        while let Some(named) = trees.last().and_then(|tree| tree.get("extends")).cloned() {
            // What is no text is told by the schema.
            let Value::String(text) = &named.value else { break };
            let file = folder.join(text);
            let problem = match chain.iter().position(|known| *known == plain(&file)) {
                Some(_) => Some("it comes back to itself".to_owned()),
                None if chain.len() > LONGEST_CHAIN => {
                    Some(format!("more than {LONGEST_CHAIN} files extend each other"))
                }
                None => None,
            };
            if let Some(why) = problem {
                let message = format!("`extends = \"{text}\"` cannot be followed: {why}");
                let help = "take one `extends` out of the circle";
                self.problems.push(Diagnostic::error(code::BAD_BASE, message, named.span.clone(), "").help(help));
                return None;
            }
            let bytes = self.file(&file, &named.span, "base", text)?;
            trees.push(self.parse(&file, bytes)?);
            chain.push(plain(&file));
            folder = folder_of(&file).to_owned();
        }
        trees.into_iter().rev().reduce(lay_over)
    }

    /// The bytes of a file that is named at `span`.
    fn file(&mut self, path: &Path, span: &Span, what: &str, named: &str) -> Option<Vec<u8>> {
        self.texts
            .read(path, MAX_FILE)
            .map_err(|error| {
                let message = format!("the {what} `{named}` cannot be read: {}", in_words(&error));
                let help = format!("it was looked for at {}", path.display());
                self.problems
                    .push(Diagnostic::error(code::UNREADABLE_FILE, message, span.clone(), "named here").help(help));
            })
            .ok()
    }

    fn env_file(&mut self, spec: &Path, environment: &mut Environment) {
        let path = folder_of(spec).join(ENV_FILE);
        let Ok(bytes) = self.texts.read(&path, MAX_FILE) else { return };
        let (text, broken) = text_of(bytes);
        let broken = toml::unreadable(&text).or(broken);
        let (lines, problems) = broken.map_or_else(|| dotenv::parse(&text), |broken| (Vec::new(), vec![broken]));
        let start = self.sources.add(SourceText::new(path.display().to_string(), dotenv::shown(&text)));
        self.problems.extend(moved(problems, start));
        environment.add_file(lines.into_iter().map(|line| {
            let Spanned { value, span } = line.value;
            (line.name, Spanned { value, span: span.start + start..span.end + start })
        }));
    }

    /// The profile that was asked for: by `--profile`, else by `PIPE_PROFILE`.
    fn profile_name(&mut self, outside: &Outside, environment: &Environment) -> Option<Spanned<String>> {
        if let Some(name) = &outside.profile {
            return Some(self.typed("<command line>", "--profile ", name));
        }
        let variable = environment.get("PIPE_PROFILE")?;
        let value = variable.value.to_owned();
        Some(match variable.span {
            Some(span) => Spanned { value, span },
            None => self.typed("<environment>", "PIPE_PROFILE=", &value),
        })
    }

    /// A value that was typed, as a text of its own.
    fn typed(&mut self, place: &str, before: &str, value: &str) -> Spanned<String> {
        let start = self.sources.add(SourceText::new(place, format!("{before}{value}"))) + before.len();
        Spanned { value: value.to_owned(), span: start..start + value.len() }
    }

    fn profile(&mut self, profiles: Option<&Node>, wanted: &Spanned<String>) -> Option<String> {
        if profiles.is_some_and(|profiles| profiles.get(&wanted.value).is_some()) {
            return Some(wanted.value.clone());
        }
        let names = || profiles.into_iter().flat_map(Node::entries).map(|(name, _)| name.value.as_str());
        let help = match closest(&wanted.value, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names().next().is_none() => "the spec has no `[profiles]`".to_owned(),
            None => format!("the spec has {}", one_of(names())),
        };
        let message = format!("the spec has no profile `{}`", wanted.value);
        self.problems.push(Diagnostic::error(code::UNKNOWN_PROFILE, message, wanted.span.clone(), "").help(help));
        None
    }

    fn command_line(&mut self, outside: &Outside) -> Vec<Setting> {
        // Of one name given twice the last counts, as on every command line.
        let typed = outside.params.iter().rev().map(|(name, value)| {
            let text = format!("-P {name}={value}");
            let at = self.sources.add(SourceText::new("<command line>", text)) + 3;
            let name = Spanned { value: name.clone(), span: at..at + name.len() };
            let from = name.span.end + 1;
            let value = Given::Text(Spanned { value: value.clone(), span: from..from + value.len() });
            Setting { name, value, from: "-P".to_owned() }
        });
        typed.collect()
    }

    fn params_file(&mut self, path: &Path) -> Vec<Setting> {
        let shown = path.display().to_string();
        let named = self.typed("<command line>", "--params ", &shown);
        let Some(bytes) = self.file(path, &named.span, "file of parameters", &shown) else { return Vec::new() };
        let root = self.parse(path, bytes);
        if let Some(root) = root.as_ref().filter(|root| !matches!(root.value, Value::Table(_))) {
            let message = "a file of parameters holds names and values";
            let label = format!("this is {}", root.value.kind());
            self.problems.push(Diagnostic::error(code::BAD_PARAMS_FILE, message, root.span.clone(), label));
        }
        values_of(root.as_ref(), "--params")
    }

    /// `PIPE_PARAM_X` for every parameter the spec has.
    fn variables(&mut self, root: &Node, environment: &Environment) -> Vec<Setting> {
        let names = root.get("params").into_iter().flat_map(Node::entries).map(|(name, _)| &name.value);
        let set = names.filter_map(|name| {
            let variable = variable_of(name);
            let value = environment.get(&variable)?;
            let text = match value.span {
                Some(span) => Spanned { value: value.value.to_owned(), span },
                None => self.typed("<environment>", &format!("{variable}="), value.value),
            };
            let name = Spanned { value: name.clone(), span: text.span.clone() };
            Some(Setting { name, value: Given::Text(text), from: variable })
        });
        set.collect()
    }
}

/// The variable that sets a parameter: `frame-rate` is set by `PIPE_PARAM_FRAME_RATE`.
pub fn variable_of(param: &str) -> String {
    let letters = param.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    format!("PIPE_PARAM_{}", letters.collect::<String>())
}

/// An extending spec over its base. A plain value over a declared parameter is its new default.
fn lay_over(base: Node, over: Node) -> Node {
    let declared = |name: &str| base.get("params")?.get(name).filter(|node| super::param::is_declaration(node));
    let mut over = over;
    if let Some(params) = over.get_mut("params") {
        for (name, node) in params.entries_mut() {
            if declared(&name.value).is_some() && !super::param::is_declaration(node) {
                let value = std::mem::replace(node, Node { value: Value::Null, span: node.span.clone() });
                node.value =
                    Value::Table(vec![(Spanned { value: "default".to_owned(), span: value.span.clone() }, value)]);
            }
        }
    }
    overlay(base, over)
}

fn values_of(table: Option<&Node>, from: &str) -> Vec<Setting> {
    let entries = table.into_iter().flat_map(Node::entries);
    let setting = |(name, node): &(Spanned<String>, Node)| Setting {
        name: name.clone(),
        value: Given::Value(node.clone()),
        from: from.to_owned(),
    };
    entries.map(setting).collect()
}

/// The text of a file; of bytes that are no text, what can be shown of them, and what is wrong.
fn text_of(bytes: Vec<u8>) -> (String, Option<Diagnostic>) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let place = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
            let problem =
                Diagnostic::error(code::NOT_TEXT, "the file is not UTF-8 text", place, "this byte is no text");
            (text, Some(problem.help("save it as UTF-8; a spec is TOML or YAML, not a binary file")))
        }
    }
}

/// From the first byte of a value to the last of what it holds. A TOML table's own span is its header only.
pub(super) fn extent(node: &Node) -> Span {
    let join = |a: Span, b: Span| a.start.min(b.start)..a.end.max(b.end);
    match &node.value {
        Value::Table(entries) => {
            entries.iter().fold(node.span.clone(), |all, (key, inner)| join(join(all, key.span.clone()), extent(inner)))
        }
        Value::List(items) => items.iter().fold(node.span.clone(), |all, inner| join(all, extent(inner))),
        _ => node.span.clone(),
    }
}

pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// The path without `.` and without `x/..`, to tell whether two are the same.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => drop(plain.pop()),
            other => plain.push(other),
        }
        plain
    })
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}
