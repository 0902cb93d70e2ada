//! What a training has learned when an epoch ends -> bytes, and back: who is stopped goes on there and makes the same model.
//! Knows weights, moments and numbers of epochs; knows nothing of files.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::metrics::EpochMetrics;

const VERSION: u32 = 1;
/// The one key of the metadata.
const KEY: &str = "pipe.reached";

/// Everything that a training cannot draw or compute again from its data and settings.
pub(super) struct Reached {
    /// The weights and their moments: tensors of f32 by names that say whose they are.
    pub(super) tensors: BTreeMap<String, Tensor>,
    /// The numbers of the epochs that are done.
    pub(super) metrics: Vec<EpochMetrics>,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    version: u32,
    epochs: Vec<Epoch>,
}

/// Numbers as their bits: in words the last of them could get lost, and with it the bytes of `metrics.jsonl`.
#[derive(Serialize, Deserialize)]
struct Epoch {
    epoch: u32,
    numbers: [u64; 5],
}

impl Epoch {
    fn of(metrics: &EpochMetrics) -> Self {
        let EpochMetrics {
            epoch,
            learning_rate,
            train_loss,
            validation_loss,
            validation_accuracy,
            validation_group_accuracy,
        } = *metrics;
        let numbers = [learning_rate, train_loss, validation_loss, validation_accuracy, validation_group_accuracy];
        Self { epoch, numbers: numbers.map(f64::to_bits) }
    }

    fn metrics(self) -> EpochMetrics {
        let [learning_rate, train_loss, validation_loss, validation_accuracy, validation_group_accuracy] =
            self.numbers.map(f64::from_bits);
        EpochMetrics {
            epoch: self.epoch,
            learning_rate,
            train_loss,
            validation_loss,
            validation_accuracy,
            validation_group_accuracy,
        }
    }
}

impl Reached {
    /// A digest, and all of it.
    pub(super) fn to_bytes(&self) -> candle_core::Result<Vec<u8>> {
        let metadata = Metadata { version: VERSION, epochs: self.metrics.iter().map(Epoch::of).collect() };
        let text = serde_json::to_string(&metadata).expect("whole numbers are always JSON");
        let content = safetensors::serialize(&self.tensors, Some(HashMap::from([(KEY.to_owned(), text)])))?;
        Ok([blake3::hash(&content).as_bytes().as_slice(), &content].concat())
    }

    /// What was reached, if every byte of it is as it was written.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (digest, content) = bytes.split_at_checked(blake3::OUT_LEN)?;
        if blake3::hash(content).as_bytes() != digest {
            return None;
        }
        let (_, header) = SafeTensors::read_metadata(content).ok()?;
        let metadata: Metadata = serde_json::from_str(header.metadata().as_ref()?.get(KEY)?).ok()?;
        if metadata.version != VERSION {
            return None;
        }
        let file = SafeTensors::deserialize(content).ok()?;
        let tensor = |view| candle_core::safetensors::Load::load(&view, &Device::Cpu).ok();
        let tensors = file.iter().map(|(name, view)| Some((name.to_owned(), tensor(view)?)));
        let tensors = tensors.collect::<Option<BTreeMap<_, _>>>()?;
        let metrics = metadata.epochs.into_iter().map(Epoch::metrics).collect();
        tensors.values().all(|tensor| tensor.dtype() == DType::F32).then_some(Self { tensors, metrics })
    }
}
