//! One of two lanes: a stream with memory of its own. While one lane's batch is on the device, the other's is made ready.

use std::sync::Arc;

use super::fault::Fault;
use super::raw::{Context, DeviceBytes, Event, Kernel, PinnedBytes, Stream};
use super::tables::{DevicePicture, Tables};
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

/// What all batches of a plan have in common.
pub(super) struct Prepared<'a> {
    pub(super) tables: &'a Tables,
    pub(super) tables_there: &'a DeviceBytes,
    pub(super) kernel: Kernel,
    pub(super) is_measured: bool,
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
    pub(super) fn begin(&mut self, with: &Prepared<'_>, pictures: &[Picture<'_>]) -> Result<(), Fault> {
        let layout = &with.tables.pictures;
        for (picture, place) in pictures.iter().zip(self.pictures.bytes_mut().chunks_exact_mut(layout.bytes)) {
            layout.copy(picture, place);
        }
        let begun = self.mark(with)?;
        self.stream.upload(&self.pictures, &self.pictures_there, pictures.len() * layout.bytes)?;
        let uploaded = self.mark(with)?;
        let params = with.tables.params(with.tables_there.at, self.pictures_there.at, self.tensors_there.at);
        super::launch::launch(&self.stream, with.kernel, with.tables.shape(pictures.len() as u32), params)?;
        self.download(with, pictures.len(), begun.zip(uploaded))
    }

    /// Asks for the tensors of pictures that are on the device: a launch for each, as they lie anywhere.
    pub(super) fn begin_there(&mut self, with: &Prepared<'_>, pictures: &[DevicePicture]) -> Result<(), Fault> {
        let begun = self.mark(with)?;
        let uploaded = self.mark(with)?;
        for (number, picture) in pictures.iter().enumerate() {
            let tensor = self.tensors_there.at + (number * with.tables.tensor_bytes) as u64;
            let params = with.tables.params_there(with.tables_there.at, picture, tensor);
            super::launch::launch(&self.stream, with.kernel, with.tables.shape(1), params)?;
        }
        self.download(with, pictures.len(), begun.zip(uploaded))
    }

    fn download(&mut self, with: &Prepared<'_>, pictures: usize, up: Option<(Event, Event)>) -> Result<(), Fault> {
        let computed = self.mark(with)?;
        self.awaited = pictures * with.tables.tensor_bytes;
        self.stream.download(&self.tensors_there, &mut self.tensors, self.awaited)?;
        let down = computed.zip(self.mark(with)?);
        self.marks = up.zip(down).map(|((begun, uploaded), (computed, downloaded))| Marks {
            begun,
            uploaded,
            computed,
            downloaded,
        });
        Ok(())
    }

    fn mark(&self, with: &Prepared<'_>) -> Result<Option<Event>, Fault> {
        with.is_measured.then(|| Event::after(&self.stream)).transpose()
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
