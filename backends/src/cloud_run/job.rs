//! An attempt -> the description of its job.

use super::config::{Config, Scratch};
use super::limits::shape;
use crate::google::labels;
use google_cloud_run_v2::model::{
    Container, EmptyDirVolumeSource, EnvVar, EnvVarSource, ExecutionTemplate, Job, NodeSelector, ResourceRequirements,
    SecretKeySelector, TaskTemplate, Volume, VolumeMount,
};
use google_cloud_wkt::Duration;
use pipe_engine::attempt::{Attempt, Provision};
use pipe_engine::backend::Need;
use pipe_engine::failure::Failure;
use pipe_engine::ids::AttemptId;
use pipe_engine::secret::{NAMES, Source};
use pipe_engine::units::{Bytes, Cpu, Millis};
use std::path::Path;

/// Where a container has its scratch space, and what it has where none was asked for: a folder in its memory.
const SCRATCH: &str = "/scratch";
const NO_SCRATCH: &str = "/tmp";
/// The variable by which a worker learns of it.
const SCRATCH_VARIABLE: &str = "PIPE_SCRATCH";
const VOLUME: &str = "scratch";
/// The GPU of whoever asks for any.
const ANY_GPU: &str = "nvidia-l4";

/// The name of an attempt's job, within its project and region. Attempts of one name in two stores are two attempts, so the
/// store is in it.
pub(super) fn id(attempt: &AttemptId, store: &str) -> String {
    let digest = blake3::hash(store.trim_end_matches('/').as_bytes()).to_hex();
    format!("pipe-{attempt}-{}", &digest[..8])
}

/// The attempt that a job of this name works on, if it is one of this store's. The name may have project and region before it.
pub(super) fn attempt_of(name: &str, store: &str) -> Option<AttemptId> {
    let last = name.rsplit('/').next()?;
    let (attempt, _) = last.strip_prefix("pipe-")?.rsplit_once('-')?;
    let attempt = AttemptId(attempt.to_owned());
    (id(&attempt, store) == last).then_some(attempt)
}

/// What Cloud Run is told of an attempt.
///
/// # Errors
/// When there is no image for it, or a secret that no job can be given.
pub(super) fn description(config: &Config, project: &str, store: &str, attempt: &Attempt) -> Result<Job, Failure> {
    let none = Provision::default();
    let provision = attempt.provision.as_ref().unwrap_or(&none);
    let labels = labels(&config.labels, attempt);
    let mut task = TaskTemplate::new()
        .set_containers([container(config, project, store, attempt, provision)?])
        // When to try again is the run's to decide.
        .set_max_retries(0);
    if let Some(timeout) = provision.timeout {
        task = task.set_timeout(whole_seconds(timeout));
    }
    if let Some(account) = &config.service_account {
        task = task.set_service_account(account);
    }
    if let Some(disk) = attempt.disk {
        let medium = match config.scratch {
            Scratch::Disk => "DISK",
            Scratch::Memory => "MEMORY",
        };
        let space = EmptyDirVolumeSource::new().set_medium(medium).set_size_limit(mebibytes(disk));
        task = task.set_volumes([Volume::new().set_name(VOLUME).set_empty_dir(space)]);
    }
    if let Some(gpu) = &provision.gpu {
        let model = gpu.model.as_deref().unwrap_or(ANY_GPU);
        let selector = NodeSelector::new().set_accelerator(model);
        // Nobody waits for a second zone: there is one task, and it is tried again elsewhere.
        task = task.set_node_selector(selector).set_gpu_zonal_redundancy_disabled(true);
    }
    let execution = ExecutionTemplate::new().set_labels(labels.clone()).set_task_count(1).set_parallelism(1);
    Ok(Job::new().set_labels(labels).set_client("pipe").set_template(execution.set_template(task)))
}

