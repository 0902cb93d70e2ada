//! All clips of one source, cut in one pass: read once, edges decoded once for all clips that need them, encoders side
//! by side on a few threads, and every clip's outcome its own.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ffmpeg_next::frame;

use crate::cut::batch::Place;
use crate::cut::crew::{Bench, Crew};
use crate::cut::edges::{EdgeMaker, Encoded, Wanted};
use crate::cut::feed::{Fed, Feeder, Group, NOTHING_TO_COPY, Share, Unit, Want};
use crate::cut::gate::{Joinable, examine};
use crate::cut::inside::Inside;
use crate::cut::join::{Assembly, Codecs, Finished, Joined, Made, Setting, Trouble};
use crate::cut::report::CutReport;
use crate::cut::route::{self, For};
use crate::cut::ticks::{Clock, check_inside};
use crate::cut::whole::{Way, cut_whole};
use crate::cut::{CutMode, CutOptions};
use crate::error::{VideoError, VideoErrorKind};
use crate::media::Media;
use crate::pulse::{At, Pulse};
use crate::shelf::Waiting;
use crate::source::Source;
use crate::survey::Survey;
use crate::time::{Moment, Stretch};

/// Hears what became of a clip, by the number `add` gave it. Called from several threads, once for every clip.
pub type Told<'a> = dyn Fn(usize, Result<CutReport, VideoError>) + Sync + 'a;

/// Clips that are to be cut out of one source.
pub struct CutPlan {
    media: Media,
    options: CutOptions,
    clips: Vec<(Stretch, PathBuf)>,
    pulse: Pulse,
}

/// A video that clips are cut out of, one at a time.
pub struct Cutter {
    media: Media,
    options: CutOptions,
}

impl Cutter {
    /// Looks at a video once, so that one that cannot be cut is told at once.
    ///
    /// # Errors
    /// As `probe`.
    pub fn open(path: &Path, options: impl Into<CutOptions>) -> Result<Self, VideoError> {
        let media = Media::file(path);
        media.open()?;
        Ok(Cutter { media, options: options.into() })
    }

    /// Writes the frames whose time lies in `[start_ms, end_ms)` to `out`, which is replaced, and removed on error.
    ///
    /// The first frame's time becomes 0 and the distances between frames stay as they are. Sound is copied in whole
    /// packets, so it begins and ends within one packet of the pictures. The same input gives the same bytes.
    ///
    /// # Errors
    /// `OutOfRange` when the span begins after the video's end, ends more than one frame after it, or holds no frame;
    /// `Corrupt` when a picture of the span cannot be decoded; `Io` and `Encoder` when the clip cannot be written.
    pub fn cut(&mut self, span: impl Into<Stretch>, out: &Path) -> Result<CutReport, VideoError> {
        let mut plan = CutPlan::new(self.media.clone(), self.options.clone());
        plan.add(span, out);
        let outcome = Mutex::new(None);
        plan.run(1, &|_, result| *lock(&outcome) = Some(result));
        let outcome = lock(&outcome).take();
        outcome.unwrap_or_else(|| Err(VideoError::corrupt(self.media.path(), "the clip came to no end")))
    }
}

impl CutPlan {
    /// A plan without clips.
    pub fn new(media: Media, options: CutOptions) -> Self {
        CutPlan { media, options, clips: Vec::new(), pulse: Pulse::default() }
    }

    /// Adds a clip of the frames whose time lies in `[start_ms, end_ms)`, to be written to `out`. Returns its number.
    pub fn add(&mut self, span: impl Into<Stretch>, out: &Path) -> usize {
        self.clips.push((span.into(), out.to_owned()));
        self.clips.len() - 1
    }

    /// Tells whether the threads that cut get on, while they do.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Cuts all clips on so many threads, and tells of each what became of it. The number of threads changes how long
    /// it takes and no byte. Files are replaced, and removed where there was an error. Without clips the
    /// source is not opened.
    pub fn run(&self, threads: usize, told: &Told<'_>) {
        if self.clips.is_empty() {
            return;
        }
        match Run::begin(self, told) {
            Ok(run) => run.work(threads.clamp(1, self.clips.len().max(1))),
            Err(error) => (0..self.clips.len()).for_each(|clip| told(clip, Err(error.clone()))),
        }
    }
}

