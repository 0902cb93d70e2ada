//! One line of a data set -> an example that a tuning takes, with clips where Google finds them; or what is wrong with it.
//!
//! Google drops an example that is beyond a limit without failing, and tells afterwards. So it is told here, before anything is
//! paid for.

use super::clips::{Clip, Clips};
use super::limits::{LIMITS, Limits};
use serde_json::{Map, Value as Json};

/// What a part may hold.
const PARTS: [&str; 4] = ["text", "fileData", "functionCall", "functionResponse"];
/// Where Google reads files by itself.
const ELSEWHERE: [&str; 3] = ["gs://", "https://", "http://"];

/// What was seen of an example.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// About how many tokens it has; `None` where that cannot be told.
    pub(super) tokens: Option<u64>,
    pub(super) has_media: bool,
    /// The resolution of its media, as it says; empty where it says none.
    pub(super) resolution: String,
}

/// Checks an example and puts the URI of each clip into the place of its path.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn check(example: &mut Json, clips: &Clips) -> Result<Seen, String> {
    let resolution = example["generationConfig"]["mediaResolution"].as_str().unwrap_or_default().to_owned();
    let object = example.as_object_mut().ok_or("it is no object")?;
    let mut count = Count { resolution: &resolution, letters: 0, media: Some(0), videos: 0, has_media: false };
    if let Some(instruction) = object.get_mut("systemInstruction") {
        count.parts(instruction, clips)?;
    }
    let contents = object.get_mut("contents").and_then(Json::as_array_mut).filter(|contents| !contents.is_empty());
    let contents = contents.ok_or("`contents` is missing or empty")?;
    for content in contents.iter_mut() {
        match content["role"].as_str() {
            Some("user" | "model") => count.parts(content, clips)?,
            Some(other) => return Err(format!("the role `{other}` is none of `user` and `model`")),
            None => return Err("a content has no `role`".to_owned()),
        }
    }
    if contents.last().is_some_and(|last| last["role"] != "model") {
        return Err("the last content is not the model's, which is what is learned".to_owned());
    }
    if !contents.iter().any(|content| content["role"] == "user") {
        return Err("no content is the user's".to_owned());
    }
    let Count { letters, media, has_media, .. } = count;
    let tokens = media.map(|media| media + letters.div_ceil(LIMITS.letters_of_a_token));
    if let Some(tokens) = tokens.filter(|tokens| *tokens > LIMITS.tokens) {
        return Err(format!("it has about {tokens} tokens, and at most {} are taken", LIMITS.tokens));
    }
    Ok(Seen { tokens, has_media, resolution })
}

/// What is counted of one example.
struct Count<'a> {
    resolution: &'a str,
    letters: u64,
    /// Tokens of videos; `None` where something has none that could be told.
    media: Option<u64>,
    videos: usize,
    has_media: bool,
}

impl Count<'_> {
    fn parts(&mut self, content: &mut Json, clips: &Clips) -> Result<(), String> {
        let parts = content.get_mut("parts").and_then(Json::as_array_mut).filter(|parts| !parts.is_empty());
        for part in parts.ok_or("a content has no `parts`")? {
            let part = part.as_object_mut().ok_or("a part is no object")?;
            let kinds: Vec<&str> = PARTS.into_iter().filter(|kind| part.contains_key(*kind)).collect();
            match kinds[..] {
                ["text"] => {
                    let text = part["text"].as_str().ok_or("a `text` is none")?;
                    self.letters += text.chars().count() as u64;
                }
                ["fileData"] => self.file(part, clips)?,
                [_] => self.media = None,
                _ => return Err(format!("a part has not exactly one of {}", PARTS.join(", "))),
            }
        }
        Ok(())
    }

    fn file(&mut self, part: &mut Map<String, Json>, clips: &Clips) -> Result<(), String> {
        self.has_media = true;
        let word = |field: &str| part["fileData"][field].as_str().unwrap_or_default().to_owned();
        let (uri, kind) = (word("fileUri"), word("mimeType"));
        if uri.is_empty() || kind.is_empty() {
            return Err("a `fileData` has no `fileUri` or no `mimeType`".to_owned());
        }
        let clip = clips.get(&uri);
        if clip.is_none() && !ELSEWHERE.iter().any(|start| uri.starts_with(start)) {
            return Err(format!("`{uri}` is no URI, and no clip of the stages in `clips`"));
        }
        if kind.starts_with("video/") {
            let seconds = self.video(&uri, &kind, part.get("videoMetadata"), clip)?;
            let tokens = seconds.map(|seconds| seconds.ceil() as u64 * LIMITS.frame_tokens(self.resolution));
            self.media = self.media.zip(tokens).map(|(before, more)| before + more);
        } else {
            self.media = None;
        }
        if let Some(clip) = clip {
            part["fileData"]["fileUri"] = clip.uri.clone().into();
        }
        Ok(())
    }

    /// The frames that are looked at of a video, of which there is one a second unless it says otherwise.
    fn video(
        &mut self,
        uri: &str,
        kind: &str,
        meta: Option<&Json>,
        clip: Option<&Clip>,
    ) -> Result<Option<f64>, String> {
        let Limits { videos, video_bytes, video_types, .. } = &*LIMITS;
        self.videos += 1;
        if self.videos > *videos {
            return Err(format!("it has {} videos, and at most {videos} is taken", self.videos));
        }
        if !video_types.iter().any(|known| known == kind) {
            return Err(format!("`{kind}` is none of the types of video that are taken: {}", video_types.join(", ")));
        }
        if let Some(clip) = clip.filter(|clip| clip.bytes > *video_bytes) {
            return Err(format!("`{uri}` has {} bytes, and at most {video_bytes} are taken", clip.bytes));
        }
        let length = clip.and_then(|clip| clip.milliseconds).map(|time| time as f64 / 1000.0);
        let Some(seconds) = shown(length, meta)? else { return Ok(None) };
        let most = LIMITS.video_seconds(self.resolution);
        if seconds > most as f64 {
            let at = if self.resolution.is_empty() { "without a mediaResolution" } else { self.resolution };
            return Err(format!("`{uri}` is {seconds} s long, and at most {most} s are taken {at}"));
        }
        let rate = meta.and_then(|meta| meta["fps"].as_f64()).unwrap_or(1.0);
        Ok(Some(seconds * rate))
    }
}

