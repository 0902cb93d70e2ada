//! `kind = "preprocess"`: clips -> tensors ready for a model, in shards.

mod kept;
mod settings;
mod shards;

use crate::extract_clips::{Trouble, trouble, video_failure};
use crate::jsonl;
use crate::makers::{GIVEN, Makers};
use crate::records::{CLIPS, ClipRecord, FRAMES, FramesRecord};
use crate::side_by_side;
use kept::Kept;
use pipe_engine::attempt::Input;
use pipe_engine::failure::Failure;
use pipe_engine::key::{Key, KeyWriter};
use pipe_engine::stage::{ConfigProblem, Format, StageKind, read_config};
use pipe_engine::work::Work;
use pipe_video::frames::{Cpu, Preprocess as Maker};
use pipe_video::{VideoErrorKind, sample_into, tensor_sheet, versions};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value as Json, json};
use settings::{DtypeName, FormatName, LayoutName, Settings};
use shards::Clip;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Raised whenever the same clip would give other numbers. 2: exact colours in integers, turns, pixel aspect.
const CODE: u32 = 2;

/// The preview shows the frames of this many clips, each a row of at most so many, so wide.
const SHEET: (usize, usize, u32) = (12, 8, 160);

pub(crate) struct Preprocess;

impl StageKind for Preprocess {
    fn name(&self) -> &'static str {
        "preprocess"
    }

    fn code(&self) -> String {
        format!("{CODE} {}", versions())
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        Settings::json_schema(generator)
    }

    fn formats(&self) -> Vec<Format> {
        vec![Format::of::<FramesRecord>("frames", &[FRAMES])]
    }

    /// Every device makes the same bytes.
    fn aside(&self) -> &'static [&'static str] {
        &["device"]
    }

    fn makes(&self, _: &Json) -> Vec<String> {
        vec![FRAMES.to_owned()]
    }

    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        read_config::<Settings>(config)?.check()
    }

    fn run(&self, work: &Work<'_>) -> Result<Json, Failure> {
        let settings: Settings = work.config()?;
        let input = work.input("clips")?;
        let mut clips: Vec<ClipRecord> = jsonl::read(&work.path_in(input, CLIPS)?)?;
        clips.retain(ClipRecord::is_cut);
        let makers = Makers::open(settings.device(), env::var_os(GIVEN).as_deref())?;
        let makers = if settings.decodes_on_gpu() { makers.decoding() } else { makers };
        let job = Job {
            work,
            input,
            settings: &settings,
            makers: &makers,
            code: self.code(),
            clips: clips.len(),
            lost: Mutex::default(),
            rooms: Mutex::default(),
        };
        let mut index = Vec::with_capacity(clips.len());
        let mut first = None;
        let mut files = Vec::new();
        for (number, part) in clips.chunks(settings.shard_clips()).enumerate() {
            let shard = format!("frames-{number:05}.{}", shards::extension(settings.format));
            match job.shard(&shard, part, index.len()) {
                Ok(place) => {
                    first.get_or_insert(place);
                }
                // What is wrong with a clip is nothing to those of other shards.
                Err(failure) => job.go_on_after(failure)?,
            }
            files.push(json!({ "file": shard, "clips": part.len() }));
            let place =
                |(row, clip): (usize, &ClipRecord)| FramesRecord { id: clip.id.clone(), shard: shard.clone(), row };
            index.extend(part.iter().enumerate().map(place));
        }
        job.judge()?;
        work.write(FRAMES, &jsonl::write(&index))?;
        work.write("tensors.json", &pretty(&manifest(&settings, clips.len(), files)))?;
        if let Some(shard) = first {
            job.preview(&shard)?;
        }
        Ok(json!({ "clips": clips.len(), "shape": settings.shape() }))
    }
}