/// A plan that is being carried out.
struct Run<'a> {
    plan: &'a CutPlan,
    told: &'a Told<'a>,
    clock: Clock,
    /// The bytes of the source that each clip is made from, as far as its index tells.
    ranges: Vec<Vec<Range<u64>>>,
    /// Those that will be read for a clip that is encoded whole.
    reads: Vec<Vec<Range<u64>>>,
    /// `None`: nothing is copied.
    smart: Option<Smart>,
    /// Whether only reading all of the source tells where its pictures are.
    is_blind: bool,
    /// What that has told, where it was needed.
    survey: OnceLock<Result<Arc<Survey>, VideoError>>,
    /// Where each clip lies in a source that can be read for several at once. Empty: it cannot.
    places: Vec<Place>,
    /// Clips to be encoded whole.
    whole: Crew,
}

struct Smart {
    feeder: Mutex<Feeder>,
    setting: Setting,
    /// One for each clip; `None` when nothing more is to come of it.
    assemblies: Vec<Mutex<Option<Assembly>>>,
    /// Whether a clip was decoded and found right. It stands for all: they have the same parameter sets.
    proven: AtomicBool,
}

impl<'a> Run<'a> {
    fn begin(plan: &'a CutPlan, told: &'a Told<'a>) -> Result<Self, VideoError> {
        plan.options.check(plan.media.path())?;
        let _at = plan.pulse.begin(At::Source);
        let source = plan.media.open()?;
        let clock = Clock::of(&source, &plan.options)?;
        let (survey, whole) = (OnceLock::new(), Crew::default());
        let is_blind = source.needs_survey();
        let (ranges, reads, places) = (Vec::new(), Vec::new(), Vec::new());
        let mut run = Run { plan, told, clock, ranges, reads, smart: None, is_blind, survey, places, whole };
        let survey = if is_blind { Some(run.survey()?) } else { None };
        let mut inside = Vec::new();
        for (clip, (span, _)) in plan.clips.iter().enumerate() {
            match check_inside(&source, &run.clock, *span, survey.as_deref()) {
                Ok(()) => inside.push(clip),
                Err(error) => told(clip, Err(error)),
            }
        }
        let of = |purpose| route::ranges(&source, &run.clock, purpose, &plan.clips, &inside);
        (run.ranges, run.reads) = (of(For::Telling(plan.options.mode)), of(For::Reading(CutMode::Encode)));
        if source.may_be_shared() && run.clock.audio.iter().all(|track| track.begins_anywhere) {
            run.places = route::places(&source, &run.clock, plan.clips.iter().map(|(span, _)| *span));
        }
        let why = match plan.options.mode {
            CutMode::Encode => String::new(),
            mode => match examine(&source, mode, plan.options.encode.crf) {
                Ok(joinable) => {
                    run.smart = Some(Smart::new(plan, source, (&run.clock, &run.places), joinable, &inside));
                    return Ok(run);
                }
                Err(why) => why,
            },
        };
        inside.into_iter().for_each(|clip| run.encode_whole(clip, why.clone()));
        Ok(run)
    }

