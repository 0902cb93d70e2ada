//! A small MP4 -> one of any length: its pictures lie far apart, with nothing between them that anybody needs, and its index
//! lies at the end. No disk holds it; bytes are made when they are asked for.

use crate::Content;
use crate::mp4::{atoms, find, number, table};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes of the box that holds the pictures, in front of them.
const HEAD: u64 = 16;

/// An MP4 of a length that no disk here has room for.
pub struct Stretched {
    bytes: Vec<u8>,
    /// What lies in front of the pictures.
    front: Vec<u8>,
    /// Where each piece of the small file lies now.
    pieces: BTreeMap<u64, Range<usize>>,
    /// The index, and where it lies.
    index: (u64, Vec<u8>),
}

impl Stretched {
    /// An MP4 of about this size, of which `count` pieces of the small one lie equally far apart.
    ///
    /// # Panics
    /// When the small one has no tables of chunks, or is larger.
    pub fn of(bytes: Vec<u8>, size: u64, count: usize) -> Self {
        let all = 0..bytes.len();
        let top = atoms(&bytes, all.clone());
        let data = find(&bytes, all, &[b"mdat"]).expect("an MP4 has its pictures in a box");
        let ftyp = top.first().filter(|atom| atom.name == *b"ftyp").expect("an MP4 begins with its type");
        let mut front = bytes[..ftyp.content.end].to_vec();
        let begin = front.len() as u64 + HEAD;
        let stride = size / count as u64;
        let mut chunks = Vec::new();
        top.iter().for_each(|atom| offsets(&bytes, atom.content.clone(), atom.is_parent(), &mut chunks));
        chunks.sort_unstable();
        let mut pieces = BTreeMap::new();
        let mut from = *chunks.first().expect("it has chunks");
        let least = data.len() / count;
        for end in chunks.into_iter().chain([data.end]) {
            if end - from >= least || end == data.end {
                assert!(end - from <= usize::try_from(stride).expect("a stride is small"), "it is larger already");
                pieces.insert(begin + pieces.len() as u64 * stride, from..end);
                from = end;
            }
        }
        let end = begin + pieces.len() as u64 * stride;
        front.extend([0, 0, 0, 1]);
        front.extend(b"mdat");
        front.extend((end - begin + HEAD).to_be_bytes());
        let moved = |old: usize| {
            let (new, piece) = pieces.iter().find(|(_, piece)| piece.contains(&old)).expect("a chunk lies in a piece");
            new + (old - piece.start) as u64
        };
        let moov = find(&bytes, 0..bytes.len(), &[b"moov"]).expect("an MP4 has an index");
        let index = boxed(b"moov", &rewritten(&bytes, moov, &moved));
        Self { bytes, front, pieces, index: (end, index) }
    }

    /// Writes it as a file with holes where nothing lies.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &File) -> io::Result<()> {
        file.set_len(self.size())?;
        file.write_all_at(&self.front, 0)?;
        for (place, piece) in &self.pieces {
            file.write_all_at(&self.bytes[piece.clone()], *place)?;
        }
        file.write_all_at(&self.index.1, self.index.0)
    }

    /// How many bytes its index has.
    pub fn index_size(&self) -> u64 {
        self.index.1.len() as u64
    }
}

impl Content for Stretched {
    fn size(&self) -> u64 {
        self.index.0 + self.index.1.len() as u64
    }

    fn read(&self, at: u64, into: &mut [u8]) {
        let mut lay = |place: u64, bytes: &[u8]| {
            let (from, to) = (place.max(at), (place + bytes.len() as u64).min(at + into.len() as u64));
            if from < to {
                let small = |n: u64| usize::try_from(n).expect("it is in memory");
                let part = &bytes[small(from - place)..small(to - place)];
                into[small(from - at)..small(to - at)].copy_from_slice(part);
            }
        };
        lay(0, &self.front);
        self.pieces.iter().for_each(|(place, piece)| lay(*place, &self.bytes[piece.clone()]));
        lay(self.index.0, &self.index.1);
    }
}

/// Where the chunks of all tracks lie.
fn offsets(bytes: &[u8], part: Range<usize>, is_parent: bool, found: &mut Vec<usize>) {
    // What holds no boxes cannot be read as boxes.
    if !is_parent {
        return;
    }
    for atom in atoms(bytes, part) {
        if atom.name == *b"stco" {
            found.extend(table(bytes, atom.content.start + 4).into_iter().map(|offset| offset as usize));
        }
        offsets(bytes, atom.content.clone(), atom.is_parent(), found);
    }
}

/// The boxes of an index with chunks elsewhere, farther than 32 bits reach.
fn rewritten(bytes: &[u8], part: Range<usize>, moved: &dyn Fn(usize) -> u64) -> Vec<u8> {
    let mut made = Vec::new();
    for atom in atoms(bytes, part) {
        let content = &bytes[atom.content.clone()];
        if atom.name == *b"stco" {
            let mut offsets = content[..8].to_vec();
            debug_assert_eq!(number(content, 4) as usize, table(content, 4).len());
            table(content, 4).into_iter().for_each(|old| offsets.extend(moved(old as usize).to_be_bytes()));
            made.extend(boxed(b"co64", &offsets));
        } else if atom.is_parent() {
            made.extend(boxed(&atom.name, &rewritten(bytes, atom.content, moved)));
        } else {
            made.extend(boxed(&atom.name, content));
        }
    }
    made
}

fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).expect("an index is small");
    [&length.to_be_bytes(), &name[..], content].concat()
}
