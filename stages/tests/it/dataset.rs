//! Records out of clips.

use crate::bench::{Bench, Given};
use pipe_engine::attempt::{Input, Outcome};
use pipe_engine::ids::Cell;
use pipe_engine::manifest::FileEntry;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fs;

/// Clips of one game, as `extract-clips` would leave them: two plays.
fn clips(bench: &Bench, game: &str) -> Input {
    let line = |play: &str| {
        let id = format!("game={game}/{play}");
        json!({ "id": id, "play": play, "cell": { "game": game }, "path": format!("{play}.mp4"), "start_ms": 1, "end_ms": 2,
                "frames": 3, "mode": "encode", "row": { "id": play, "label": "say \"hi\"", "week": 7 } })
        .to_string()
    };
    let text = format!("{}\n{}\n", line("p2"), line("p1"));
    let at = format!("data/test/clips-{game}/clips.jsonl");
    let path = bench.path("store").join(&at);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, &text).unwrap();
    let file = FileEntry { path: "clips.jsonl".into(), size: text.len() as u64, blake3: "00".into(), at };
    let cell = Cell::from_iter([("game", Json::from(game))]);
    Input { cell, digest: game.to_owned(), files: vec![file] }
}

fn format(bench: &Bench, games: &[&str], template: &str, split: Json) -> Outcome {
    let path = bench.path("t.jinja");
    fs::write(&path, template).unwrap();
    let inputs = vec![("from[0]", games.iter().map(|g| clips(bench, g)).collect())];
    let mut config = json!({ "from": ["clips"], "template": "t.jinja" });
    if !split.is_null() {
        config["split"] = split;
    }
    bench.run("format-jsonl", Given { config, inputs, files: vec![("template", path)], ..Given::default() })
}

const PLAIN: &str = r#"{"clip": {{ clip.id | json }}, "label": {{ row.label | json }}, "play": "p", "angle": 1, "game": "{{ cell.game }}"}"#;

#[test]
fn records_are_rendered_in_the_order_of_their_ids() {
    let bench = Bench::new();
    let outcome = format(&bench, &["g1"], PLAIN, Json::Null);
    let expected = "{\"clip\":\"game=g1/p1\",\"label\":\"say \\\"hi\\\"\",\"play\":\"p\",\"angle\":1,\"game\":\"g1\"}\n\
                    {\"clip\":\"game=g1/p2\",\"label\":\"say \\\"hi\\\"\",\"play\":\"p\",\"angle\":1,\"game\":\"g1\"}\n";
    assert_eq!(bench.text(&outcome, "train.jsonl"), expected);
}

#[test]
fn no_game_is_on_both_sides_and_each_side_has_one() {
    for (share, held_out) in [(0.01, 1), (0.25, 1), (0.5, 2), (0.99, 3)] {
        let bench = Bench::new();
        let outcome = format(&bench, &["g1", "g2", "g3", "g4"], PLAIN, json!({ "validation": share, "by": "game" }));
        let games = |file: &str| -> BTreeSet<String> {
            let text = bench.text(&outcome, file);
            text.lines().map(|l| serde_json::from_str::<Json>(l).unwrap()["game"].to_string()).collect()
        };
        let (train, validation) = (games("train.jsonl"), games("validation.jsonl"));
        assert!(train.is_disjoint(&validation), "{share}");
        assert_eq!((train.len(), validation.len()), (4 - held_out, held_out), "{share}");
    }
}

#[test]
fn a_column_can_be_split_by_too_and_one_group_is_counted() {
    let bench = Bench::new();
    let failure = format(&bench, &["g1", "g2"], PLAIN, json!({ "validation": 0.5, "by": "week" })).failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.on.as_deref()), ("one_group", Some("7")));
    let failure = format(&bench, &["g1"], PLAIN, json!({ "validation": 0.5, "by": "season" })).failure.unwrap();
    assert!(failure.help.unwrap().contains("game, id, label, week"));
}

#[test]
fn a_template_that_is_wrong_is_named_with_its_line() {
    let cases = [
        ("{\n\"a\": {{ nope }} }", "bad_template", "t.jinja:2"),
        ("{\n\n{{ clip.id }", "bad_template", "t.jinja:3"),
        ("{{ clip.id }}", "bad_record", "game=g1/p1"),
        ("[1]", "bad_record", "game=g1/p1"),
    ];
    for (template, code, on) in cases {
        let bench = Bench::new();
        let failure = format(&bench, &["g1"], template, Json::Null).failure.unwrap();
        assert_eq!(failure.code, code, "{failure:?}");
        assert!(failure.on.as_deref().is_some_and(|o| o.contains(on)), "{failure:?}");
    }
}