    fn work(&self, threads: usize) {
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| self.one_thread(threads));
            }
            self.one_thread(threads);
        });
    }

    fn one_thread(&self, threads: usize) {
        if let Some(smart) = &self.smart {
            self.join_clips(smart);
        }
        self.whole.work(&Bench {
            media: &self.plan.media,
            options: &self.plan.options,
            clips: &self.plan.clips,
            clock: &self.clock,
            pulse: &self.plan.pulse,
            reads: &self.reads,
            places: &self.places,
            alone: &|clip, source, bytes| self.encode_alone(clip, source, bytes),
            told: &|clip, why, outcome| self.tell_whole(clip, why, outcome),
            threads,
        });
    }

    fn tell_whole(&self, clip: usize, why: &str, outcome: Result<CutReport, VideoError>) {
        let told = outcome.map(|report| {
            let both = [why, &report.why].into_iter().filter(|why| !why.is_empty());
            let why = both.map(str::to_owned).collect::<Vec<_>>().join("; ");
            CutReport { why, ranges: self.ranges[clip].clone(), ..report }
        });
        (self.told)(clip, told);
    }

    /// Leaves a clip to whoever encodes clips whole.
    fn encode_whole(&self, clip: usize, why: String) {
        let bytes = self.plan.media.shelf().wait_for(self.reads[clip].clone());
        self.whole.add(clip, (why, bytes), &self.plan.clips);
    }

    fn encode_alone(&self, clip: usize, open: &mut Option<Source>, bytes: &Waiting) -> Result<CutReport, VideoError> {
        let _at = self.plan.pulse.begin(At::Clip(clip));
        let (span, out) = &self.plan.clips[clip];
        let source = match open {
            Some(source) => source,
            none => none.insert(self.plan.media.open()?),
        };
        source.want(self.reads[clip].clone());
        bytes.is_over();
        let mut way = if self.is_blind { Way::Survey(self.survey()?) } else { Way::Seek };
        loop {
            match cut_whole(source, &self.clock, &self.plan.options, (*span, &way), out) {
                Ok(report) => return Ok(report),
                Err(error) => way = self.surer(&way, source, *span, &error).ok_or(error)?,
            }
        }
    }

    /// The way to a clip's frames to take when one has failed. `None`: the failure stands.
    fn surer(&self, way: &Way, source: &Source, span: Stretch, error: &VideoError) -> Option<Way> {
        use VideoErrorKind::{Corrupt, Io, OutOfRange};
        let base = self.clock.video.base;
        let ticks = self.clock.ticks(span, base);
        match (way, error.kind) {
            (Way::Seek, Corrupt) if source.is_indexed() => Some(Way::EarlierSeek),
            (Way::Seek, Corrupt | Io | OutOfRange) if !source.is_indexed() => self.survey().ok().map(Way::Survey),
            (Way::Survey(survey), Io) => Some(Way::FromTheFront(survey.clone())),
            (Way::Survey(survey), Corrupt) if survey.hole_in(&ticks).is_none() => {
                let open = survey.course(&ticks, base, false).is_some_and(|course| !course.is_closed);
                open.then(|| Way::FromTheFront(survey.clone()))
            }
            _ => None,
        }
    }

    /// What reading all of the source tells. It is done once.
    fn survey(&self) -> Result<Arc<Survey>, VideoError> {
        let read = || {
            let _at = self.plan.pulse.begin(At::Source);
            Survey::of(&mut self.plan.media.open()?, self.clock.frame_ticks).map(Arc::new)
        };
        let _resting = self.plan.pulse.rest();
        self.survey.get_or_init(read).clone()
    }

    fn join_clips(&self, smart: &Smart) {
        let (plan, joinable) = (self.plan, smart.setting.joinable.clone());
        let mut maker = match EdgeMaker::open(&plan.media, &self.clock, &plan.options, joinable) {
            Ok(maker) => maker,
            Err(error) => return self.give_up(smart, &error.message),
        };
        loop {
            match self.next(smart) {
                None => return,
                Some(Fed::Refused { clip, why }) => self.refuse(smart, clip, why),
                Some(Fed::Unit(unit)) => self.deliver(smart, unit, &mut maker),
            }
        }
    }

    fn next(&self, smart: &Smart) -> Option<Fed> {
        let mut feeder = lock(&smart.feeder);
        let _at = self.plan.pulse.begin(At::Source);
        feeder.next()
    }

    fn deliver(&self, smart: &Smart, unit: Unit, maker: &mut EdgeMaker<'_>) {
        let _at = unit.shares.first().map(|share| self.plan.pulse.begin(At::Clip(share.clip)));
        let wanted: Vec<Wanted<'_>> = unit.shares.iter().filter_map(|share| self.wanted(&unit.group, share)).collect();
        let mut made = maker.make(&unit.group, &wanted).into_iter();
        drop(wanted);
        for share in unit.shares {
            let whole = share.part.as_ref().is_some_and(|part| part.is_whole);
            let encoded = self.wanted(&unit.group, &share).and_then(|_| made.next());
            match encoded.transpose() {
                Ok(encoded) => self.assemble(smart, &unit.group, encoded, share),
                // Who reads it for itself has the words for what went wrong.
                Err(_) if whole => self.refuse(smart, share.clip, NOTHING_TO_COPY.to_owned()),
                Err(why) => self.refuse(smart, share.clip, why),
            }
        }
    }

    /// What has to be encoded of a group for a clip.
    fn wanted<'b>(&'b self, group: &Group, share: &'b Share) -> Option<Wanted<'b>> {
        let part = share.part.as_ref()?;
        let (times, (span, out)) = (part.encoded.clone(), &self.plan.clips[share.clip]);
        if part.is_whole {
            let (end, sound, ends) = (span.end, &share.audio, share.ends);
            return Some(Wanted::Clip(Inside { times, end, out, sound, ends }));
        }
        group.times().any(|time| times.contains(&time)).then_some(Wanted::Edge(times))
    }

    fn assemble(&self, smart: &Smart, group: &Group, encoded: Option<Encoded>, share: Share) {
        let copied = share.part.as_ref().map_or(0, |part| part.copied);
        let mut made = Made {
            copied: group.packets[..copied].to_vec(),
            encoded: Vec::new(),
            clip: None,
            audio: Vec::new(),
            ends: share.ends,
        };
        match encoded {
            // It has heard what came with its pictures.
            Some(Encoded::Clip(clip)) => made.clip = Some(clip),
            Some(Encoded::Whole(report)) => {
                let is_open = lock(&smart.assemblies[share.clip]).take().is_some();
                if is_open {
                    self.tell_whole(share.clip, NOTHING_TO_COPY, Ok(*report));
                }
                return;
            }
            Some(Encoded::Edge(packets)) => (made.encoded, made.audio) = (packets, share.audio),
            None => made.audio = share.audio,
        }
        let mut assembly = lock(&smart.assemblies[share.clip]);
        let Some(open) = assembly.as_mut() else { return };
        let outcome = open.take(&smart.setting, share.turn, made);
        if !matches!(outcome, Ok(None) | Err(Trouble::Unsafe(_))) {
            *assembly = None;
        }
        drop(assembly);
        match outcome {
            Ok(None) => {}
            Ok(Some(Finished::Joined(joined))) => self.complete(smart, share.clip, joined),
            Ok(Some(Finished::Whole(report))) => self.tell_whole(share.clip, NOTHING_TO_COPY, Ok(report)),
            Err(Trouble::Failed(error)) => (self.told)(share.clip, Err(error)),
            Err(Trouble::Unsafe(why)) => self.refuse(smart, share.clip, why),
        }
    }

    fn complete(&self, smart: &Smart, clip: usize, joined: Joined) {
        let mode = smart.setting.mode;
        if mode == CutMode::Smart && !smart.proven.load(Ordering::Relaxed) {
            if let Err(why) = self.prove(&self.plan.clips[clip].1, &joined) {
                // It may be that it cannot be encoded whole either, and then nothing may lie there.
                let _ = fs::remove_file(&self.plan.clips[clip].1);
                let why = format!("the joined clip was not right: {why}");
                return self.encode_whole(clip, why);
            }
            smart.proven.store(true, Ordering::Relaxed);
        }
        (self.told)(clip, Ok(CutReport { ranges: self.ranges[clip].clone(), ..joined.report }));
    }

    /// Decodes a joined clip and compares the times of its frames with those that were put in.
    fn prove(&self, out: &Path, joined: &Joined) -> Result<(), String> {
        let mut clip = Source::open(out).map_err(|error| error.message)?;
        let mut frame = frame::Video::empty();
        let mut times = joined.times.iter();
        while clip.next_frame(&mut frame).map_err(|error| error.message)? {
            let found = frame.timestamp().map(|pts| Moment::from_ticks(pts, clip.video().base));
            let wanted = times.next().map(|time| Moment::from_ticks(*time, self.clock.video.base));
            if found.is_none() || found != wanted || frame.is_corrupt() || frame.has_decode_errors() {
                return Err("its frames are not those that were put in".into());
            }
        }
        if times.next().is_some() { Err("frames are missing at its end".into()) } else { Ok(()) }
    }

    /// Gives a clip over to be encoded whole, once.
    fn refuse(&self, smart: &Smart, clip: usize, why: String) {
        let Some(mut assembly) = lock(&smart.assemblies[clip]).take() else { return };
        assembly.drop_all();
        self.encode_whole(clip, why);
    }

    fn give_up(&self, smart: &Smart, why: &str) {
        (0..self.plan.clips.len()).for_each(|clip| self.refuse(smart, clip, why.to_owned()));
    }
}

impl Smart {
    fn new(
        plan: &CutPlan,
        source: Source,
        (clock, places): (&Clock, &[Place]),
        joinable: Joinable,
        inside: &[usize],
    ) -> Self {
        let wants = inside.iter().map(|&clip| Want::of(clip, plan.clips[clip].0, clock)).collect();
        let assemblies = plan.clips.iter().map(|(span, out)| Mutex::new(Some(Assembly::new(*span, out)))).collect();
        let parameters = clock.audio.iter().filter_map(|track| source.input().stream(track.index));
        let audio = parameters.map(|stream| stream.parameters()).collect();
        let codecs = Mutex::new(Codecs { pictures: source.stream().parameters(), audio });
        let joinable = Arc::new(joinable);
        let mode = plan.options.mode;
        Smart {
            feeder: Mutex::new(Feeder::new(source, clock.clone(), joinable.clone(), mode, (wants, places))),
            setting: Setting { joinable, clock: clock.clone(), codecs, mode },
            assemblies,
            proven: AtomicBool::new(false),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
