//! Where a task runs and where its bytes lie decide nothing about what it makes: the quickstart here, from a bucket, and as jobs
//! elsewhere. `PIPE_TEST_PARITY=whole` takes all of its games and angles.

use crate::afar::{Afar, BUCKET, CLOUD_RUN, VERTEX};
use crate::quick::{FILMS, Quick};
use crate::service::files;
use pipe_testdata::Recipe;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The fingerprint and the artifact's digest of each task.
type Made = BTreeMap<String, (String, String)>;

fn made(manifests: impl Iterator<Item = Json>) -> Made {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let tasks = manifests.filter(|manifest| manifest["of"] == "task");
    tasks
        .map(|task| (task["provenance"]["task"].to_string(), (text(&task["fingerprint"]), text(&task["digest"]))))
        .collect()
}

fn made_in_folder(afar: &Afar, folder: &str) -> Made {
    let manifests = files(&afar.bench.path(folder).join("results")).into_iter();
    made(manifests.map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap()))
}

fn made_in_bucket(afar: &Afar, prefix: &str) -> Made {
    let start = format!("{prefix}/results/");
    let objects = afar.standin.objects(BUCKET).into_iter().filter(|(name, _)| name.starts_with(&start));
    made(objects.map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap()))
}

fn digests(made: &Made) -> BTreeMap<&str, &str> {
    made.iter().map(|(task, (_, digest))| (task.as_str(), digest.as_str())).collect()
}

#[test]
fn the_quickstart_makes_the_same_in_a_folder_out_of_a_bucket_and_elsewhere() {
    let is_whole = std::env::var("PIPE_TEST_PARITY").is_ok_and(|much| much == "whole");
    let quick = if is_whole { Quick::of(Recipe::default()) } else { Quick::small() };
    let afar = &quick.afar;
    quick.write(&quick.spec("", &quick.videos(), "out"));
    afar.run("folder", &[]);
    let here = made_in_folder(afar, "out");
    assert_eq!(here.len(), if is_whole { 75 } else { 2 + 2 + 2 + 3 });

    quick.write(&quick.spec("", FILMS, &format!("gs://{BUCKET}/local")));
    afar.run("local", &[]);
    let from_bucket = made_in_bucket(afar, "local");
    assert_eq!(digests(&from_bucket), digests(&here), "artifacts are those of a folder");

    for place in [&CLOUD_RUN, &VERTEX] {
        let spec =
            quick.spec("backend = \"there\"\ntimeout = \"20m\"", FILMS, &format!("gs://{BUCKET}/{}", place.name));
        let before = afar.containers().len();
        quick.write(&format!("{spec}\n{}", afar.settings_of(place)));
        afar.run(place.name, &[]);
        assert_eq!(made_in_bucket(afar, place.name), from_bucket, "{}", place.name);
        assert_eq!(afar.containers().len() - before, here.len(), "each task ran there, once");
    }
}
