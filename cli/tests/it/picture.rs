//! `pipe graph` as SVG, read back: what it shows, and that nothing hides anything else.

use crate::bench::{Bench, SUM};
use roxmltree::{Document, Node};

/// Twelve stages whose lines cross, skip layers, fan out and gather. Each has a matrix key of its own.
fn tangle() -> Bench {
    let needs: [&[usize]; 12] =
        [&[], &[0], &[0], &[1, 2], &[0, 3], &[2], &[3, 5], &[4, 6], &[0, 7], &[], &[9, 3], &[8, 10, 1]];
    let mut spec = "version = 1\nname = \"tangle\"\n".to_owned();
    for (i, needs) in needs.iter().enumerate() {
        let inputs: Vec<String> = needs.iter().map(|n| format!("i{n} = {{ stage = \"stage-{n}\" }}")).collect();
        let cells: Vec<String> = (0..1 + i % 5).map(|cell| cell.to_string()).collect();
        spec += &format!(
            "[stages.stage-{i}]\nkind = \"command\"\nargv = [\"true\"]\nmatrix.k{i} = [{}]\ninputs = {{ {} }}\n",
            cells.join(", "),
            inputs.join(", ")
        );
    }
    Bench::with(&spec)
}

fn svg(bench: &Bench, arguments: &[&str]) -> String {
    let said = bench.pipe(&[&["graph", "spec.toml", "--format", "svg"], arguments].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    said.stdout
}

/// `x, y, right, bottom` of the rectangles of a class.
fn boxes(picture: &Document<'_>, class: &str) -> Vec<[f64; 4]> {
    let is = |node: &Node<'_, '_>| {
        node.has_tag_name("rect") && node.attribute("class").is_some_and(|found| found.split(' ').any(|c| c == class))
    };
    let number = |node: Node<'_, '_>, name: &str| node.attribute(name).unwrap().parse::<f64>().unwrap();
    let found = picture.descendants().filter(is).map(|node| {
        let (x, y) = (number(node, "x"), number(node, "y"));
        [x, y, x + number(node, "width"), y + number(node, "height")]
    });
    found.collect()
}

fn overlap(a: &[f64; 4], b: &[f64; 4]) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

/// Points along a path of `M`, `L` and `C`.
fn points(path: &str) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for part in path.split(['M', 'L', 'C']).skip(1) {
        let numbers: Vec<f64> = part.split_whitespace().map(|n| n.parse().unwrap()).collect();
        let from = points.last().copied();
        match (numbers.as_slice(), from) {
            ([x, y], None) => points.push((*x, *y)),
            ([x, y], Some(from)) => points.extend((1..=20).map(|i| between(from, (*x, *y), f64::from(i) / 20.0))),
            ([ax, ay, bx, by, x, y], Some(from)) => points.extend((1..=20).map(|i| {
                let t = f64::from(i) / 20.0;
                let (p, q, r) = (
                    between(from, (*ax, *ay), t),
                    between((*ax, *ay), (*bx, *by), t),
                    between((*bx, *by), (*x, *y), t),
                );
                between(between(p, q, t), between(q, r, t), t)
            })),
            other => panic!("{other:?} in {path}"),
        }
    }
    points
}

fn between(a: (f64, f64), b: (f64, f64), t: f64) -> (f64, f64) {
    (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t)
}

/// Whether a point lies inside a box, with half a point to spare.
fn inside((x, y): (f64, f64), b: &[f64; 4]) -> bool {
    x > b[0] + 0.5 && x < b[2] - 0.5 && y > b[1] + 0.5 && y < b[3] - 0.5
}

/// Nothing hides anything else: stages lie apart, tasks lie apart inside their stages, and lines run between.
fn assert_clear(text: &str) {
    let picture = Document::parse(text).unwrap();
    let (stages, tasks) = (boxes(&picture, "stage"), boxes(&picture, "cell"));
    for boxes in [&stages, &tasks] {
        for (i, a) in boxes.iter().enumerate() {
            assert!(boxes[..i].iter().all(|b| !overlap(a, b)), "{a:?} overlaps another:\n{text}");
        }
    }
    let within = |a: &[f64; 4], b: &[f64; 4]| a[0] >= b[0] && a[1] >= b[1] && a[2] <= b[2] && a[3] <= b[3];
    assert!(tasks.iter().all(|task| stages.iter().any(|stage| within(task, stage))), "{text}");
    let page = boxes(&picture, "page")[0];
    assert!(stages.iter().all(|stage| within(stage, &page)), "{text}");
    let lines = picture.descendants().filter(|node| node.attribute("class").is_some_and(|c| c.starts_with("line")));
    for line in lines {
        let points = points(line.attribute("d").unwrap());
        // A line may begin and end at a task inside a stage, and touches no other stage.
        let (first, last) = (points[0], points[points.len() - 1]);
        let touches =
            |b: &[f64; 4], p: (f64, f64)| p.0 >= b[0] - 1.0 && p.0 <= b[2] + 1.0 && p.1 >= b[1] && p.1 <= b[3];
        for stage in stages.iter().filter(|stage| !touches(stage, first) && !touches(stage, last)) {
            assert!(points.iter().all(|point| !inside(*point, stage)), "{line:?} runs through {stage:?}:\n{text}");
        }
        for task in &tasks {
            assert!(points.iter().all(|point| !inside(*point, task)), "{line:?} runs through {task:?}:\n{text}");
        }
    }
}

