//! Turns the steps a demuxer reads in into few large reads of ranges, of what will be needed and of little else. Of what is
//! far the next read is under way while the last one is worked on.
//! Knows offsets; knows nothing of media, but that an MP4's boxes tell where its index lies.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::error::{VideoError, VideoErrorKind};
use crate::media::{Block, Media, ReadFailure, Stat};
use crate::pulse;
use crate::shelf::Wish;

/// The most that is read at once.
const MOST: usize = 1 << 20;
/// What is read where nothing is known to be needed; twice as much when reading goes on behind it.
const LEAST: usize = 32 << 10;
/// The most that is read at once of what nobody announced, where it is known what is needed.
const UNANNOUNCED: usize = 128 << 10;
/// Blocks that are kept, for demuxers that go back and forth between tracks.
const KEPT: usize = 4;
/// Ranges with less than this between them are read as one.
const GAP: u64 = 16 << 10;
/// Tries of one read.
const TRIES: u32 = 5;

/// What a reader's owner tells it, and hears from it.
pub(crate) struct Route {
    /// What will be needed: in order, and with gaps between them.
    wanted: Vec<Range<u64>>,
    /// Has it kept where others read it first.
    wish: Arc<Wish>,
    /// Whether the video is still being opened.
    is_opening: bool,
    /// Why reading failed. FFmpeg can only say that it did, and takes it for the end at times.
    failure: Option<Failure>,
}

/// Why a video cannot be read.
#[derive(Clone)]
pub(crate) enum Failure {
    Changed,
    Unreachable(String),
    Other(String),
}

/// The owner's end of a route.
#[derive(Clone)]
pub(crate) struct Guide(Arc<Mutex<Route>>);

impl Guide {
    /// Says that the video is open, and what of it will be needed. Everything else can still be read.
    pub(crate) fn want(&self, ranges: Vec<Range<u64>>) {
        let mut route = self.lock();
        route.is_opening = false;
        route.wanted = merged(ranges);
        route.wish.set(route.wanted.clone());
    }

    /// The failure of a read, which FFmpeg does not tell.
    pub(crate) fn failure(&self, media: &Media) -> Option<VideoError> {
        let failure = self.lock().failure.clone()?;
        let path = media.path();
        Some(match failure {
            Failure::Changed => {
                let help = "let whoever writes it finish, and run this again";
                VideoError::new(VideoErrorKind::Changed, path, "the video changed while it was read", help)
            }
            Failure::Unreachable(message) => VideoError::unreachable(path, message),
            Failure::Other(message) => VideoError::io(path, "reading", message),
        })
    }

    fn wish(&self) -> Arc<Wish> {
        self.lock().wish.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Route> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ranges in order, those that lie close together as one.
pub(crate) fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut().filter(|last| range.start <= last.end.saturating_add(GAP)) {
            Some(last) => last.end = last.end.max(range.end),
            None => merged.push(range),
        }
    }
    merged
}

/// One demuxer's view of a video.
pub(crate) struct RangeReader {
    media: Media,
    stat: Stat,
    guide: Guide,
    at: u64,
    blocks: VecDeque<Block>,
    /// Where the last read of something nobody announced ended, and how much it was.
    ahead: (u64, usize),
    /// The read that is under way before anybody asked for it.
    early: Option<Early>,
}

/// A read on a thread of its own.
struct Early {
    range: Range<u64>,
    read: JoinHandle<Result<Block, Failure>>,
}

impl RangeReader {
    pub(crate) fn open(media: &Media) -> Result<(Self, Guide), VideoError> {
        let stat = media.pin()?;
        let wish = Arc::new(media.shelf().wish(Vec::new()));
        let route = Route { wanted: Vec::new(), wish, is_opening: true, failure: None };
        let guide = Guide(Arc::new(Mutex::new(route)));
        let blocks = VecDeque::new();
        let (media, ahead, early) = (media.clone(), (0, 0), None);
        let mut reader = RangeReader { media, stat, guide: guide.clone(), at: 0, blocks, ahead, early };
        if let Some(index) = reader.index_of_mp4() {
            guide.lock().wanted = vec![index];
        }
        reader.at = 0;
        Ok((reader, guide))
    }