fn container(
    config: &Config,
    project: &str,
    store: &str,
    attempt: &Attempt,
    provision: &Provision,
) -> Result<Container, Failure> {
    let Some(image) = provision.image.as_ref().or(config.image.as_ref()) else {
        return Err(Failure::failed("no_image", "neither the stage nor its backend names an image")
            .on(&attempt.task.stage)
            .help("write `image = \"REGION-docker.pkg.dev/PROJECT/REPOSITORY/pipe\"` into the backend"));
    };
    let gpus = provision.gpu.as_ref().map(|gpu| gpu.count);
    let shape = shape(&config.of_instance(&need(attempt, provision)));
    let mut limits = vec![("cpu".to_owned(), shape.cpu.to_string()), ("memory".to_owned(), mebibytes(shape.memory))];
    limits.extend(gpus.map(|count| ("nvidia.com/gpu".to_owned(), count.to_string())));
    let container = Container::new()
        .set_image(image)
        .set_args(["worker".to_owned(), format!("{}/attempts/{}", store.trim_end_matches('/'), attempt.id)])
        .set_env(variables(project, attempt, provision)?)
        .set_resources(ResourceRequirements::new().set_limits(limits));
    Ok(match attempt.disk {
        Some(_) => container.set_volume_mounts([VolumeMount::new().set_name(VOLUME).set_mount_path(SCRATCH)]),
        None => container,
    })
}

/// What the attempt asks for: more memory than its stage does, where one before it had too little.
fn need(attempt: &Attempt, provision: &Provision) -> Need {
    let cpu = Cpu(attempt.cpu.saturating_mul(1000));
    Need { cpu, memory: attempt.memory, disk: attempt.disk, gpu: provision.gpu.clone(), ..Need::default() }
}

fn variables(project: &str, attempt: &Attempt, provision: &Provision) -> Result<Vec<EnvVar>, Failure> {
    let scratch = if attempt.disk.is_some() { SCRATCH } else { NO_SCRATCH };
    let mut variables = vec![EnvVar::new().set_name(SCRATCH_VARIABLE).set_value(scratch)];
    if !provision.secrets.is_empty() {
        let names: Vec<&str> = provision.secrets.keys().map(String::as_str).collect();
        variables.push(EnvVar::new().set_name(NAMES).set_value(names.join(",")));
    }
    for (name, reference) in &provision.secrets {
        let secret = secret(project, reference).ok_or_else(|| {
            Failure::failed("near_secret", format!("the secret `{name}` is where no job can read it")).on(reference)
        })?;
        variables.push(EnvVar::new().set_name(name).set_value_source(EnvVarSource::new().set_secret_key_ref(secret)));
    }
    Ok(variables)
}

/// A secret as Cloud Run names it: one of the job's own project by its last name alone.
fn secret(project: &str, reference: &str) -> Option<SecretKeySelector> {
    let Some(Source::Cloud(name)) = Source::parse(reference, Path::new("")) else { return None };
    let (secret, version) = name.split_once("/versions/")?;
    let own = format!("projects/{project}/secrets/");
    let secret = secret.strip_prefix(&own).unwrap_or(secret);
    Some(SecretKeySelector::new().set_secret(secret).set_version(version))
}

/// Cloud Run counts in whole seconds.
fn whole_seconds(time: Millis) -> Duration {
    Duration::clamp(i64::try_from(time.0.div_ceil(1000)).unwrap_or(i64::MAX), 0)
}

fn mebibytes(bytes: Bytes) -> String {
    format!("{}Mi", bytes.0.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_attempt_to_those_of_its_store_alone() {
        let attempt = AttemptId("0123456789abcdef0123-12".to_owned());
        let name = format!("projects/films/locations/us-central1/jobs/{}", id(&attempt, "gs://films/results"));
        assert_eq!(attempt_of(&name, "gs://films/results/"), Some(attempt));
        assert_eq!(attempt_of(&name, "gs://films/others"), None);
        for other in ["", "pipe", "pipe-", "nightly-report", "projects/films/locations/us-central1/jobs/pipe-a"] {
            assert_eq!(attempt_of(other, "gs://films/results"), None, "{other}");
        }
    }
}
