//! `kind = "export"`: plays out of a database, one JSON line a row. Values reach the query as bind parameters only.

use crate::jsonl;
use crate::records::{Column, PLAYS, PlayRow};
use percent_encoding::{AsciiSet, CONTROLS};
use pipe_engine::failure::Failure;
use pipe_engine::stage::{ConfigProblem, Format, InputFile, Probe, Probed, StageKind, read_config};
use pipe_engine::stamp::companion;
use pipe_engine::work::Work;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement, ToSql};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::path::Path;

/// The code of a failure to find a database in the file.
const NO_DATABASE: &str = "no_database";
/// A database of at most this many bytes is asked for a sample row before anything runs.
const SMALL: u64 = 64 << 20;
/// What of a path cannot stand in a URI.
const IN_A_URI: AsciiSet = CONTROLS.add(b'%').add(b'?').add(b'#');

pub(crate) struct Export;

/// Reads rows out of a database and writes them as `plays.jsonl`, one object a row, in the order of the query.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The database, such as `{ type = "sqlite", path = "plays.db" }`.
    #[expect(dead_code, reason = "the engine finds the file by its mark")]
    source: Source,
    /// One SELECT. End it with `order by`, so that the same rows come in the same order.
    #[schemars(length(min = 1))]
    query: String,
    /// Values of the query's named parameters: `game = "g1"` stands for `:game`.
    #[serde(default)]
    bind: Map<String, Json>,
    /// Whether no rows at all is an answer. Default: false, since it is usually a mistake in the query.
    #[serde(default)]
    allow_empty: bool,
}

/// Where rows come from.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
enum Source {
    /// A SQLite database.
    Sqlite {
        /// Its file.
        #[expect(dead_code, reason = "the engine finds the file by its mark")]
        path: InputFile,
    },
}

impl StageKind for Export {
    fn name(&self) -> &'static str {
        "export"
    }

    fn code(&self) -> String {
        format!("1 sqlite {}", rusqlite::version())
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        Config::json_schema(generator)
    }

    fn formats(&self) -> Vec<Format> {
        vec![Format::of::<PlayRow>("plays", &[PLAYS])]
    }

    /// Rows may still be in the write-ahead log beside the database.
    fn companions(&self) -> &'static [&'static str] {
        &["-wal"]
    }

    fn rows(&self) -> &'static [&'static str] {
        &[PLAYS]
    }

    fn makes(&self, _: &Json) -> Vec<String> {
        vec![PLAYS.to_owned()]
    }

    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        let config: Config = read_config(config)?;
        match config.bind.iter().find(|(_, value)| value.is_array() || value.is_object()) {
            Some((name, value)) => Err(ConfigProblem::new(format!("bind.{name}"), format!("{value} cannot be bound"))
                .help("bind a string, a number, true or false")),
            None => Ok(()),
        }
    }

    /// The query is prepared, so that a misspelt column is found before anything runs.
    fn probe(&self, probe: &Probe<'_>) -> Probed {
        let (Ok(config), Some(database)) = (read_config::<Config>(probe.config), probe.files.get("source.path")) else {
            return Probed::default();
        };
        match first_row(database, &config) {
            Ok(sample) => Probed { sample: sample.map(|row| json!(row)), problems: Vec::new() },
            Err(failure) => Probed { sample: None, problems: vec![problem(&failure)] },
        }
    }

    fn run(&self, work: &Work<'_>) -> Result<Json, Failure> {
        let config: Config = work.config()?;
        let database = &work.file("source.path")?.path;
        let rows = read_rows(database, &config)?;
        if rows.is_empty() && !config.allow_empty {
            return Err(Failure::failed("no_rows", "the query found no rows")
                .on(format!("{} with {}", database.display(), Json::Object(config.bind)))
                .help("check the query and the values it binds, or set `allow_empty = true`"));
        }
        work.write(PLAYS, &jsonl::write(&rows))?;
        work.progress(rows.len(), rows.len(), "rows");
        Ok(json!({ "rows": rows.len() }))
    }
}

/// A failure of a look at the query, as a problem of the setting that causes it.
fn problem(failure: &Failure) -> ConfigProblem {
    let field = if failure.code == NO_DATABASE { "source.path" } else { "query" };
    let why = failure.source.as_ref().map_or_else(String::new, |source| format!(": {source}"));
    let problem = ConfigProblem::new(field, format!("{}{why}", failure.message));
    failure.help.iter().fold(problem, |problem, help| problem.help(help.clone()))
}

/// The first row of a database so small that looking at it takes no time; of a larger one, nothing.
fn first_row(database: &Path, config: &Config) -> Result<Option<PlayRow>, Failure> {
    let connection = open(database, "?immutable=1")?;
    let most = if std::fs::metadata(database).is_ok_and(|meta| meta.len() <= SMALL) { 1 } else { 0 };
    Ok(query(&connection, database, config, most)?.pop())
}