/// What the numbers are, for whoever reads them.
fn manifest(settings: &Settings, clips: usize, shards: Vec<Json>) -> Json {
    let spec = settings.spec();
    let (dtype, normal) = match settings.dtype {
        DtypeName::U8 => ("u8", Json::Null),
        DtypeName::F16 => ("f16", json!({ "mean": spec.mean, "std": spec.std })),
        DtypeName::F32 => ("f32", json!({ "mean": spec.mean, "std": spec.std })),
    };
    let axes = match settings.layout {
        LayoutName::Nchw => ["clip", "frame", "channel", "height", "width"],
        LayoutName::Nhwc => ["clip", "frame", "height", "width", "channel"],
    };
    json!({
        "version": 1,
        "clips": clips,
        "axes": axes,
        "shape_of_a_clip": settings.shape(),
        "dtype": dtype,
        "channels": "RGB",
        "normalised": normal,
        "shards": shards,
    })
}

fn pretty(value: &Json) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// The work on the clips of one input.
struct Job<'a> {
    work: &'a Work<'a>,
    input: &'a Input,
    settings: &'a Settings,
    makers: &'a Makers,
    code: String,
    /// How many clips there are in all.
    clips: usize,
    /// What is wrong with clips that cannot be made into frames.
    lost: Mutex<Vec<Failure>>,
    /// The memory of the tensors of the last shard, for those of the next.
    rooms: Mutex<Vec<Vec<u8>>>,
}

