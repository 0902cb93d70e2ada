//! `pipe image`. The builder here writes down what it is asked for; `tools/image.sh` has a real one build the image.

use crate::bench::{Bench, Said};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A builder that keeps the folder it was given, and says of an image what docker and podman say, each in its own way.
const BUILDER: &str = r#"#!/bin/sh
echo "$*" >> "$BUILT/asked"
digest=sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0
case "$1 $2" in
    "build "*) for folder; do :; done; cp -r "$folder" "$BUILT/context" ;;
    "push --digestfile") printf %s "$digest" > "$3" ;;
    "push localhost/refused"*) echo "denied" >&2; exit 1 ;;
    "image inspect") echo "a.dev/films/worker@$digest" ;;
esac
"#;

fn bench() -> Bench {
    let bench = Bench::new();
    fs::create_dir(bench.path("bin")).unwrap();
    for name in ["docker", "podman"] {
        bench.write(&format!("bin/{name}"), BUILDER);
        fs::set_permissions(bench.path(&format!("bin/{name}")), fs::Permissions::from_mode(0o755)).unwrap();
    }
    bench
}

fn image(bench: &Bench, arguments: &[&str]) -> Said {
    let mut command = bench.command(&[&["image"], arguments].concat());
    let path = format!("{}:{}", bench.path("bin").display(), std::env::var("PATH").unwrap());
    bench.said(command.env("PATH", path).env("BUILT", bench.path("")))
}

#[test]
fn the_image_is_built_of_the_very_program_that_was_typed_and_runs_without_rights() {
    let bench = bench();
    let said = image(&bench, &["build", "a.dev/films/worker:v7", "--json"]);
    assert_eq!((said.code, said.json()["image"].as_str()), (Some(0), Some("a.dev/films/worker:v7")), "{said:?}");
    assert!(fs::read(bench.path("context/pipe")).unwrap() == fs::read(env!("CARGO_BIN_EXE_pipe")).unwrap());
    let dockerfile = bench.read("context/Dockerfile");
    assert_eq!(dockerfile.trim_end(), image(&bench, &["show"]).stdout.trim_end());
    assert!(dockerfile.contains("\nUSER 10001\n") && dockerfile.contains("\nENTRYPOINT [\"pipe\"]\n"), "{dockerfile}");
    let asked = bench.read("asked");
    assert!(asked.contains("build --target cpu --tag a.dev/films/worker:v7 /"), "{asked}");
    image(&bench, &["build", "--cuda", "--with", "podman", "a.dev/films/worker:v7"]);
    assert!(bench.read("asked").contains("build --target cuda --tag"), "{}", bench.read("asked"));
}

#[test]
fn pushing_gives_the_name_with_the_digest_that_a_spec_is_to_have() {
    let bench = bench();
    let pinned = "a.dev/films/worker@sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
    for builder in ["docker", "podman"] {
        let said = image(&bench, &["push", "--with", builder, "a.dev/films/worker:v7", "--json"]);
        assert_eq!((said.code, said.json()["image"].as_str()), (Some(0), Some(pinned)), "{said:?}");
    }
    let said = image(&bench, &["push", "a.dev/films/worker"]);
    assert!(said.stderr.contains(&format!("image = \"{pinned}\"")), "{said:?}");
}

#[test]
fn what_stops_an_image_is_told_with_what_to_do() {
    let bench = bench();
    let refused = image(&bench, &["push", "localhost/refused"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("denied") && refused.stderr.contains("configure-docker"), "{refused:?}");
    let wrong = image(&bench, &["build", "Films/Worker"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("`Films/Worker` is no name of an image"), "{wrong:?}");
    let none = bench.said(bench.command(&["image", "build", "a.dev/worker"]).env("PATH", bench.path("empty")));
    assert_eq!(none.code, Some(3), "{none:?}");
    assert!(none.stderr.contains("no docker, no podman, no buildah"), "{none:?}");
    let other = image(&bench, &["build", "--with", "kanikoo", "a.dev/worker"]);
    assert!(other.stderr.contains("`kanikoo` does not start"), "{other:?}");
}