    /// Whether an index was found where an MP4 has it.
    pub(crate) fn has_index(&self) -> bool {
        !self.guide.lock().wanted.is_empty()
    }

    /// Where the index of an MP4 lies: its boxes stand one behind another, each behind its length.
    fn index_of_mp4(&mut self) -> Option<Range<u64>> {
        let mut begin = 0;
        for _ in 0..64 {
            self.at = begin;
            let mut header = [0; 16];
            self.read_exact(&mut header[..8]).ok()?;
            let (length, name) = header[..8].split_at(4);
            let name: [u8; 4] = name.try_into().ok()?;
            let mut size = u64::from(u32::from_be_bytes(length.try_into().ok()?));
            if begin == 0 && &name != b"ftyp" {
                return None;
            }
            if size == 1 {
                self.read_exact(&mut header[8..]).ok()?;
                size = u64::from_be_bytes(header[8..].try_into().ok()?);
            }
            let end = begin.checked_add(size).filter(|_| size >= 8)?;
            if &name == b"moov" {
                return Some(begin..end);
            }
            begin = end;
        }
        None
    }

    /// Reads the block that begins at a place, or takes it from what was read early.
    fn fetch(&mut self, at: u64) -> io::Result<Block> {
        let size = self.size_of_read(at).min(self.gap_behind(at));
        let early = self.early.take_if(|early| early.range.contains(&at)).map(|early| {
            // Who panicked has read nothing.
            early.read.join().unwrap_or_else(|_| Err(Failure::Other("reading ahead ended".into())))
        });
        let read = match early {
            // Another reader had a part of it, and where that ends this one goes on.
            Some(Ok(block)) if block.from(at).is_none() => None,
            early => early,
        };
        let wish = self.guide.wish();
        let read = read.unwrap_or_else(|| find_or_read(&self.media, &self.stat, &wish, at..at + size as u64));
        let block = read.map_err(|failure| self.fail(failure))?;
        if self.media.bytes().is_far() {
            self.begin_next(block.at + block.bytes.len() as u64);
        }
        Ok(block)
    }

    /// Bytes from a place up to those that are here already or on their way.
    fn gap_behind(&self, at: u64) -> usize {
        let here = self.blocks.iter().map(|block| block.at).chain(self.early.iter().map(|early| early.range.start));
        let next = here.filter(|begin| *begin > at).min();
        next.map_or(MOST, |next| usize::try_from(next - at).unwrap_or(MOST))
    }

    /// Begins to read what is needed next, behind a place.
    fn begin_next(&mut self, behind: u64) {
        let range = {
            let route = self.guide.lock();
            let next = route.wanted.partition_point(|range| range.end <= behind);
            let Some(wanted) = route.wanted.get(next) else { return };
            let begin = wanted.start.max(behind);
            begin..wanted.end.min(begin + MOST as u64).min(self.stat.len)
        };
        let is_known = self.media.opening_block(range.start).is_some();
        let is_here = is_known || self.blocks.iter().any(|block| block.from(range.start).is_some());
        if range.is_empty() || is_here || self.early.as_ref().is_some_and(|early| early.range == range) {
            return;
        }
        // What was read early for another track is not read again when that goes on.
        if let Some(early) = self.early.take().and_then(|early| early.read.join().ok()?.ok()) {
            self.keep(early);
        }
        let (media, stat) = (self.media.clone(), self.stat.clone());
        let (wish, ahead) = (self.guide.wish(), range.clone());
        let theirs = pulse::mine();
        let read = std::thread::Builder::new().name("ahead".into()).spawn(move || {
            pulse::work_for(theirs);
            find_or_read(&media, &stat, &wish, ahead)
        });
        // Without a thread it is read when it is asked for.
        self.early = read.ok().map(|read| Early { range, read });
    }

