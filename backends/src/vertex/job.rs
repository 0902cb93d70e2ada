//! An attempt -> the description of its job.

use super::config::Config;
use super::limits::disk;
use super::machine::machine;
use crate::google::labels;
use google_cloud_aiplatform_v1::model::scheduling::Strategy;
use google_cloud_aiplatform_v1::model::{
    ContainerSpec, CustomJob, CustomJobSpec, DiskSpec, EnvVar, GcsDestination, MachineSpec, Scheduling, WorkerPoolSpec,
};
use google_cloud_wkt::Duration;
use pipe_engine::attempt::{Attempt, Provision};
use pipe_engine::failure::Failure;
use pipe_engine::ids::AttemptId;
use pipe_engine::secret::{SOURCES, Source};
use pipe_engine::units::Millis;
use std::path::Path;

/// The variable by which a worker learns where it has room, and a folder on the disk of the machine.
const SCRATCH_VARIABLE: &str = "PIPE_SCRATCH";
const SCRATCH: &str = "/tmp";
/// Where results of programs that know only Vertex AI lie in a store.
const OUTPUT: &str = "vertex";

/// What the jobs of a store are shown as begins with this: attempts of one name in two stores are two attempts.
pub(super) fn family(store: &str) -> String {
    let digest = blake3::hash(store.trim_end_matches('/').as_bytes()).to_hex();
    format!("pipe-{}-", &digest[..8])
}

/// What an attempt's job is shown as. Jobs have no names to choose, so this is what they are found by.
pub(super) fn shown(attempt: &AttemptId, store: &str) -> String {
    format!("{}{attempt}", family(store))
}

/// The attempt that a job works on which is shown as this, if it is one of this store's.
pub(super) fn attempt_of(shown: &str, store: &str) -> Option<AttemptId> {
    let attempt = shown.strip_prefix(&family(store)).filter(|attempt| !attempt.is_empty())?;
    Some(AttemptId(attempt.to_owned()))
}

/// What Vertex AI is told of an attempt.
///
/// # Errors
/// When there is no image or machine for it, or a secret that no job can read.
pub(super) fn description(config: &Config, store: &str, attempt: &Attempt) -> Result<CustomJob, Failure> {
    let address = format!("{}/attempts/{}", store.trim_end_matches('/'), attempt.id);
    asking(config, store, attempt, &["worker".to_owned(), address])
}

/// The same with other words for the program of its image.
pub(super) fn asking(config: &Config, store: &str, attempt: &Attempt, words: &[String]) -> Result<CustomJob, Failure> {
    let none = Provision::default();
    let provision = attempt.provision.as_ref().unwrap_or(&none);
    let mut spec = CustomJobSpec::new()
        .set_worker_pool_specs([pool(config, attempt, provision, words)?])
        .set_scheduling(scheduling(provision));
    if let Some(account) = &config.service_account {
        spec = spec.set_service_account(account);
    }
    if let Some(output) = output(store, attempt) {
        spec = spec.set_base_output_directory(GcsDestination::new().set_output_uri_prefix(output));
    }
    let job = CustomJob::new().set_display_name(shown(&attempt.id, store)).set_labels(labels(&config.labels, attempt));
    Ok(job.set_job_spec(spec))
}

/// When to try again is the run's to decide.
fn scheduling(provision: &Provision) -> Scheduling {
    let strategy = if provision.spot { Strategy::Spot } else { Strategy::Standard };
    let once =
        Scheduling::new().set_strategy(strategy).set_disable_retries(true).set_restart_job_on_worker_restart(false);
    match provision.timeout {
        Some(timeout) => once.set_timeout(whole_seconds(timeout)),
        None => once,
    }
}

/// Where a program of the author's finds what an earlier attempt at the same key has left there: `AIP_CHECKPOINT_DIR` and its like
/// lie in it. Whoever makes everything anew begins with nothing, and what only answers a question has no key.
fn output(store: &str, attempt: &Attempt) -> Option<String> {
    let root = store.trim_end_matches('/');
    let name = match attempt.fingerprint.short(20) {
        key if attempt.anew || key.is_empty() => attempt.id.to_string(),
        key => key.to_owned(),
    };
    root.starts_with("gs://").then(|| format!("{root}/{OUTPUT}/{name}/"))
}

fn pool(
    config: &Config,
    attempt: &Attempt,
    provision: &Provision,
    words: &[String],
) -> Result<WorkerPoolSpec, Failure> {
    let Some(image) = provision.image.as_ref().or(config.image.as_ref()) else {
        return Err(Failure::failed("no_image", "neither the stage nor its backend names an image")
            .on(&attempt.task.stage)
            .help("write `image = \"REGION-docker.pkg.dev/PROJECT/REPOSITORY/pipe\"` into the backend"));
    };
    let chosen = machine(config, attempt)?;
    let mut machine = MachineSpec::new().set_machine_type(chosen.name);
    if let Some((model, count)) = chosen.gpus {
        machine = machine
            .set_accelerator_type(model.as_str())
            .set_accelerator_count(i32::try_from(count).unwrap_or(i32::MAX));
    }
    let gigabytes = disk(attempt.disk).0.div_ceil(1 << 30);
    let disk = DiskSpec::new().set_boot_disk_size_gb(i32::try_from(gigabytes).unwrap_or(i32::MAX));
    let container =
        ContainerSpec::new().set_image_uri(image).set_args(words.iter().cloned()).set_env(variables(provision)?);
    let pool = WorkerPoolSpec::new().set_machine_spec(machine).set_replica_count(1).set_disk_spec(disk);
    Ok(pool.set_container_spec(container))
}

/// A job of Vertex AI is given no secrets: it is told where they are, and reads them as the account that it acts as.
fn variables(provision: &Provision) -> Result<Vec<EnvVar>, Failure> {
    let mut variables = vec![EnvVar::new().set_name(SCRATCH_VARIABLE).set_value(SCRATCH)];
    for (name, reference) in &provision.secrets {
        let Some(Source::Cloud(_)) = Source::parse(reference, Path::new("")) else {
            let near = format!("the secret `{name}` is where no job can read it");
            return Err(Failure::failed("near_secret", near).on(reference));
        };
    }
    if !provision.secrets.is_empty() {
        let bug = |e| Failure::failed("bug", "names of secrets have no JSON").source(e);
        let sources = serde_json::to_string(&provision.secrets).map_err(bug)?;
        variables.push(EnvVar::new().set_name(SOURCES).set_value(sources));
    }
    Ok(variables)
}

fn whole_seconds(time: Millis) -> Duration {
    Duration::clamp(i64::try_from(time.0.div_ceil(1000)).unwrap_or(i64::MAX), 0)
}
