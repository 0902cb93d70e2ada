//! What came of every clip of every hard video -> the table of `docs/clips.md`.

use std::path::Path;

use pipe_video::Span;

use super::input::Hard;
use super::judge::{Came, Heard, How};

const HEAD: &str = "| input | what is hard | clips | how | what was checked |\n|---|---|---|---|---|\n";
const MARKS: [&str; 2] = ["<!-- table: make clips-table -->\n", "<!-- end of the table -->\n"];

/// Puts the lines between the two marks of a page.
pub(crate) fn write(page: &Path, lines: &str) {
    let text = std::fs::read_to_string(page).unwrap();
    let (before, rest) = text.split_once(MARKS[0]).unwrap();
    let (_, after) = rest.split_once(MARKS[1]).unwrap();
    std::fs::write(page, [before, MARKS[0], HEAD, lines, MARKS[1], after].concat()).unwrap();
}

/// What came of all clips of a video that are right.
#[derive(Default)]
struct Right {
    clips: usize,
    frames: usize,
    same: usize,
    sound: usize,
    /// The least that encoded sound is like its source, in dB.
    alike: Option<f64>,
}

/// A line of the table.
pub(crate) fn line(hard: &Hard, clips: &[(Span, Came)]) -> String {
    let (mut right, mut least) = (Right::default(), f64::INFINITY);
    let (mut others, mut hows) = (Vec::new(), Vec::new());
    for (Span { start_ms, end_ms }, came) in clips {
        match came {
            Came::Right { frames, same, least: like, sound, how } => {
                hows.push(how.clone());
                right.clips += 1;
                right.frames += frames;
                right.same += same;
                match sound {
                    Heard::Copied(packets) => right.sound += packets,
                    Heard::Encoded(alike) => right.alike = Some(right.alike.map_or(*alike, |least| least.min(*alike))),
                }
                least = least.min(*like);
            }
            Came::Refused(kind) => others.push((format!("{start_ms}..{end_ms}"), format!("refused: {kind:?}"))),
            Came::Wrong(what) => others.push((format!("**{start_ms}..{end_ms}**"), what.clone())),
        }
    }
    let mut words = if right.clips == 0 { Vec::new() } else { vec![format!("{} exact", right.clips)] };
    words.extend(told_together(others));
    let [words, how] = [words.join("; "), told_how(&hows)];
    format!("| `{}` | {} | {words} | {how} | {} |\n", hard.name, hard.what, checked(&right, least))
}

/// How many clips were joined, and why the others were not.
fn told_how(hows: &[How]) -> String {
    let joined = hows.iter().filter(|how| **how == How::Joined).count();
    let mut words = if joined == 0 { Vec::new() } else { vec![format!("{joined} joined")] };
    let mut whys: Vec<&str> = Vec::new();
    for how in hows {
        if let How::Whole(why) = how
            && !whys.contains(&why.as_str())
        {
            whys.push(why);
        }
    }
    for why in whys {
        let count = hows.iter().filter(|how| **how == How::Whole(why.to_owned())).count();
        words.push(format!("{count} encoded: {why}"));
    }
    words.join("; ")
}

/// Clips of which the same is to be said, in one sentence.
fn told_together(others: Vec<(String, String)>) -> Vec<String> {
    let mut told: Vec<(Vec<String>, String)> = Vec::new();
    for (span, what) in others {
        match told.iter_mut().find(|(_, same)| *same == what) {
            Some((spans, _)) => spans.push(span),
            None => told.push((vec![span], what)),
        }
    }
    told.into_iter().map(|(spans, what)| format!("{} {what}", spans.join(", "))).collect()
}

fn checked(right: &Right, least: f64) -> String {
    if right.clips == 0 {
        return String::new();
    }
    let Right { frames, same, sound, alike, .. } = right;
    let encoded = frames - same;
    let like = if encoded > 0 { format!(", {encoded} at {least:.1} dB or more") } else { String::new() };
    let sound = if *sound > 0 { format!("; {sound} packets of sound") } else { String::new() };
    let alike = alike.map_or_else(String::new, |alike| format!("; sound encoded, at {alike:.0} dB or more"));
    format!("{frames} frames: {same} to the bit{like}{sound}{alike}")
}