    fn fail(&self, failure: Failure) -> io::Error {
        self.guide.lock().failure.get_or_insert(failure);
        io::Error::other("the source cannot be read")
    }

    /// As much as is known to be needed, or else a little, and more the longer reading goes on.
    fn size_of_read(&mut self, at: u64) -> usize {
        let route = self.guide.lock();
        let next = route.wanted.partition_point(|range| range.end <= at);
        let wanted = route.wanted.get(next).filter(|range| range.contains(&at));
        if let Some(wanted) = wanted {
            return usize::try_from(wanted.end - at).unwrap_or(MOST).min(MOST);
        }
        let most = if route.is_opening || route.wanted.is_empty() { MOST } else { UNANNOUNCED };
        let size = if self.ahead.0 == at { (self.ahead.1 * 2).clamp(LEAST, most) } else { LEAST };
        // What is wanted comes in a read of its own, of the right size.
        let until = route.wanted.get(next).map_or(u64::MAX, |range| range.start);
        let size = size.min(usize::try_from(until - at).unwrap_or(size));
        self.ahead = (at + size as u64, size);
        size
    }

    /// The block that has a place: one of the last ones, one from the opening, or a new one.
    fn block(&mut self, at: u64) -> io::Result<Block> {
        if let Some(block) = self.blocks.iter().find(|block| block.from(at).is_some()) {
            return Ok(block.clone());
        }
        if let Some(block) = self.media.opening_block(at) {
            return Ok(block);
        }
        let block = self.fetch(at)?;
        if self.guide.lock().is_opening {
            self.media.keep_for_openings(&block);
        }
        self.keep(block.clone());
        Ok(block)
    }

    fn keep(&mut self, block: Block) {
        self.blocks.truncate(KEPT - 1);
        self.blocks.push_front(block);
    }
}

/// The block that begins at a range's start or has that place, whoever has read it.
fn find_or_read(media: &Media, stat: &Stat, wish: &Wish, range: Range<u64>) -> Result<Block, Failure> {
    wish.get(range.start..range.end.min(stat.len), |range| read(media, stat, range))
}

/// Reads a block, and goes on where it broke a few times.
fn read(media: &Media, stat: &Stat, range: Range<u64>) -> Result<Block, Failure> {
    if let Some(failure) = media.gone() {
        return Err(failure);
    }
    let (at, size) = (range.start, usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(MOST));
    let mut bytes = vec![0; size];
    let (mut filled, mut failures) = (0, 0);
    while filled < size {
        let place = at + filled as u64;
        pulse::beat();
        match media.bytes().read_at(&stat.identity, place, &mut bytes[filled..]) {
            Ok(read) if read > 0 => {
                media.was_read(read);
                filled += read.min(size - filled);
            }
            Ok(_) => return Err(Failure::Other("the source is shorter than it said".into())),
            Err(ReadFailure::Changed) => return Err(media.is_gone(Failure::Changed)),
            Err(ReadFailure::Lost(error)) => return Err(Failure::Other(error.to_string())),
            Err(ReadFailure::Broken(error)) if failures + 1 == TRIES => {
                return Err(media.is_gone(Failure::Unreachable(format!("{error}, {TRIES} times"))));
            }
            Err(ReadFailure::Broken(_)) => {
                media.bytes().pause(failures);
                failures += 1;
            }
        }
    }
    Ok(Block { at, bytes: Arc::new(bytes) })
}

impl Read for RangeReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.stat.len || into.is_empty() {
            return Ok(0);
        }
        let block = self.block(self.at)?;
        let rest = block.from(self.at).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for RangeReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.stat.len.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_close_together_are_read_as_one() {
        let near = 500 + GAP;
        let one = merged(vec![near..near + 10, 0..100, 50..500]);
        assert_eq!((one.len(), one[0].clone()), (1, 0..near + 10));
        assert_eq!(merged(vec![0..100, 100 + GAP + 1..200 + GAP]).len(), 2);
    }
}
