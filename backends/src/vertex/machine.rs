//! What an attempt needs -> the machine type it gets, and the GPUs on it: those that its price is of.

use super::config::Config;
use super::prices;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::Need;
use pipe_engine::failure::Failure;
use pipe_engine::units::Cpu;

/// A machine type, and the GPUs it is to have: their type as Vertex AI names it, and how many.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) gpus: Option<(String, u32)>,
}

/// The machine that the settings name, else the cheapest that holds the attempt.
///
/// # Errors
/// When no machine that is known does.
pub(super) fn machine(config: &Config, attempt: &Attempt) -> Result<Machine, Failure> {
    let need = need(attempt);
    chosen(config, &need).ok_or_else(|| too_large(attempt, &need))
}

fn need(attempt: &Attempt) -> Need {
    let provision = attempt.provision.as_ref();
    Need {
        cpu: Cpu(attempt.cpu.saturating_mul(1000)),
        memory: attempt.memory,
        disk: attempt.disk,
        gpu: provision.and_then(|provision| provision.gpu.clone()),
        spot: provision.is_some_and(|provision| provision.spot),
        region: provision.and_then(|provision| provision.region.clone()),
    }
}

fn chosen(config: &Config, need: &Need) -> Option<Machine> {
    if let Some(fit) = prices::machine(config, need) {
        let gpus = fit.gpus.map(|(model, count)| (accelerator(model), count));
        return Some(Machine { name: fit.machine.name.clone(), gpus });
    }
    // What the settings name may be newer than what we know.
    let name = config.machine.clone()?;
    let gpus = need.gpu.as_ref().and_then(|gpu| Some((accelerator(gpu.model.as_deref()?), gpu.count)));
    Some(Machine { name, gpus })
}

/// Specs name a type as Compute Engine does, `nvidia-l4`, and Vertex AI calls it `NVIDIA_L4`.
fn accelerator(model: &str) -> String {
    model.to_ascii_uppercase().replace('-', "_")
}

fn too_large(attempt: &Attempt, need: &Need) -> Failure {
    let gpus = need.gpu.as_ref();
    let gpus =
        gpus.map_or_else(String::new, |gpu| format!(" and {} {}", gpu.count, gpu.model.as_deref().unwrap_or("GPU")));
    let message = format!("Vertex AI has no machine with {} CPUs, {}{gpus} that pipe knows", need.cpu, need.memory);
    Failure::failed("no_such_machine", message)
        .on(&attempt.task.stage)
        .help("ask for less, or name one: `machine = \"a3-highgpu-8g\"` in the backend")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipe_engine::resources::Gpu;
    use pipe_engine::units::Bytes;

    /// Source: the page on machine types of custom jobs, see the table.
    #[test]
    fn a_machine_that_is_named_has_the_gpus_it_always_has_and_any_others_that_are_named() {
        let of = |name: &str, model: Option<&str>, count| {
            let config = Config { machine: Some(name.to_owned()), ..Config::default() };
            let gpu = model.map(|model| Gpu { model: Some(model.to_owned()), count, memory: None });
            let need = Need { cpu: Cpu(1000), memory: Bytes(1 << 30), gpu, ..Need::default() };
            let machine = chosen(&config, &need).unwrap();
            assert_eq!(machine.name, name);
            machine.gpus.map(|(model, count)| format!("{count} {model}"))
        };
        assert_eq!(of("g2-standard-8", None, 0).as_deref(), Some("1 NVIDIA_L4"));
        assert_eq!(of("n1-standard-8", None, 0), None);
        assert_eq!(of("n1-standard-8", Some("nvidia-tesla-t4"), 2).as_deref(), Some("2 NVIDIA_TESLA_T4"));
        assert_eq!(of("n1-standard-32", Some("nvidia-tesla-t4"), 3).as_deref(), Some("4 NVIDIA_TESLA_T4"));
        assert_eq!(of("z9-future-8", Some("nvidia-b200"), 2).as_deref(), Some("2 NVIDIA_B200"));
        assert_eq!(of("z9-future-8", None, 0), None);
    }

    #[test]
    fn what_no_machine_holds_has_none_unless_one_is_named() {
        let need = Need { cpu: Cpu(1_000_000), memory: Bytes(1 << 30), ..Need::default() };
        assert_eq!(chosen(&Config::default(), &need), None);
    }
}
