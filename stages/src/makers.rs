//! The setting `device`, and the GPUs that a task was given -> what makes its frames.

use pipe_engine::failure::Failure;
use pipe_video::Device;
#[cfg(feature = "cuda")]
use pipe_video::cuda::Gpus;
use pipe_video::frames::Preprocess;
use std::ffi::OsStr;

/// By this variable the engine tells a task which GPUs are its own.
pub(crate) const GIVEN: &str = "CUDA_VISIBLE_DEVICES";

/// What makes the frames of a task, for all its threads.
pub(crate) struct Makers {
    #[cfg(feature = "cuda")]
    gpus: Gpus,
}

impl Makers {
    /// `given`: the GPUs that the task has to itself. `auto` uses no others: who asked for none leaves them to those who did.
    #[cfg(feature = "cuda")]
    pub(crate) fn open(device: Device, given: Option<&OsStr>) -> Result<Self, Failure> {
        let device = match device {
            Device::Auto if given.is_none_or(OsStr::is_empty) => Device::Cpu,
            other => other,
        };
        let help = "`device = \"auto\"` uses the CPU where there is no GPU; `pipe gpu info` lists those there are";
        let gpus = Gpus::open(device).map_err(|e| Failure::failed("no_gpu", e.to_string()).help(help))?;
        Ok(Makers { gpus })
    }

    /// As above, in a build without CUDA.
    #[cfg(not(feature = "cuda"))]
    pub(crate) fn open(device: Device, _: Option<&OsStr>) -> Result<Self, Failure> {
        match device {
            Device::Cuda(_) => Err(Failure::failed("no_gpu", "this `pipe` was built without the feature `cuda`")
                .help("use `device = \"auto\"`, or a build with it")),
            Device::Auto | Device::Cpu => Ok(Makers {}),
        }
    }

    /// Has the GPU, if there is one, decode clips, too.
    pub(crate) fn decoding(self) -> Self {
        #[cfg(feature = "cuda")]
        return Makers { gpus: self.gpus.decoding() };
        #[cfg(not(feature = "cuda"))]
        {
            tracing::warn!("clips are decoded on the CPU: this `pipe` was built without the feature `cuda`");
            self
        }
    }

    /// Lets one thread work with the task's device. `cpu` is the thread's own, for what no GPU does.
    pub(crate) fn lend<T>(&self, cpu: &mut dyn Preprocess, work: impl FnOnce(&mut dyn Preprocess) -> T) -> T {
        #[cfg(feature = "cuda")]
        return work(&mut self.gpus.beside(cpu));
        #[cfg(not(feature = "cuda"))]
        work(cpu)
    }

    /// Says what became of the GPU, each thing once.
    pub(crate) fn tell(&self) {
        #[cfg(feature = "cuda")]
        for told in self.gpus.told() {
            tracing::warn!("{told}");
        }
    }
}

#[cfg(all(test, feature = "cuda"))]
mod tests {
    use super::*;
    use pipe_fakecuda::FakeDriver;
    use pipe_video::frames::Cpu;

    /// Whether a GPU makes the frames.
    fn is_gpu(device: Device, given: Option<&str>) -> bool {
        let makers = Makers::open(device, given.map(OsStr::new)).expect("a device can be opened");
        // Whoever makes them on a GPU likes many at once.
        makers.lend(&mut Cpu::new(1), |maker| maker.at_once()) > 1
    }

    #[test]
    fn auto_is_the_first_gpu_that_a_task_was_given_and_the_cpu_where_it_was_given_none() {
        let driver = FakeDriver::take();
        for none in [None, Some("")] {
            assert!(!is_gpu(Device::Auto, none));
        }
        // A task that asked for no GPU does not so much as look for one.
        assert_eq!(driver.calls(), []);
        for given in ["0", "3", "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "1,2"] {
            assert!(is_gpu(Device::Auto, Some(given)), "{given}");
        }
        assert_eq!(driver.leaks(), "");
    }

    #[test]
    fn a_device_that_is_named_is_taken_whatever_a_task_was_given() {
        let driver = FakeDriver::take();
        for given in [None, Some(""), Some("0")] {
            assert!(is_gpu(Device::Cuda(0), given), "{given:?}");
        }
        let calls = driver.calls();
        for given in [None, Some("0")] {
            assert!(!is_gpu(Device::Cpu, given), "{given:?}");
        }
        assert_eq!(driver.calls(), calls);
    }

    #[test]
    fn where_the_gpu_that_was_given_cannot_be_had_auto_is_the_cpu_and_a_number_is_a_failure() {
        let driver = FakeDriver::take();
        driver.tell("devices 0");
        assert!(!is_gpu(Device::Auto, Some("0")));
        let failure = Makers::open(Device::Cuda(0), Some(OsStr::new("0"))).map(drop).unwrap_err();
        assert_eq!((failure.code.as_str(), failure.help.is_some()), ("no_gpu", true), "{failure}");
        assert!(failure.message.contains("CUDA_ERROR_NO_DEVICE"), "{failure}");
    }
}
