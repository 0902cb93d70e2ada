//! The network: frames of a clip and the view they were seen from become log-probabilities of the labels.
//! Knows layers and their weights; knows nothing of training, files or names.
//!
//! ```text
//! [b, t, h, w, c] -> patches of 4x4 -> 16 channels, relu -> patches of 2x2 -> 32 channels, relu
//!                 -> mean over time -> every place of the map -> 64 features, relu -> one head for each view
//! ```
//! Both convolutions have a kernel as large as their stride, so each is one matrix product over patches, forward and
//! backward, and the matrix product is what candle does well on a CPU. The map is flattened, not averaged, because
//! where something happens is what tells one play from another.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::ops::log_softmax;

use super::batch::Batch;
use super::data::ClipShape;
use super::seed::Stream;

const STEM_PATCH: usize = 4;
const STEM_CHANNELS: usize = 16;
const BODY_PATCH: usize = 2;
const BODY_CHANNELS: usize = 32;
const FEATURES: usize = 64;

/// The names of the layers, in the order in which their weights are drawn.
const LAYERS: [&str; 4] = ["stem", "body", "features", "heads"];

/// What the sizes of the layers follow from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) shape: ClipShape,
    pub(super) labels: usize,
    pub(super) views: usize,
}

impl Sizes {
    /// Inputs and outputs of each layer, in the order of [`LAYERS`]; `None` when a size does not fit a `usize`.
    fn layers(&self) -> Option<[(usize, usize); 4]> {
        let places = |side: usize| side.div_ceil(STEM_PATCH).div_ceil(BODY_PATCH);
        let map = places(self.shape.height).checked_mul(places(self.shape.width))?.checked_mul(BODY_CHANNELS)?;
        Some([
            (self.shape.channels.checked_mul(STEM_PATCH * STEM_PATCH)?, STEM_CHANNELS),
            (STEM_CHANNELS * BODY_PATCH * BODY_PATCH, BODY_CHANNELS),
            (map, FEATURES),
            (FEATURES, self.views.checked_mul(self.labels)?),
        ])
    }
}

/// A matrix and a bias: `[inputs, outputs]` and `[outputs]`, f32.
#[derive(Clone, Debug)]
struct Layer {
    weight: Var,
    bias: Var,
}

impl Layer {
    /// Weights drawn evenly from -bound to bound with the variance that keeps the size of a signal through a relu
    /// (He and others, 2015: `bound = sqrt(6 / inputs)`); biases are zero.
    fn drawn(inputs: usize, outputs: usize, stream: &mut Stream) -> Result<Self> {
        let bound = (6.0 / inputs as f32).sqrt();
        let numbers: Vec<f32> = (0..inputs * outputs).map(|_| stream.uniform(bound)).collect();
        Ok(Self {
            weight: Var::from_vec(numbers, (inputs, outputs), &Device::Cpu)?,
            bias: Var::zeros(outputs, DType::F32, &Device::Cpu)?,
        })
    }

    /// Works on the last axis and keeps the ones before it.
    fn apply(&self, input: &Tensor) -> Result<Tensor> {
        let (inputs, outputs) = self.weight.dims2()?;
        let mut size = input.dims().to_vec();
        let rows = input.reshape(((), inputs))?;
        if let Some(last) = size.last_mut() {
            *last = outputs;
        }
        rows.matmul(&self.weight)?.broadcast_add(&self.bias)?.reshape(size)
    }
}

/// The network and its weights.
#[derive(Clone, Debug)]
pub(super) struct Network {
    sizes: Sizes,
    layers: [Layer; 4],
}

impl Network {
    /// A network that has learned nothing yet.
    pub(super) fn drawn(sizes: Sizes, stream: &mut Stream) -> Result<Self> {
        let Some(wanted) = sizes.layers() else { candle_core::bail!("frames of shape {} are too large", sizes.shape) };
        let mut layers = Vec::with_capacity(wanted.len());
        for (inputs, outputs) in wanted {
            layers.push(Layer::drawn(inputs, outputs, stream)?);
        }
        let layers = layers.try_into().expect("one layer was drawn for each size");
        Ok(Self { sizes, layers })
    }

