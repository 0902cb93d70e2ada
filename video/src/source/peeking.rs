//! The first bytes of a key frame that an index lists -> whether a closed group begins there. So nothing of a group is read only to
//! find out that it is not to be copied.

use ffmpeg_next::codec;

use super::Source;
use crate::h264;
use crate::libav::raw::{self, Sample};

/// Bytes that are looked at: the first slice lies behind parameter sets and messages, if there are any.
const LOOK: u64 = 1 << 10;

impl Source {
    /// Whether key frames of H.264 begin open groups, as the second one tells: the first has nothing before it. An encoder makes all
    /// of them alike. Units have lengths of four bytes here.
    pub(crate) fn has_open_groups(&self) -> bool {
        let look = || {
            let samples = raw::samples(&self.stream());
            let second = samples.iter().filter(|sample| sample.is_key).nth(1);
            self.decoder.id() == codec::Id::H264 && second.is_some_and(|key| self.begins_open(key))
        };
        *self.has_open_groups.get_or_init(look)
    }

    /// Whether a key frame begins an open group. Who cannot tell says no, and finds out by reading it.
    pub(crate) fn begins_open(&self, key: &Sample) -> bool {
        self.first_bytes(key).and_then(|bytes| h264::begins_idr(&bytes)) == Some(false)
    }

    fn first_bytes(&self, sample: &Sample) -> Option<Vec<u8>> {
        let (media, _) = self.ranges.as_ref()?;
        let size = usize::try_from(sample.size.min(LOOK)).ok()?;
        if let Some(block) = media.opening_block(sample.at) {
            return block.from(sample.at).map(|bytes| bytes[..size.min(bytes.len())].to_vec());
        }
        let mut bytes = vec![0; size];
        let read = media.bytes().read_at(&media.pin().ok()?.identity, sample.at, &mut bytes).ok()?;
        media.was_read(read);
        bytes.truncate(read);
        Some(bytes)
    }
}
