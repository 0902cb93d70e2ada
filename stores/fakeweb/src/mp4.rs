//! The boxes of an MP4, as far as tests need them: how large its groups of pictures are, and where its chunks lie.

use std::ops::Range;

/// The boxes that hold nothing but boxes, on the way to tables of samples.
const PARENTS: [&[u8]; 5] = [b"moov", b"trak", b"mdia", b"minf", b"stbl"];

/// A box: its name and where its content lies.
pub(crate) struct Atom {
    pub(crate) name: [u8; 4],
    pub(crate) content: Range<usize>,
}

impl Atom {
    pub(crate) fn is_parent(&self) -> bool {
        PARENTS.contains(&&self.name[..])
    }
}

/// The boxes of a part of a file, one behind another.
pub(crate) fn atoms(bytes: &[u8], part: Range<usize>) -> Vec<Atom> {
    let mut at = part.start;
    let mut found = Vec::new();
    while at + 8 <= part.end {
        let name = bytes[at + 4..at + 8].try_into().expect("four bytes");
        let (head, size) = match number(bytes, at) {
            1 => (16, u64::from(number(bytes, at + 8)) << 32 | u64::from(number(bytes, at + 12))),
            size => (8, u64::from(size)),
        };
        let end = at + usize::try_from(size).expect("it is in memory");
        found.push(Atom { name, content: at + head..end });
        at = end;
    }
    found
}

/// The first box at the end of a path of names.
pub(crate) fn find(bytes: &[u8], part: Range<usize>, path: &[&[u8]]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let mut inside = atoms(bytes, part).into_iter().filter(|atom| atom.name == **first).map(|atom| atom.content);
    if rest.is_empty() { inside.next() } else { inside.find_map(|content| find(bytes, content, rest)) }
}

pub(crate) fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The numbers of a table that has its length in front of it.
pub(crate) fn table(bytes: &[u8], at: usize) -> Vec<u32> {
    (1..=number(bytes, at) as usize).map(|row| number(bytes, at + 4 * row)).collect()
}

/// How many frames and bytes each group of pictures of an MP4 has: from key frame to key frame, as its tables of samples say.
///
/// # Panics
/// When it has no such tables.
pub fn groups(bytes: &[u8]) -> Vec<(usize, u64)> {
    let table_of = |name: &[u8; 4]| {
        let path: [&[u8]; 6] = [b"moov", b"trak", b"mdia", b"minf", b"stbl", name];
        find(bytes, 0..bytes.len(), &path).expect("it has the table").start + 4
    };
    let keys = table(bytes, table_of(b"stss"));
    let sizes = table(bytes, table_of(b"stsz") + 4);
    let ends = keys.iter().skip(1).map(|key| *key as usize - 1).chain([sizes.len()]);
    let groups = keys.iter().zip(ends).map(|(key, end)| &sizes[*key as usize - 1..end]);
    groups.map(|sizes| (sizes.len(), sizes.iter().map(|size| u64::from(*size)).sum())).collect()
}
