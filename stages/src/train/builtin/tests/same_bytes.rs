//! The same dataset and settings give the same model, and a model read back is the one that was written.

use std::path::Path;
use std::process::Command;

use super::super::{Clip, Model, ModelError, Settings};
use super::synthetic::{Ball, dataset};
use super::{epochs, trained};

/// Names the file that the test below asks of itself in another process.
const MODEL_OF_CHILD: &str = "PIPE_TEST_MODEL_OF_CHILD";

fn model_bytes(threads: usize, seed: u64) -> Vec<u8> {
    let plays = dataset(12, 6, Ball::Tells, 7);
    let settings = Settings { epochs: epochs(2), batch: epochs(24), seed, ..Settings::default() };
    trained(&plays, &settings, threads).model.to_bytes().expect("a model becomes bytes")
}

#[test]
fn the_same_bytes_come_from_any_number_of_threads_and_others_from_another_seed() {
    // Candle asks the environment how many threads a matrix product may use, so that too is varied, in children.
    if let Some(path) = std::env::var_os(MODEL_OF_CHILD) {
        std::fs::write(path, model_bytes(1, 5)).expect("the parent's folder can be written");
        return;
    }
    let first = model_bytes(1, 5);
    assert!(first == model_bytes(2, 5), "two threads gave other bytes than one");
    assert!(first != model_bytes(1, 6), "the seed changed nothing");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for threads in ["1", "2", "3"] {
        assert!(first == bytes_of_child(threads, &folder.path().join(threads)), "RAYON_NUM_THREADS={threads}");
    }
}

fn bytes_of_child(threads: &str, path: &Path) -> Vec<u8> {
    let (_, module) = module_path!().split_once("::").expect("a module has a crate");
    let test = format!("{module}::the_same_bytes_come_from_any_number_of_threads_and_others_from_another_seed");
    let child = Command::new(std::env::current_exe().expect("a test has a program"))
        .args(["--exact", &test])
        .env(MODEL_OF_CHILD, path)
        .env("RAYON_NUM_THREADS", threads)
        .output()
        .expect("the test's program starts");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    std::fs::read(path).expect("the child wrote its model")
}

#[test]
fn a_model_read_back_gives_the_same_numbers() {
    let plays = dataset(12, 6, Ball::Tells, 7);
    let fitted = trained(&plays, &Settings { epochs: epochs(1), ..Settings::default() }, 1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    fitted.write(folder.path()).expect("the folder can be written");
    let read = Model::load(&folder.path().join("model.safetensors")).expect("it was just written");
    let clips: Vec<Clip<'_>> =
        (0..4).map(|row| Clip { view: &plays.examples()[row].view, frames: plays.clip(row) }).collect();
    assert_eq!(read.predict(&clips).expect("clips fit"), fitted.model.predict(&clips).expect("clips fit"));
    assert_eq!(read.predict_play(&clips).expect("clips fit"), fitted.model.predict_play(&clips).expect("clips fit"));
    assert_eq!((read.labels(), read.views(), read.shape()), (plays.labels(), plays.views(), plays.shape()));
}

#[test]
fn every_file_of_a_training_is_there_and_says_the_same() {
    let plays = dataset(12, 6, Ball::Tells, 7);
    let fitted = trained(&plays, &Settings { epochs: epochs(3), ..Settings::default() }, 1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    fitted.write(folder.path()).expect("the folder can be written");
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("the file is there");
    let epochs: Vec<serde_json::Value> =
        text("metrics.jsonl").lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(epochs.iter().map(|epoch| epoch["epoch"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    let confusion: serde_json::Value = serde_json::from_str(&text("confusion.json")).expect("the file is JSON");
    assert_eq!(confusion["labels"][0], "blitz");
    assert_eq!(confusion["counts"].as_array().map(Vec::len), Some(6));
    assert!(text("confusion.svg").contains("of 6 plays right"));
    assert!(text("loss.svg").contains("Accuracy (%)"));
}

#[test]
fn a_file_that_is_no_model_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    for bytes in [&b""[..], b"not a model", &[0xff; 64]] {
        std::fs::write(&path, bytes).expect("the folder can be written");
        let error = Model::load(&path).expect_err("these bytes are no model");
        assert!(matches!(error, ModelError::Format { .. }), "{error}");
        assert!(error.to_string().contains("model.safetensors` that it wrote"), "{error}");
    }
    let missing = Model::load(&folder.path().join("none")).expect_err("there is no such file");
    assert!(matches!(missing, ModelError::File { .. }), "{missing}");
}

#[test]
fn a_clip_that_does_not_fit_the_model_is_refused() {
    let plays = dataset(12, 6, Ball::Tells, 7);
    let model = trained(&plays, &Settings { epochs: epochs(1), ..Settings::default() }, 1).model;
    let message = |view, frames| model.predict(&[Clip { view, frames }]).expect_err("it does not fit").to_string();
    assert_eq!(
        message("TOP", plays.clip(0)),
        "view `TOP` is unknown to the model, which was trained on FAR_LEFT, FAR_RIGHT, NEAR_LEFT, NEAR_RIGHT: ask with \
         one of these, or train with the view"
    );
    assert_eq!(
        message("FAR_LEFT", &[0.0; 5]),
        "a clip holds 5 numbers, but the model needs frames of shape [6, 3, 36, 64]: preprocess with the size of training"
    );
    assert!(matches!(model.predict_play(&[]), Err(ModelError::NoClips)));
}
