//! Writes packets into an MP4 that players can start at once, and takes the file away again unless it was finished.
//! Knows streams and packets; knows nothing of what is in them.

use std::fs;
use std::path::{Path, PathBuf};

use ffmpeg_next::codec;
use ffmpeg_next::format::{self, context::Output};
use ffmpeg_next::{Dictionary, Error as AvError, Packet, Rational};

use crate::error::VideoError;
use crate::libav::{self, raw};
use crate::timecode::Timecode;

/// An MP4 that is being written. Dropped unfinished, it removes its file.
pub(crate) struct Mp4 {
    path: PathBuf,
    output: Output,
    /// The ticks packets come in, for each stream.
    bases: Vec<Rational>,
    finished: bool,
}

/// What the file says of pictures that were copied.
#[derive(Clone)]
pub(crate) struct Joined {
    /// The parameter sets of all packets.
    pub(crate) record: Vec<u8>,
    pub(crate) base: Rational,
    pub(crate) frame_rate: Rational,
    pub(crate) pixel_aspect: Rational,
    pub(crate) display_matrix: Option<Vec<u8>>,
}

impl Mp4 {
    pub(crate) fn create(path: &Path) -> Result<Self, VideoError> {
        libav::prepare();
        let url = libav::file_url(path)?;
        let output = format::output_as(&url, "mp4").map_err(|e| VideoError::io(path, "creating", e))?;
        Ok(Mp4 { path: path.to_owned(), output, bases: Vec::new(), finished: false })
    }

    /// Adds a stream for what an encoder makes. Returns its number.
    pub(crate) fn add_encoded(
        &mut self,
        context: &codec::Context,
        frame_rate: Option<Rational>,
        display_matrix: Option<&[u8]>,
    ) -> Result<usize, VideoError> {
        let base = context.time_base();
        let mut stream = self.output.add_stream_with(context).map_err(|e| refuse(&self.path, e))?;
        stream.set_time_base(base);
        if let Some(rate) = frame_rate {
            stream.set_avg_frame_rate(rate);
        }
        if let Some(matrix) = display_matrix {
            raw::set_display_matrix(&mut stream, matrix);
        }
        self.bases.push(base);
        Ok(self.bases.len() - 1)
    }

    /// Adds a stream whose packets are copied from another file. Returns its number.
    pub(crate) fn add_copied(&mut self, parameters: codec::Parameters, base: Rational) -> Result<usize, VideoError> {
        let mut stream = self.output.add_stream(codec::Id::None).map_err(|e| refuse(&self.path, e))?;
        stream.set_parameters(parameters);
        stream.set_time_base(base);
        raw::clear_codec_tag(&mut stream);
        self.bases.push(base);
        Ok(self.bases.len() - 1)
    }

    /// Adds a stream of pictures that are copied, and partly encoded so that they join. Returns its number.
    pub(crate) fn add_joined(&mut self, parameters: codec::Parameters, form: &Joined) -> Result<usize, VideoError> {
        let number = self.add_copied(parameters, form.base)?;
        let mut stream = self.output.stream_mut(number).expect("the stream was added just now");
        if !raw::set_extradata(&mut stream, &form.record) {
            return Err(refuse(&self.path, AvError::Other { errno: ffmpeg_next::error::ENOMEM }));
        }
        stream.set_avg_frame_rate(form.frame_rate);
        raw::set_pixel_aspect(&mut stream, form.pixel_aspect);
        if let Some(matrix) = &form.display_matrix {
            raw::set_display_matrix(&mut stream, matrix);
        }
        Ok(number)
    }

    /// Has the file carry the timecode of its first frame, in a track of its own.
    pub(crate) fn set_timecode(&mut self, timecode: Timecode) {
        let mut metadata = Dictionary::new();
        metadata.set("timecode", &timecode.to_string());
        self.output.set_metadata(metadata);
    }

    /// Writes the header; from here on, packets are taken.
    pub(crate) fn start(&mut self) -> Result<(), VideoError> {
        let mut options = Dictionary::new();
        // The index goes to the front. Frames that are decoded early get negative offsets instead of an edit list
        // that shifts the track, so readers that know edit lists and readers that do not see the same times.
        options.set("movflags", "+faststart+negative_cts_offsets");
        // Neither times nor versions of programs go into the file.
        options.set("fflags", "+bitexact");
        self.output.write_header_with(options).map(|_| ()).map_err(|e| refuse(&self.path, e))
    }

    /// Writes one packet of a stream, with times in the ticks the stream was added with.
    pub(crate) fn write(&mut self, stream: usize, mut packet: Packet) -> Result<(), VideoError> {
        let muxed =
            self.output.stream(stream).expect("stream numbers come from add_encoded and add_copied").time_base();
        packet.set_stream(stream);
        packet.set_position(-1);
        packet.rescale_ts(self.bases[stream], muxed);
        packet.write_interleaved(&mut self.output).map_err(|e| refuse(&self.path, e))
    }

    /// Writes the index. Only now does the file stay when this value goes.
    pub(crate) fn finish(mut self) -> Result<(), VideoError> {
        self.output.write_trailer().map_err(|e| refuse(&self.path, e))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Mp4 {
    fn drop(&mut self) {
        if !self.finished {
            // The error that led here is already on its way; a file that cannot be removed adds nothing to it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn refuse(path: &Path, error: AvError) -> VideoError {
    VideoError::encoder(path, "writing the MP4", error)
}