/// How much of a video is shown: all of it, or from one offset to another.
fn shown(length: Option<f64>, meta: Option<&Json>) -> Result<Option<f64>, String> {
    let offset = |field: &str| {
        let text = meta.and_then(|meta| meta[field].as_str());
        text.map(|text| text.strip_suffix('s').and_then(|number| number.parse::<f64>().ok()).ok_or(text)).transpose()
    };
    let bad = |text: &str| format!("`{text}` is no offset: one is written like \"5s\"");
    let (start, end) = (offset("startOffset").map_err(bad)?, offset("endOffset").map_err(bad)?);
    let seconds = end.or(length).map(|end| end - start.unwrap_or_default());
    match seconds {
        Some(seconds) if seconds <= 0.0 => Err("a video is shown from its end to its start".to_owned()),
        seconds => Ok(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn clips(bytes: u64, milliseconds: u64) -> Clips {
        let clip = Clip { uri: "gs://films/data/1.mp4".to_owned(), bytes, milliseconds: Some(milliseconds) };
        Clips::from([("all/1.mp4".to_owned(), clip)])
    }

    fn example(part: Json, more: Json) -> Json {
        let mut example = json!({ "contents": [
            { "role": "user", "parts": [part, { "text": "What happens?" }] },
            { "role": "model", "parts": [{ "text": "a goal" }] },
        ] });
        example.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        example
    }

    fn video(uri: &str) -> Json {
        json!({ "fileData": { "fileUri": uri, "mimeType": "video/mp4" } })
    }

    #[test]
    fn a_clip_is_named_by_where_it_lies_and_counted_by_its_seconds() {
        let mut said = example(video("all/1.mp4"), json!({}));
        let seen = check(&mut said, &clips(1000, 8_500)).unwrap();
        assert_eq!(said["contents"][0]["parts"][0]["fileData"]["fileUri"], "gs://films/data/1.mp4");
        // "What happens?" and "a goal" have 19 letters; 9 frames have 256 tokens each.
        assert_eq!(seen, Seen { tokens: Some(9 * 256 + 5), has_media: true, resolution: String::new() });
        let low = json!({ "generationConfig": { "mediaResolution": "MEDIA_RESOLUTION_LOW" } });
        let seen = check(&mut example(video("all/1.mp4"), low), &clips(1000, 8_500)).unwrap();
        assert_eq!(seen.tokens, Some(9 * 64 + 5));
        let seen = check(&mut example(video("gs://other/2.mp4"), json!({})), &clips(1, 1)).unwrap();
        assert_eq!(seen.tokens, None, "nobody knows how long it is");
        let part = json!({ "fileData": { "fileUri": "gs://other/2.mp4", "mimeType": "video/mp4" },
                           "videoMetadata": { "startOffset": "5s", "endOffset": "7.5s" } });
        assert_eq!(check(&mut example(part, json!({})), &clips(1, 1)).unwrap().tokens, Some(3 * 256 + 5));
    }

    /// Source of the limits: Google's pages, as `limits.json` names them.
    #[test]
    fn what_google_would_drop_or_refuse_is_told() {
        let (small, short) = (1000, 1000);
        let text = json!({ "text": "x" });
        let low = json!({ "generationConfig": { "mediaResolution": "MEDIA_RESOLUTION_LOW" } });
        let avi = json!({ "fileData": { "fileUri": "all/1.mp4", "mimeType": "video/x-matroska" } });
        for (part, more, bytes, time, says) in [
            (video("all/1.mp4"), json!({}), 100_000_001, short, "at most 100000000"),
            (video("all/1.mp4"), json!({}), small, 300_001, "at most 300 s"),
            (video("all/1.mp4"), low.clone(), small, 1_200_001, "at most 1200 s"),
            (video("all/2.mp4"), json!({}), small, short, "no clip of the stages"),
            (avi, json!({}), small, short, "none of the types"),
            (
                video("all/1.mp4"),
                json!({ "systemInstruction": { "parts": [video("all/1.mp4")] } }),
                small,
                short,
                "2 videos",
            ),
            (json!({ "words": "x" }), json!({}), small, short, "not exactly one of"),
            (text.clone(), json!({ "contents": [] }), small, short, "`contents`"),
            (
                text.clone(),
                json!({ "contents": [{ "role": "user", "parts": [text.clone()] }] }),
                small,
                short,
                "the last",
            ),
            (
                text.clone(),
                json!({ "contents": [{ "role": "model", "parts": [text.clone()] }] }),
                small,
                short,
                "the user's",
            ),
            (text.clone(), json!({ "contents": [{ "role": "bot", "parts": [text.clone()] }] }), small, short, "`bot`"),
            (text.clone(), json!({ "contents": [{ "role": "model", "parts": [] }] }), small, short, "`parts`"),
            (json!({ "text": "x".repeat(4 * 131_072) }), json!({}), small, short, "at most 131072"),
        ] {
            let why = check(&mut example(part, more), &clips(bytes, time)).unwrap_err();
            assert!(why.contains(says), "{says}: {why}");
        }
        assert!(check(&mut example(video("all/1.mp4"), low), &clips(100_000_000, 1_200_000)).is_ok());
    }
}