#[test]
fn a_picture_shows_every_stage_with_its_kind_and_number_of_tasks() {
    let text = svg(&tangle(), &[]);
    let picture = Document::parse(&text).unwrap();
    let said: Vec<&str> = picture.descendants().filter(|n| n.has_tag_name("text")).filter_map(|n| n.text()).collect();
    for i in 0..12 {
        let name = format!("stage-{i}");
        assert!(said.contains(&name.as_str()), "{name}: {said:?}");
    }
    assert_eq!(said.iter().filter(|text| text.starts_with("command, ")).count(), 12);
    assert!(said.contains(&"command, 5 tasks") && said.contains(&"33 tasks in 12 stages"), "{said:?}");
    assert_eq!(picture.descendants().filter(|n| n.attribute("class") == Some("tip")).count(), 18, "one for each arrow");
}

#[test]
fn nothing_in_a_picture_hides_anything_else() {
    let bench = tangle();
    assert_clear(&svg(&bench, &[]));
    assert_clear(&svg(&bench, &["--tasks"]));
}

#[test]
fn a_picture_of_two_hundred_tasks_has_all_of_them_and_room_for_each() {
    let many: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let bench = Bench::with(&SUM.replace("[1, 2]", &format!("[{}]", many.join(", "))));
    let text = svg(&bench, &["--tasks"]);
    assert_clear(&text);
    let picture = Document::parse(&text).unwrap();
    assert_eq!(boxes(&picture, "cell").len(), 200);
    let page = boxes(&picture, "page")[0];
    assert!(page[2] < 2500.0 && page[3] < 1500.0, "it fits a large screen: {page:?}");
}

#[test]
fn a_long_chain_grows_downwards_and_a_wide_fan_is_dense() {
    let stage = |name: &str, need: &str| {
        format!(
            "[stages.{name}]\nkind = \"command\"\nargv = [\"true\"]\ninputs = {{ {} }}\n",
            if need.is_empty() { String::new() } else { format!("x = {{ stage = \"{need}\" }}") }
        )
    };
    let head = "version = 1\nname = \"sum\"\n".to_owned();
    let chain: String = (1..40).map(|i| stage(&format!("s{i}"), &format!("s{}", i - 1))).collect();
    let text = svg(&Bench::with(&(head.clone() + &stage("s0", "") + &chain)), &[]);
    assert_clear(&text);
    let page = boxes(&Document::parse(&text).unwrap(), "page")[0];
    assert!(page[2] < 600.0 && page[3] > 2000.0, "{page:?}");
    let fan: String = (1..60).map(|i| stage(&format!("leaf{i}"), "root")).collect();
    let text = svg(&Bench::with(&(head + &stage("root", "") + &fan)), &[]);
    assert_clear(&text);
    let stages = boxes(&Document::parse(&text).unwrap(), "stage");
    assert!(stages.iter().all(|b| b[3] - b[1] < 30.0), "{stages:?}");
}

#[test]
fn what_would_be_done_with_each_task_is_told_in_words_and_shapes() {
    let bench = Bench::with(SUM);
    let before = svg(&bench, &[]);
    assert!(!before.contains("class=\"tally\""), "nothing is known before there is a store");
    bench.run();
    assert!(svg(&bench, &[]).contains(">3 up to date<"));
    let text = svg(&bench, &["-P", "numbers=[2, 3]", "--tasks"]);
    for part in [">1 up to date<", ">1 to run<", ">1 that depend on these<", ">1 hit<", ">1 run<", "class=\"cell run\""]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn values_that_xml_would_read_as_its_own_are_written_as_text() {
    let spec = SUM.replace("[1, 2]", "[\"a<b>&\\\"c\\\"\", \"é\"]").replace("{{ n }}", "x");
    let text = svg(&Bench::with(&spec), &["--tasks"]);
    let picture = Document::parse(&text).unwrap();
    assert!(picture.descendants().any(|node| node.text() == Some("a<b>&\"c\"")), "{text}");
}

#[test]
fn the_same_plan_has_the_same_picture_and_a_file_has_the_format_of_its_name() {
    let bench = tangle();
    assert_eq!(svg(&bench, &["--tasks"]), svg(&bench, &["--tasks"]));
    for (file, begin) in [("a.svg", "<svg"), ("a.dot", "digraph"), ("a.mmd", "flowchart")] {
        assert_eq!(bench.pipe(&["graph", "spec.toml", "-o", file]).code, Some(0));
        assert!(bench.read(file).starts_with(begin), "{file}");
    }
    let unknown = bench.pipe(&["graph", "spec.toml", "-o", "a.png"]);
    assert!(unknown.code == Some(2) && unknown.stderr.contains(".svg, .dot or .mmd"), "{}", unknown.stderr);
    let tasks = bench.pipe(&["graph", "spec.toml", "--format", "dot", "--tasks"]);
    assert!(tasks.code == Some(2) && tasks.stderr.contains("--format svg"), "{}", tasks.stderr);
}