impl Job<'_> {
    /// One shard, found in the store or made: what died halfway goes on after its last whole shard, and within one after
    /// its last whole clip. `before`: clips that are done. Returns where it lies.
    fn shard(&self, name: &str, part: &[ClipRecord], before: usize) -> Result<PathBuf, Failure> {
        let key = self.key(part)?;
        let kept = Kept::of(self.work.checkpoints(), &key.fingerprint, part.len(), self.settings.clip_bytes());
        let item = self.work.item(&key, name, |out| {
            let tensors = self.tensors(part, before, &kept)?;
            let bytes = shards::write(self.settings, &tensors)?;
            let mut rooms = self.lock_rooms();
            rooms.extend(tensors.into_iter().map(|clip| clip.tensor));
            // Those of clips that an earlier attempt has kept took none.
            rooms.truncate(part.len());
            drop(rooms);
            fs::write(out, bytes).map_err(|e| Failure::io("write", out, &e))?;
            Ok(json!({ "clips": part.len() }))
        })?;
        kept.forget();
        self.work.progress(before + part.len(), self.clips, "clips");
        Ok(self.work.path(&item.file))
    }

    /// What decides a shard's bytes. A clip's id is in WebDataset alone.
    fn key(&self, part: &[ClipRecord]) -> Result<Key, Failure> {
        let spec = self.settings.spec();
        let mut key = KeyWriter::default()
            .field("kind", "preprocess/shard")
            .field("code", &self.code)
            .field("frames", format!("{spec:?}"))
            .field("sampling", format!("{:?} of {}", self.settings.sampling(), self.settings.count()))
            .field("format", shards::extension(self.settings.format));
        if self.settings.decodes_on_gpu() {
            key = key.field("decoder", "gpu");
        }
        for (row, clip) in part.iter().enumerate() {
            let file = self.input.files.iter().find(|file| file.path == clip.path);
            let file = file.ok_or_else(|| Failure::failed("no_clip", format!("clip `{}` has no file", clip.id)))?;
            key = key.field(format!("clip {row}"), &file.blake3);
            if matches!(self.settings.format, FormatName::Webdataset) {
                key = key.field(format!("id {row}"), &clip.id);
            }
        }
        Ok(key.finish())
    }

    /// The tensors of some clips, in their order. All that can be made are, and kept, whatever becomes of others.
    ///
    /// # Errors
    /// What befell a clip and may befall any; else the first clip that is lost.
    fn tensors(&self, part: &[ClipRecord], before: usize, kept: &Kept) -> Result<Vec<Clip>, Failure> {
        let progress = |done| self.work.progress(before + done, self.clips, "clips");
        let rows: Vec<_> = part.iter().enumerate().collect();
        let made = side_by_side::map(&rows, self.work.cpu(), progress, |cpu: &mut Option<Cpu>, (row, clip)| {
            if let Some(made) = kept.take(*row, &clip.id) {
                return Ok(Ok(made));
            }
            let name = format!("clip `{}`", clip.id);
            let _at = self.work.doing().begin(&name);
            let cpu = cpu.get_or_insert_with(|| Cpu::new(1));
            let named = |failure: Failure| Failure { message: format!("{name}: {}", failure.message), ..failure };
            match self.makers.lend(cpu, |device| self.tensor(clip, device)) {
                Ok(made) => {
                    kept.keep(*row, &made);
                    Ok(Ok(made))
                }
                Err(Trouble::Clip(failure)) => Ok(Err(named(failure))),
                Err(Trouble::Task(failure)) => Err(named(failure)),
            }
        });
        self.makers.tell();
        let (whole, lost): (Vec<_>, Vec<_>) = made?.into_iter().partition(Result::is_ok);
        let lost: Vec<Failure> = lost.into_iter().filter_map(Result::err).collect();
        match lost.first().cloned() {
            None => Ok(whole.into_iter().filter_map(Result::ok).collect()),
            Some(first) => {
                self.lock_lost().extend(lost);
                Err(first)
            }
        }
    }

    fn lock_rooms(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_lost(&self) -> MutexGuard<'_, Vec<Failure>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes over a failure that is that of clips alone.
    fn go_on_after(&self, failure: Failure) -> Result<(), Failure> {
        if self.lock_lost().contains(&failure) { Ok(()) } else { Err(failure) }
    }

    /// The first clip that is lost, and how many more there are.
    fn judge(&self) -> Result<(), Failure> {
        let lost = self.lock_lost();
        let Some(first) = lost.first().cloned() else { return Ok(()) };
        let more =
            if lost.len() > 1 { format!(" (and {} more of {})", lost.len() - 1, self.clips) } else { String::new() };
        Err(Failure { message: first.message.clone() + &more, ..first })
    }

    fn tensor(&self, clip: &ClipRecord, device: &mut dyn Maker) -> Result<Clip, Trouble> {
        let path = self.work.path_in(self.input, &clip.path).map_err(Trouble::Task)?;
        let room = self.lock_rooms().pop().unwrap_or_default();
        let sampled = sample_into(device, &path, self.settings.sampling(), &self.settings.spec(), room);
        let sampled = sampled.map_err(|e| match e.kind {
            // The settings were looked at before: it is this clip that does not go with them.
            VideoErrorKind::BadOption => Trouble::Clip(video_failure(&e)),
            _ => trouble(&e),
        })?;
        let (mut tensor, mut frames, count) = (sampled.data, sampled.indexes, self.settings.count());
        // All clips have as many frames: what is too much is left out, and the last one repeats where there are too few.
        let length = self.settings.clip_bytes() / count;
        tensor.truncate(count * length);
        frames.truncate(count);
        while let Some(&last) = frames.last().filter(|_| frames.len() < count) {
            tensor.extend_from_within(tensor.len() - length..);
            frames.push(last);
        }
        Ok(Clip { id: clip.id.clone(), frames, tensor })
    }

    /// Tensors turned back into pictures, for people: a row for each of the first clips.
    fn preview(&self, shard: &PathBuf) -> Result<(), Failure> {
        let bytes = fs::read(shard).map_err(|e| Failure::io("read", shard, &e))?;
        let (rows, columns, width) = SHEET;
        let clips = shards::first(self.settings, &bytes, rows);
        let png = tensor_sheet(&clips, &self.settings.spec(), columns, width)
            .map_err(|e| Failure::failed("bad_tensor", e.message).help(e.help))?;
        self.work.write("preview.png", &png)
    }
}
