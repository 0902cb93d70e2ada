//! The record that holds an MP4 track's parameter sets: read, and written anew with the sets of a second encoder.

use super::nal::{annex_b, kind};
use super::sps::{Pps, Sps};

/// Parameter sets of one track, as units without lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AvcC {
    pub(crate) sps: Vec<Vec<u8>>,
    pub(crate) pps: Vec<Vec<u8>>,
    /// Bytes of the lengths in front of the units of packets.
    pub(crate) length_bytes: u8,
}

impl AvcC {
    /// Reads the record of clause 5.3.3.1 of ISO/IEC 14496-15. `None` when it is no such record.
    pub(crate) fn read(record: &[u8]) -> Option<Self> {
        let &[1, _, _, _, lengths, sets, ..] = record else { return None };
        let mut rest = &record[6..];
        let sps = read_sets(&mut rest, sets & 0x1f)?;
        let (&count, mut rest) = rest.split_first()?;
        let pps = read_sets(&mut rest, count)?;
        Some(AvcC { sps, pps, length_bytes: (lengths & 3) + 1 })
    }

    /// The sets an encoder announced between start codes.
    pub(crate) fn of_annex_b(extradata: &[u8]) -> Self {
        let units = annex_b(extradata);
        let of = |wanted| units.iter().filter(|unit| kind(unit) == wanted).map(|unit| unit.to_vec()).collect();
        AvcC { sps: of(7), pps: of(8), length_bytes: 4 }
    }

    /// These sets and those of another encoder, for a track that holds packets of both.
    pub(crate) fn joined(&self, other: &AvcC) -> Self {
        let both = |a: &[Vec<u8>], b: &[Vec<u8>]| [a, b].concat();
        AvcC { sps: both(&self.sps, &other.sps), pps: both(&self.pps, &other.pps), length_bytes: self.length_bytes }
    }

    /// The record's bytes. `None` when a set is too long or there are too many, which the form cannot hold.
    pub(crate) fn write(&self) -> Option<Vec<u8>> {
        let first = self.sps.first()?;
        let mut record = vec![1, *first.get(1)?, *first.get(2)?, *first.get(3)?, 0xfc | (self.length_bytes - 1)];
        record.push(0xe0 | u8::try_from(self.sps.len()).ok().filter(|count| *count < 32)?);
        write_sets(&mut record, &self.sps)?;
        record.push(u8::try_from(self.pps.len()).ok()?);
        write_sets(&mut record, &self.pps)?;
        if [100, 110, 122, 144].contains(first.get(1)?) {
            let form = Sps::read(first)?;
            let depth = u8::try_from(form.bit_depth - 8).ok()? & 7;
            record.extend([0xfc | u8::try_from(form.chroma).ok()?, 0xf8 | depth, 0xf8 | depth, 0]);
        }
        Some(record)
    }

    /// The smallest number that no set here goes by.
    pub(crate) fn free_id(&self) -> Option<u32> {
        let sps = self.sps.iter().map(|unit| Sps::read(unit).map(|sps| sps.id));
        let pps = self.pps.iter().map(|unit| Pps::read(unit).map(|pps| pps.id));
        let taken: Vec<u32> = sps.chain(pps).collect::<Option<_>>()?;
        (0..32).find(|id| !taken.contains(id))
    }
}

fn read_sets(rest: &mut &[u8], count: u8) -> Option<Vec<Vec<u8>>> {
    (0..count)
        .map(|_| {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            *rest = after;
            Some(unit.to_vec())
        })
        .collect()
}

fn write_sets(record: &mut Vec<u8>, sets: &[Vec<u8>]) -> Option<()> {
    for set in sets {
        record.extend(u16::try_from(set.len()).ok()?.to_be_bytes());
        record.extend(set);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_and_written_back() {
        let record = [1, 77, 0, 30, 0xff, 0xe1, 0, 5, 0x67, 77, 0, 30, 0x80, 1, 0, 2, 0x68, 0x80];
        let read = AvcC::read(&record).unwrap();
        assert_eq!((read.sps.len(), read.pps.len(), read.length_bytes), (1, 1, 4));
        assert_eq!(read.write().unwrap(), record);
        assert_eq!(AvcC::read(&record[..9]), None);
    }

    #[test]
    fn two_encoders_share_a_record() {
        let one = AvcC { sps: vec![vec![0x67, 77, 0, 30]], pps: vec![vec![0x68, 0x80]], length_bytes: 4 };
        let two = AvcC::of_annex_b(&[0, 0, 0, 1, 0x67, 77, 0, 31, 0, 0, 1, 0x68, 0x40]);
        let wanted = [
            1, 77, 0, 30, 0xff, 0xe2, 0, 4, 0x67, 77, 0, 30, 0, 4, 0x67, 77, 0, 31, 2, 0, 2, 0x68, 0x80, 0, 2, 0x68,
            0x40,
        ];
        assert_eq!(one.joined(&two).write().unwrap(), wanted);
    }
}
