//! The one launch there is, and why it is right.
#![expect(unsafe_code, reason = "that a kernel stays inside what it is given is shown by tests, not by the compiler")]

use super::fault::Fault;
use super::params::Params;
use super::raw::{Kernel, Shape, Stream};

/// Begins to make tensors. `params` comes from `Tables::params`, with addresses of buffers that `Lane` sized for it.
pub(super) fn launch(stream: &Stream, kernel: Kernel, shape: Shape, params: Params) -> Result<(), Fault> {
    // SAFETY: all kernels of `frames.cu` take one `Params`, whose size both sides state. `Tables` computes every place
    // that they use from the plan, `Lane` takes as many bytes, and keeps them until it has waited. The tests run the same
    // text where every access is checked.
    unsafe { stream.launch(kernel, shape, params) }
}
