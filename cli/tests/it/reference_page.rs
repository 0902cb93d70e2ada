//! A page of `docs` -> its blocks of code, each with what belongs to it.

use std::fs;
use std::path::Path;

/// One fenced block.
#[derive(Clone, Default)]
pub(crate) struct Block {
    /// The line it begins on.
    pub(crate) line: usize,
    /// `toml`, `yaml`, `text`, ...
    pub(crate) language: String,
    /// What stands behind the language.
    about: String,
    pub(crate) text: String,
    /// The files that earlier blocks of the same part of the page stand for.
    pub(crate) files: Vec<(String, String)>,
    /// The blocks of `text` right behind it: what they are about, and their text.
    below: Vec<(String, String)>,
}

impl Block {
    /// Whether it is a spec rather than a file of another kind.
    pub(crate) fn is_spec(&self) -> bool {
        (self.language == "toml" || self.language == "yaml") && self.file().is_none()
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.about.split_whitespace().any(|known| known == word)
    }

    /// The name of the file it stands for.
    fn file(&self) -> Option<&str> {
        self.about.split_whitespace().find_map(|word| word.strip_prefix("file="))
    }

    /// The codes of the problems it is said to have.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let codes = self.about.strip_prefix("wrong ").into_iter().flat_map(str::split_whitespace);
        codes.map(str::to_owned).collect()
    }

    /// The command its first line names.
    pub(crate) fn command(&self) -> &str {
        let first = self.text.lines().next().and_then(|line| line.strip_prefix("# "));
        first.filter(|line| line.contains("pipe plan ")).unwrap_or_default()
    }

    pub(crate) fn block_below(&self, kind: &str) -> Option<&str> {
        self.below.iter().find(|(about, _)| about == kind).map(|(_, text)| text.as_str())
    }

    /// The blocks behind it whose first word is `kind`, without that word.
    pub(crate) fn blocks_below(&self, kind: &str) -> Vec<(&str, &str)> {
        let blocks = self.below.iter().map(|(about, text)| (about.split_once(' '), text.as_str()));
        blocks
            .filter_map(|(about, text)| about.filter(|(first, _)| *first == kind).map(|(_, rest)| (rest, text)))
            .collect()
    }

    /// The text with what the page leaves out: `version`, `name`, and a stage that does nothing.
    pub(crate) fn whole(&self) -> String {
        let is_yaml = self.language == "yaml";
        let has = |key: &str| self.text.lines().any(|line| line.starts_with(key));
        let mut head = String::new();
        for (key, toml, yaml) in
            [("version", "version = 1", "version: 1"), ("name", "name = \"example\"", "name: example")]
        {
            if !has(key) {
                head.push_str(if is_yaml { yaml } else { toml });
                head.push('\n');
            }
        }
        let stage = match (is_yaml, self.text.contains("stages") || has("extends")) {
            (_, true) => "",
            (true, _) => "stages: { nothing: { kind: command, argv: [\"true\"] } }\n",
            (false, _) => "[stages.nothing]\nkind = \"command\"\nargv = [\"true\"]\n",
        };
        format!("{head}{}{stage}", self.text)
    }
}

/// All blocks of the reference.
pub(crate) fn blocks() -> Vec<Block> {
    blocks_of("spec.md")
}

/// All blocks of a page.
pub(crate) fn blocks_of(page: &str) -> Vec<Block> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let page = fs::read_to_string(path).unwrap();
    let (mut blocks, mut files): (Vec<Block>, Vec<(String, String)>) = (Vec::new(), Vec::new());
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.starts_with("## ") {
            files.clear();
        }
        let Some(about) = line.strip_prefix("```") else { continue };
        let (language, about) = about.split_once(' ').unwrap_or((about, ""));
        let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
        let text: String = inside.map(|line| format!("{line}\n")).collect();
        let block = Block {
            line: number + 1,
            language: language.to_owned(),
            about: about.to_owned(),
            text,
            files: files.clone(),
            below: Vec::new(),
        };
        if let Some(name) = block.file() {
            files.push((name.to_owned(), block.text.clone()));
        }
        match blocks.iter_mut().rev().find(|earlier| earlier.is_spec()) {
            Some(spec) if language == "text" => spec.below.push((about.to_owned(), block.text.clone())),
            _ => {}
        }
        blocks.push(block);
    }
    blocks
}
