//! Rows out of a database.

use crate::bench::{Bench, Given};
use rusqlite::Connection;
use serde_json::{Value as Json, json};
use std::path::PathBuf;

fn database(bench: &Bench) -> PathBuf {
    let path = bench.path("plays.db");
    let rows = "create table plays (id text, game text, yards real, start_ms integer, note);
                insert into plays values ('a', 'g1', 3.5, 1000, null), ('b', 'g1', -2.0, 4000, 'x''y'), ('c', 'g2', 0.0, 10, 'é');";
    Connection::open(&path).unwrap().execute_batch(rows).unwrap();
    path
}

fn export(bench: &Bench, query: &str, bind: &Json) -> Given {
    let config = json!({ "source": { "type": "sqlite", "path": "plays.db" }, "query": query, "bind": bind });
    Given { config, files: vec![("source.path", database(bench))], ..Given::default() }
}

#[test]
fn rows_are_written_as_the_query_gives_them() {
    let bench = Bench::new();
    let query = "select id, yards, start_ms, note from plays where game = :game order by id desc";
    let outcome = bench.run("export", export(&bench, query, &json!({ "game": "g1" })));
    let expected = "{\"id\":\"b\",\"yards\":-2.0,\"start_ms\":4000,\"note\":\"x'y\"}\n\
                    {\"id\":\"a\",\"yards\":3.5,\"start_ms\":1000,\"note\":null}\n";
    assert_eq!(bench.text(&outcome, "plays.jsonl"), expected);
}

#[test]
fn a_value_is_bound_and_never_read_as_sql() {
    let bench = Bench::new();
    let hostile = json!({ "game": "g1' or '1'='1" });
    let failure = bench.failure("export", export(&bench, "select id from plays where game = :game", &hostile));
    assert_eq!(failure.code, "no_rows");
}

#[test]
fn rows_that_are_still_in_the_write_ahead_log_are_there() {
    let bench = Bench::new();
    let given = export(&bench, "select id from plays order by id", &json!({}));
    let writer = Connection::open(bench.path("plays.db")).unwrap();
    writer.pragma_update(None, "journal_mode", "wal").unwrap();
    writer.execute("insert into plays (id) values ('late')", []).unwrap();
    let outcome = bench.run("export", given);
    assert!(bench.text(&outcome, "plays.jsonl").contains("late"));
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let cases = [
        ("select id from plays where game = 'g9'", json!({}), "no_rows", "found no rows"),
        ("select id from plays where game = :game", json!({}), "bad_bind", "`:game` has no value"),
        ("select id from plays", json!({ "game": 1 }), "bad_bind", "`game`, which the query does not use"),
        ("select id, game as id from plays", json!({}), "same_column", "two columns named `id`"),
        ("delete from plays", json!({}), "not_a_select", "would change the database"),
        ("select x from plays", json!({}), "sql", "refused the query"),
        ("select x'00' as b", json!({}), "bad_value", "`b` holds bytes"),
    ];
    for (query, bind, code, message) in cases {
        let bench = Bench::new();
        let failure = bench.failure("export", export(&bench, query, &bind));
        assert_eq!(failure.code, code, "{failure:?}");
        assert!(failure.message.contains(message), "{failure:?}");
    }
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let bench = Bench::new();
    let path = bench.path("text.db");
    std::fs::write(
        &path,
        "a text that is longer than the header of a database, which has a hundred bytes or so, I think",
    )
    .unwrap();
    let given = Given { files: vec![("source.path", path.clone())], ..export(&bench, "select 1", &json!({})) };
    let failure = bench.failure("export", given);
    assert_eq!(
        (failure.message.as_str(), failure.on),
        ("the file is not a SQLite database", Some(path.display().to_string()))
    );
}