fn read_rows(database: &Path, config: &Config) -> Result<Vec<PlayRow>, Failure> {
    query(&open(database, "")?, database, config, usize::MAX)
}

/// `how`: `?immutable=1` for a look that leaves no file beside the database and sees nothing of its write-ahead log.
fn open(database: &Path, how: &str) -> Result<Connection, Failure> {
    let is_immutable = !how.is_empty() && !companion(database, "-wal").exists();
    let path = percent_encoding::utf8_percent_encode(&database.display().to_string(), &IN_A_URI).to_string();
    let uri = format!("file:{path}{}", if is_immutable { how } else { "" });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags).map_err(|error| sql_failure(database, &error))
}

fn query(connection: &Connection, database: &Path, config: &Config, most: usize) -> Result<Vec<PlayRow>, Failure> {
    let failed = |error: rusqlite::Error| sql_failure(database, &error);
    let mut statement = connection.prepare(&config.query).map_err(failed)?;
    if !statement.readonly() {
        return Err(Failure::failed("not_a_select", "the query would change the database").on(config.query.clone()));
    }
    let columns = column_names(&statement)?;
    bind(&mut statement, &config.bind).map_err(|f| f.on(config.query.clone()))?;
    let mut rows = Vec::new();
    let mut found = statement.raw_query();
    while rows.len() < most
        && let Some(row) = found.next().map_err(failed)?
    {
        let values = columns.iter().enumerate().map(|(i, name)| {
            let value = row.get_ref(i).map_err(failed)?;
            Ok((name.clone(), column(name, value)?))
        });
        rows.push(PlayRow(values.collect::<Result<_, Failure>>()?));
    }
    Ok(rows)
}

fn column_names(statement: &Statement<'_>) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    match names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        Some((_, twice)) => Err(Failure::failed("same_column", format!("the query has two columns named `{twice}`"))
            .help("give one of them another name with `as`")),
        None => Ok(names),
    }
}

/// Every parameter of the query gets a value, and every value belongs to a parameter.
fn bind(statement: &mut Statement<'_>, values: &Map<String, Json>) -> Result<(), Failure> {
    for i in 1..=statement.parameter_count() {
        let Some(name) = statement.parameter_name(i).map(|n| n[1..].to_owned()) else {
            return Err(Failure::failed("bad_bind", "the query has a parameter without a name")
                .help("write :name and give it a value in `bind`"));
        };
        let Some(value) = values.get(&name) else {
            return Err(Failure::failed("bad_bind", format!("the query's `:{name}` has no value"))
                .help(format!("add `{name}` to `bind`")));
        };
        statement
            .raw_bind_parameter(i, Bound(value))
            .map_err(|e| Failure::failed("bad_bind", format!("`:{name}` cannot be bound")).source(e))?;
    }
    for name in values.keys() {
        if !matches!(statement.parameter_index(&format!(":{name}")), Ok(Some(_))) {
            return Err(Failure::failed("bad_bind", format!("`bind` has `{name}`, which the query does not use"))
                .help(format!("write :{name} in the query, or take it out of `bind`")));
        }
    }
    Ok(())
}

struct Bound<'a>(&'a Json);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Json::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Json::Bool(value) => ToSqlOutput::from(*value),
            Json::String(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => ToSqlOutput::from(whole),
                None => ToSqlOutput::from(number.as_f64().unwrap_or(f64::NAN)),
            },
            other => ToSqlOutput::from(other.to_string()),
        })
    }
}

fn column(name: &str, value: ValueRef<'_>) -> Result<Column, Failure> {
    let bad = |what: &str| {
        Err(Failure::failed("bad_value", format!("column `{name}` holds {what}"))
            .help("leave the column out, or turn it into text in the query"))
    };
    match value {
        ValueRef::Null => Ok(Column::Null),
        ValueRef::Integer(whole) => Ok(Column::Integer(whole)),
        ValueRef::Real(number) if number.is_finite() => Ok(Column::Real(number)),
        ValueRef::Real(_) => bad("a number that is not finite"),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Ok(Column::Text(text.to_owned())),
            Err(_) => bad("text that is not UTF-8"),
        },
        ValueRef::Blob(_) => bad("bytes"),
    }
}

fn sql_failure(database: &Path, error: &rusqlite::Error) -> Failure {
    let not_a_database = matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::NotADatabase));
    let (message, help) = if not_a_database {
        ("the file is not a SQLite database", "check the path of `source`")
    } else {
        ("the database refused the query", "try the query with the sqlite3 program")
    };
    // The whole query would follow, which is shown where it is written.
    let why = match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    let code = if not_a_database { NO_DATABASE } else { "sql" };
    Failure::failed(code, message).on(database.display().to_string()).source(why).help(help)
}
