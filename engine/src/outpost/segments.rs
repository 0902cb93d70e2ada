//! What an attempt says while it works -> numbered objects of its folder in the bucket, one every few seconds as long as there
//! is something to say. Comes here without secrets.

use super::Errand;
use crate::elsewhere::{Said, place, segment};
use crate::event::Body;
use crate::ids::AttemptId;
use crate::store::{Store, StoreError};
use crate::world::World;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// How long what was said first may wait for what is said next.
const EVERY: Duration = Duration::from_secs(2);
/// A segment is written at once when it has so many bytes.
const LONGEST: usize = 1 << 20;
/// Bytes that may wait for a slow bucket. What is said beyond them is left out, and told.
const UNWRITTEN: usize = 8 << 20;
/// How often a segment is tried, and the rest between two tries.
const TRIES: u32 = 3;
const REST: Duration = Duration::from_secs(1);

/// Takes what is said.
pub(super) struct Segments {
    said: UnboundedSender<Said>,
    world: World,
    unwritten: Arc<AtomicUsize>,
    left_out: AtomicU64,
    writing: JoinHandle<()>,
}

impl Segments {
    /// Begins after what an earlier process of the same job has said. Call it inside a runtime.
    pub(super) fn of(errand: &Errand) -> Self {
        let (said, inbox) = unbounded_channel();
        let unwritten = Arc::<AtomicUsize>::default();
        let pen = Pen { bucket: errand.bucket.clone(), id: errand.id.clone(), next: 1 };
        let writing = tokio::spawn(write(pen, inbox, unwritten.clone()));
        Self { said, world: errand.world.clone(), unwritten, left_out: AtomicU64::new(0), writing }
    }

    pub(super) fn say(&self, body: Body) {
        let size = size_of(&body);
        if self.unwritten.fetch_add(size, Ordering::Relaxed) > UNWRITTEN {
            self.unwritten.fetch_sub(size, Ordering::Relaxed);
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let line = format!("({left_out} lines are left out here: the store did not keep up)");
            self.unwritten.fetch_add(size_of(&Body::Log { line: line.clone() }), Ordering::Relaxed);
            self.send(Body::Log { line });
        }
        self.send(body);
    }

    fn send(&self, body: Body) {
        let _ = self.said.send(Said { time: self.world.now(), body });
    }

    /// Comes back when all that was said is written.
    pub(super) async fn end(self) {
        drop(self.said);
        let _ = self.writing.await;
    }
}

/// About how much room it takes.
fn size_of(body: &Body) -> usize {
    if let Body::Log { line } = body { line.len() + 64 } else { 128 }
}

async fn write(mut pen: Pen, mut inbox: UnboundedReceiver<Said>, unwritten: Arc<AtomicUsize>) {
    pen.find_next().await;
    while let Some(first) = inbox.recv().await {
        let mut segment = Segment::default();
        segment.take(first);
        let rest = tokio::time::sleep(EVERY);
        tokio::pin!(rest);
        while segment.text.len() < LONGEST {
            tokio::select! {
                said = inbox.recv() => match said {
                    Some(said) => segment.take(said),
                    None => break,
                },
                () = &mut rest => break,
            }
        }
        let size = segment.size;
        pen.put(segment.whole()).await;
        unwritten.fetch_sub(size, Ordering::Relaxed);
    }
}

/// What is to be written next.
#[derive(Default)]
struct Segment {
    text: Vec<u8>,
    size: usize,
    /// How far the work is. Nobody looks at what it was a moment before.
    progress: Option<Said>,
}

impl Segment {
    fn take(&mut self, said: Said) {
        self.size += size_of(&said.body);
        match said.body {
            Body::Progress { .. } => self.progress = Some(said),
            _ => self.line(&said),
        }
    }

    fn line(&mut self, said: &Said) {
        if serde_json::to_writer(&mut self.text, said).is_ok() {
            self.text.push(b'\n');
        }
    }

    fn whole(mut self) -> Vec<u8> {
        if let Some(progress) = self.progress.take() {
            self.line(&progress);
        }
        self.text
    }
}

/// Writes segments, each under the next number.
struct Pen {
    bucket: Arc<dyn Store>,
    id: AttemptId,
    next: u32,
}

impl Pen {
    async fn find_next(&mut self) {
        let listed = self.bucket.list(&place(&self.id, "segments/")).await.unwrap_or_default();
        let numbers = listed.iter().filter_map(|stat| {
            let name = stat.at.rsplit('/').next()?;
            name.strip_suffix(".jsonl")?.parse::<u32>().ok()
        });
        self.next = numbers.max().map_or(1, |last| last.saturating_add(1));
    }

    /// What cannot be written is lost: it must not end the work that it speaks of.
    async fn put(&mut self, text: Vec<u8>) {
        let mut tries = 0;
        while tries < TRIES {
            let at = segment(&self.id, self.next);
            match self.bucket.put_new(&at, &text).await {
                Ok(()) => {
                    self.next += 1;
                    return;
                }
                Err(StoreError::Conflict { .. }) => {
                    self.next += 1;
                    // Perhaps it was we, and the answer was lost.
                    if self.bucket.get(&at).await.is_ok_and(|there| there == text) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "what the attempt says cannot be written now");
                    tries += 1;
                    tokio::time::sleep(REST).await;
                }
            }
        }
        tracing::warn!(bytes = text.len(), "what the attempt said was not written: the store does not take it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Folder;
    use crate::world::Timestamp;
    use futures::executor::block_on;

    fn said(time: u64, body: Body) -> Said {
        Said { time: Timestamp(time), body }
    }

    fn progress(done: u64) -> Body {
        Body::Progress { done, total: 9, unit: "clips".to_owned(), bytes: None }
    }

    #[test]
    fn a_segment_has_every_line_and_of_progress_the_newest() {
        let mut segment = Segment::default();
        let log = |line: &str| Body::Log { line: line.to_owned() };
        for one in [said(1, log("a")), said(2, progress(1)), said(3, log("b")), said(4, progress(2))] {
            segment.take(one);
        }
        let text = String::from_utf8(segment.whole()).unwrap();
        let expected = [
            r#"{"time":1,"type":"log","line":"a"}"#,
            r#"{"time":3,"type":"log","line":"b"}"#,
            r#"{"time":4,"type":"progress","done":2,"total":9,"unit":"clips"}"#,
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        let read: Said = serde_json::from_str(expected[2]).unwrap();
        assert_eq!(read, said(4, progress(2)));
    }

    #[test]
    fn segments_go_on_after_those_of_an_earlier_process_and_none_is_written_twice() {
        let folder = tempfile::tempdir().unwrap();
        let bucket = Arc::new(Folder::open(folder.path()).unwrap());
        let pen = || Pen { bucket: bucket.clone(), id: AttemptId("0123456789abcdef0123-1".to_owned()), next: 1 };
        let numbers = || {
            let listed = block_on(bucket.list("attempts/")).unwrap();
            listed.iter().map(|stat| stat.at.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        block_on(pen().put(b"one".to_vec()));
        // The answer was lost, and the same is tried again.
        block_on(pen().put(b"one".to_vec()));
        assert_eq!(numbers(), ["000001.jsonl"]);
        let mut again = pen();
        block_on(again.find_next());
        block_on(again.put(b"two".to_vec()));
        block_on(pen().put(b"three".to_vec()));
        assert_eq!(numbers(), ["000001.jsonl", "000002.jsonl", "000003.jsonl"]);
    }
}