    /// A network with the weights of [`Network::tensors`].
    pub(super) fn from_tensors(sizes: Sizes, tensors: &BTreeMap<String, Tensor>) -> Result<Self> {
        let Some(wanted) = sizes.layers() else { candle_core::bail!("frames of shape {} are too large", sizes.shape) };
        let take = |name: String, shape: &[usize]| match tensors.get(&name) {
            Some(tensor) if tensor.dims() == shape && tensor.dtype() == DType::F32 => Var::from_tensor(tensor),
            Some(tensor) => candle_core::bail!(
                "tensor `{name}` is {:?} {:?}, but {shape:?} F32 is needed",
                tensor.dims(),
                tensor.dtype()
            ),
            None => candle_core::bail!("tensor `{name}` is missing"),
        };
        let mut layers = Vec::with_capacity(wanted.len());
        for (name, (inputs, outputs)) in LAYERS.into_iter().zip(wanted) {
            layers.push(Layer {
                weight: take(format!("{name}.weight"), &[inputs, outputs])?,
                bias: take(format!("{name}.bias"), &[outputs])?,
            });
        }
        let layers = layers.try_into().expect("one layer was taken for each size");
        Ok(Self { sizes, layers })
    }

    /// The weights by name, in a fixed order.
    pub(super) fn tensors(&self) -> BTreeMap<String, Tensor> {
        let named = |(name, layer): (&str, &Layer)| {
            [
                (format!("{name}.weight"), layer.weight.as_tensor().clone()),
                (format!("{name}.bias"), layer.bias.as_tensor().clone()),
            ]
        };
        LAYERS.into_iter().zip(&self.layers).flat_map(named).collect()
    }

    /// The weights an optimiser changes, in a fixed order.
    pub(super) fn variables(&self) -> Vec<Var> {
        self.layers.iter().flat_map(|layer| [layer.weight.clone(), layer.bias.clone()]).collect()
    }

    /// Log-probabilities `[clips, labels]` of a batch.
    pub(super) fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let [stem, body, features, heads] = &self.layers;
        let (clips, times, height, width, channels) = batch.frames.dims5()?;
        let pictures = batch.frames.reshape((clips * times, height, width, channels))?;
        let map = stem.apply(&patches(&pictures, STEM_PATCH)?)?.relu()?;
        let map = body.apply(&patches(&map, BODY_PATCH)?)?.relu()?;
        let over_time = map.reshape((clips, times, ()))?.mean(1)?;
        let seen = features.apply(&over_time)?.relu()?;
        let answers = heads.apply(&seen)?.reshape((clips * self.sizes.views, self.sizes.labels))?;
        let rows = (Tensor::arange(0, u32::try_from(clips)?, &Device::Cpu)? * self.sizes.views as f64)?;
        log_softmax(&answers.index_select(&(rows + &batch.views)?, 0)?, 1)
    }
}

/// Cuts `[n, h, w, c]` into squares without overlap: `[n, rows, columns, side * side * c]`, the last axis in the order
/// y, x, channel. Right and bottom are filled with zeros up to a multiple of `side`.
fn patches(map: &Tensor, side: usize) -> Result<Tensor> {
    let (n, height, width, channels) = map.dims4()?;
    let (rows, columns) = (height.div_ceil(side), width.div_ceil(side));
    let filled = map.pad_with_zeros(1, 0, rows * side - height)?.pad_with_zeros(2, 0, columns * side - width)?;
    filled.contiguous()?.reshape((n, rows, side, columns, side * channels))?.transpose(2, 3)?.contiguous()?.reshape((
        n,
        rows,
        columns,
        side * side * channels,
    ))
}
