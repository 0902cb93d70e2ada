//! One of two lanes: a stream with memory of its own. While one lane's batch is on the device, the other's is made ready.

use std::sync::Arc;

use super::fault::Fault;
use super::raw::{Context, DeviceBytes, Event, Kernel, PinnedBytes, Stream};
use super::tables::Tables;
use crate::frames::Picture;

/// Buffers for a batch, on the host and on the device, and the work on them.
pub(super) struct Lane {
    // Dropped in this order: the stream waits before it goes, so nobody gives back what a copy still uses.
    stream: Stream,
    pictures: PinnedBytes,
    pictures_there: DeviceBytes,
    tensors: PinnedBytes,
    tensors_there: DeviceBytes,
    /// Bytes of tensors that are under way.
    awaited: usize,
    marks: Option<Marks>,
}

/// When each part of a batch was done.
struct Marks {
    begun: Event,
    uploaded: Event,
    computed: Event,
    downloaded: Event,
}

/// Seconds of each part of batches.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct PartTimes {
    pub(crate) upload: f64,
    pub(crate) kernel: f64,
    pub(crate) download: f64,
}

impl Lane {
    /// Takes room for so many pictures, in all places or in none.
    pub(super) fn new(context: &Arc<Context>, tables: &Tables, pictures: usize) -> Result<Self, Fault> {
        let (picture_bytes, tensor_bytes) = (pictures * tables.pictures.bytes, pictures * tables.tensor_bytes);
        Ok(Lane {
            stream: Stream::new(context)?,
            pictures_there: DeviceBytes::new(context, picture_bytes)?,
            tensors_there: DeviceBytes::new(context, tensor_bytes)?,
            pictures: PinnedBytes::new(context, picture_bytes)?,
            tensors: PinnedBytes::new(context, tensor_bytes)?,
            awaited: 0,
            marks: None,
        })
    }

    /// Copies a batch's pictures, and asks for its tensors. Nothing of the lane's last batch is under way any more.
    pub(super) fn begin(
        &mut self,
        tables: &Tables,
        tables_there: &DeviceBytes,
        kernel: Kernel,
        pictures: &[Picture<'_>],
        is_measured: bool,
    ) -> Result<(), Fault> {
        let places = self.pictures.bytes_mut().chunks_exact_mut(tables.pictures.bytes);
        for (picture, place) in pictures.iter().zip(places) {
            tables.pictures.copy(picture, place);
        }
        let mark = |stream: &Stream| is_measured.then(|| Event::after(stream)).transpose();
        let tensor_bytes = pictures.len() * tables.tensor_bytes;
        // From here on the stream may use the buffers, whatever fails.
        self.awaited = tensor_bytes;
        let begun = mark(&self.stream)?;
        self.stream.upload(&self.pictures, &self.pictures_there, pictures.len() * tables.pictures.bytes)?;
        let uploaded = mark(&self.stream)?;
        let params = tables.params(tables_there.at, self.pictures_there.at, self.tensors_there.at);
        super::launch::launch(&self.stream, kernel, tables.shape(pictures.len() as u32), params)?;
        let computed = mark(&self.stream)?;
        self.stream.download(&self.tensors_there, &mut self.tensors, tensor_bytes)?;
        let downloaded = mark(&self.stream)?;
        self.marks = match (begun, uploaded, computed, downloaded) {
            (Some(begun), Some(uploaded), Some(computed), Some(downloaded)) => {
                Some(Marks { begun, uploaded, computed, downloaded })
            }
            _ => None,
        };
        Ok(())
    }

    /// Waits for the batch. Its tensors, until the next begins.
    pub(super) fn end(&mut self) -> Result<&[u8], Fault> {
        self.stream.wait()?;
        let done = std::mem::take(&mut self.awaited);
        Ok(&self.tensors.bytes()[..done])
    }

    /// How long the parts of the batch that ended last took.
    pub(super) fn times(&mut self) -> Result<PartTimes, Fault> {
        let Some(marks) = self.marks.take() else { return Ok(PartTimes::default()) };
        Ok(PartTimes {
            upload: marks.begun.seconds_to(&marks.uploaded)?,
            kernel: marks.uploaded.seconds_to(&marks.computed)?,
            download: marks.computed.seconds_to(&marks.downloaded)?,
        })
    }
}
