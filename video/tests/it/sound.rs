//! Which tracks of sound a clip has, and in which codec.

use std::path::Path;

use ffmpeg_next::{codec, format, media};
use pipe_video::{CutMode, CutOptions, CutReport, Cutter, Sound, Span, VideoError, VideoErrorKind};

use crate::corpus::input;
use crate::made::folder;

const SPAN: Span = Span { start_ms: 1033, end_ms: 2534 };

fn cut(name: &str, mode: CutMode, audio: Sound, clip: &Path) -> Result<CutReport, VideoError> {
    let source = input::all().into_iter().find(|hard| hard.name == name).unwrap().path;
    Cutter::open(&source, CutOptions { mode, audio, ..CutOptions::default() })?.cut(SPAN, clip)
}

/// The codec and the rate of each track of sound.
fn tracks(clip: &Path) -> Vec<(codec::Id, u32)> {
    let input = format::input(clip).unwrap();
    let sound = input.streams().filter(|stream| stream.parameters().medium() == media::Type::Audio);
    sound
        .map(|stream| {
            let context = codec::Context::from_parameters(stream.parameters()).unwrap();
            (stream.parameters().id(), context.decoder().audio().unwrap().rate())
        })
        .collect()
}

#[test]
fn a_clip_has_the_tracks_of_sound_that_are_asked_for() {
    let folder = folder();
    let clip = folder.path().join("clip.mp4");
    // The first track of the video has 48,000 samples a second, the second one 44,100.
    let (first, second) = ((codec::Id::AAC, 48_000), (codec::Id::AAC, 44_100));
    for mode in [CutMode::Smart, CutMode::Encode, CutMode::Copy] {
        for (audio, wanted) in [
            (Sound::None, vec![]),
            (Sound::Best, vec![first]),
            (Sound::All, vec![first, second]),
            (Sound::Track(1), vec![second]),
        ] {
            let report = cut("two-sounds.mp4", mode, audio, &clip).unwrap();
            assert_eq!(tracks(&clip), wanted, "{mode} {audio}");
            assert_eq!(report.audio_packets > 60, !wanted.is_empty(), "{mode} {audio}: {report:?}");
            assert!(!report.why.contains("sound"), "{report:?}");
        }
    }
    let error = cut("two-sounds.mp4", CutMode::Smart, Sound::Track(2), &clip).unwrap_err();
    assert_eq!(error.kind, VideoErrorKind::BadOption);
    assert_eq!(error.message, "there is no track of sound 2: the video has 2");
}

#[test]
fn sound_that_mp4_cannot_hold_is_encoded_and_the_report_says_so() {
    let folder = folder();
    let clip = folder.path().join("clip.mp4");
    for mode in [CutMode::Smart, CutMode::Encode, CutMode::Copy] {
        let report = cut("pcm.mov", mode, Sound::Best, &clip).unwrap();
        assert_eq!(tracks(&clip), [(codec::Id::AAC, 48_000)], "{mode}");
        assert_eq!(report.mode, mode, "sound is no reason to encode pictures");
        assert_eq!(report.why, "the sound is PCM_S16LE, which MP4 cannot hold: it was encoded as AAC");
    }
    assert_eq!(cut("pcm.mov", CutMode::Smart, Sound::None, &clip).unwrap().why, "");
}
