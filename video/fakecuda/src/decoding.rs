//! The decoder of a GPU, as FFmpeg uses it: surfaces, and pictures that somebody else has decoded before.
//!
//! It reads no bitstream: a test tells it which bytes are which picture. Those it puts into surfaces as a real one does: rows
//! far apart, on a stream that nobody has waited for.

use std::collections::HashMap;

use crate::driver::{Code, Driver, code};
use crate::streams::{HostBytes, Operation};

/// Rows of surfaces begin at multiples of this.
const PITCH: usize = 512;

/// What decoders are given instead of a bitstream, and the decoders.
#[derive(Default)]
pub(crate) struct Decoding {
    /// Pictures by the bytes that they are coded in. Rows without padding: luma, then U and V in turn.
    pub(crate) film: HashMap<Vec<u8>, Vec<u8>>,
    pub(crate) decoders: HashMap<usize, Decoder>,
}

/// One decoder.
pub(crate) struct Decoder {
    /// Bytes of a row, and rows of luma, of what it hands out.
    pub(crate) row: usize,
    pub(crate) rows: usize,
    /// How many surfaces it may decode into, and how many may be handed out at once.
    pub(crate) surfaces: usize,
    pub(crate) outputs: usize,
    pub(crate) decoded: HashMap<i32, Vec<u8>>,
    /// Where surfaces are that were handed out.
    pub(crate) mapped: Vec<u64>,
}

impl Decoding {
    /// Learns a film: for each picture the lengths of both, as words of 32 bits, then both. `None`: the bytes end before that.
    pub(crate) fn learn(&mut self, mut film: &[u8]) -> Option<()> {
        while !film.is_empty() {
            let length = |at: usize| Some(u32::from_le_bytes(*film.get(at..)?.first_chunk()?) as usize);
            let (coded, picture) = (length(0)?, length(4)?);
            let (coded, rest) = film.get(8..)?.split_at_checked(coded)?;
            let (picture, rest) = rest.split_at_checked(picture)?;
            self.film.insert(coded.to_vec(), picture.to_vec());
            film = rest;
        }
        Some(())
    }
}

impl Driver {
    fn decoder(&mut self, handle: usize) -> Result<&mut Decoder, Code> {
        self.decoding.decoders.get_mut(&handle).ok_or(code::INVALID_HANDLE)
    }

    /// Puts a picture of the film into a surface.
    pub(crate) fn decode(&mut self, handle: usize, surface: i32, coded: &[u8]) -> Result<(), Code> {
        let picture = self.decoding.film.get(coded).cloned();
        let decoder = self.decoder(handle)?;
        let wanted = decoder.row * (decoder.rows + decoder.rows / 2);
        let there = usize::try_from(surface).is_ok_and(|number| number < decoder.surfaces);
        match picture {
            Some(picture) if there && picture.len() == wanted => {
                decoder.decoded.insert(surface, picture);
                Ok(())
            }
            Some(picture) => {
                let told = format!("a picture of {} bytes does not go into surface {surface}", picture.len());
                Err(self.refuse(code::INVALID_VALUE, told))
            }
            None => Err(self.refuse(code::INVALID_VALUE, "the film has no such picture")),
        }
    }

    /// Hands a surface out: its address, and the bytes from row to row.
    pub(crate) fn map(&mut self, handle: usize, surface: i32, stream: usize) -> Result<(u64, usize), Code> {
        let decoder = self.decoder(handle)?;
        if decoder.mapped.len() >= decoder.outputs {
            return Err(self.refuse(code::INVALID_VALUE, "more surfaces are handed out than were asked for"));
        }
        let row = decoder.row;
        let Some(picture) = decoder.decoded.get(&surface).cloned() else {
            return Err(self.refuse(code::INVALID_VALUE, format!("nothing was decoded into surface {surface}")));
        };
        let pitch = row.next_multiple_of(PITCH);
        let at = self.memory.allocate(pitch * (picture.len() / row)).ok_or(code::OUT_OF_MEMORY)?;
        for (number, row) in picture.chunks(row).enumerate() {
            let to = at + (number * pitch) as u64;
            self.give(stream, Operation::Upload { to, from: HostBytes::Copied(row.to_vec()) })?;
        }
        self.decoder(handle)?.mapped.push(at);
        Ok((at, pitch))
    }

    /// Takes a surface back. What was to be put into it is, first; what is to be read from it is the program's business.
    pub(crate) fn unmap(&mut self, handle: usize, at: u64) -> Result<(), Code> {
        let decoder = self.decoder(handle)?;
        let place = decoder.mapped.iter().position(|mapped| *mapped == at).ok_or(code::INVALID_VALUE)?;
        decoder.mapped.swap_remove(place);
        self.finish(0, u64::MAX)?;
        self.memory.free(at).map_err(|problem| self.refuse(code::INVALID_VALUE, problem))
    }
}
