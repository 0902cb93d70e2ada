//! `pipe init`: what it writes works, and it overwrites nothing.

use crate::bench::Bench;

#[test]
fn what_init_writes_validates_plans_and_runs_as_it_is() {
    for (arguments, spec, name) in [
        (&["init", "demo"][..], "demo/pipeline.toml", "demo"),
        (&["init", "--yaml"], "pipeline.yaml", ""),
        (&["init", "specs/my week.yml"], "specs/my week.yml", "my-week"),
    ] {
        let bench = Bench::new();
        let said = bench.pipe(arguments);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.stderr.contains(&format!("wrote {spec}\n")) && said.stderr.contains("pipe run "), "{said:?}");
        let valid = bench.pipe(&["validate", spec]);
        assert_eq!(
            (valid.stdout.as_str(), valid.stderr.as_str()),
            (format!("{spec}: 2 stages, 4 tasks\n").as_str(), "")
        );
        let plan = bench.pipe(&["plan", spec, "--json"]).json();
        assert!(name.is_empty() || plan["pipeline"] == name, "{plan}");
        let run = bench.pipe(&["run", spec, "--json"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.events().last().unwrap()["succeeded"], 4);
        assert_eq!(bench.pipe(&["run", spec, "--json"]).events().last().unwrap()["cached"], 4);
    }
}

#[test]
fn both_languages_say_the_same() {
    let bench = Bench::new();
    for file in ["same.toml", "same.yaml"] {
        assert_eq!(bench.pipe(&["init", file]).code, Some(0));
    }
    let plan = |spec: &str| bench.pipe(&["plan", spec, "--json"]).json();
    assert_eq!(plan("same.toml"), plan("same.yaml"));
}

#[test]
fn init_overwrites_nothing() {
    let bench = Bench::new();
    bench.write("pipeline.toml", "mine");
    let said = bench.pipe(&["init"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr.contains("pipeline.toml is there already") && said.stderr.contains("help: "),
        "{}",
        said.stderr
    );
    assert_eq!(bench.read("pipeline.toml"), "mine");
    assert!(!bench.path(".gitignore").exists(), "nothing at all was written");
    bench.write(".gitignore", "target");
    assert_eq!(bench.pipe(&["init", "other.toml"]).code, Some(0));
    assert_eq!(bench.read(".gitignore"), "target");
}

#[test]
fn a_name_that_says_another_language_than_is_asked_for_is_refused() {
    let said = Bench::new().pipe(&["init", "x.toml", "--yaml"]);
    assert!(said.code == Some(2) && said.stderr.contains("end in .yaml"), "{}", said.stderr);
}

#[cfg(not(feature = "video"))]
#[test]
fn a_build_without_video_offers_what_it_has() {
    let bench = Bench::new();
    let said = bench.pipe(&["init", "--template", "clips"]);
    assert!(said.code == Some(2) && said.stderr.contains("`--template command`"), "{}", said.stderr);
    assert_eq!(std::fs::read_dir(bench.path("")).unwrap().count(), 0);
}

#[cfg(all(feature = "video", feature = "trainer"))]
#[test]
fn the_other_templates_say_what_is_missing_and_then_have_a_plan() {
    let sample = crate::sample::Sample::shared();
    for (template, yaml, tasks) in
        [("clips", false, 6), ("clips", true, 6), ("quickstart", false, 75), ("quickstart", true, 75)]
    {
        let bench = Bench::new();
        let spec = if yaml { "week.yaml" } else { "week.toml" };
        let said = bench.pipe(&["init", spec, "--template", template]);
        assert!(said.code == Some(0) && said.stderr.contains("videos/GAME/ANGLE.mp4"), "{said:?}");
        let missing = bench.pipe(&["validate", spec]);
        assert!(missing.code == Some(2) && missing.stderr.contains("data/plays.db"), "{}", missing.stderr);
        let data = sample.param();
        let plan = bench.pipe(&["plan", spec, "-P", &data, "--json"]).json();
        assert_eq!(plan["tasks"].as_array().unwrap().len(), tasks, "{template}");
        if template == "clips" && !yaml {
            assert_eq!(bench.pipe(&["run", spec, "-P", &data]).code, Some(0));
        }
    }
}
