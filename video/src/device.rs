//! The words for where frames are made.

use std::str::FromStr;

/// Where frames are made. The numbers are the same everywhere, to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Device {
    /// On the first GPU that this process may use, if there is one, and on the CPU if not.
    #[default]
    Auto,
    /// On the CPU.
    Cpu,
    /// On the GPU of a number, as CUDA counts those that this process may use.
    Cuda(usize),
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Device::Auto),
            "cpu" => Ok(Device::Cpu),
            "cuda" => Ok(Device::Cuda(0)),
            _ => match text.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(number)) => Ok(Device::Cuda(number)),
                _ => Err(format!("`{text}` is none of `auto`, `cpu` and `cuda:0`")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_by_a_word_and_a_number() {
        assert_eq!("auto".parse(), Ok(Device::Auto));
        assert_eq!("cpu".parse(), Ok(Device::Cpu));
        assert_eq!("cuda:3".parse(), Ok(Device::Cuda(3)));
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for wrong in ["gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", ""] {
            assert!(wrong.parse::<Device>().unwrap_err().contains("`auto`"), "{wrong}");
        }
    }
}
