//! Jobs -> how they stand: one question for all of a backend's jobs at a time, however many there are.

use super::answer;
use crate::backend::{Backend, Job, Standing};
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

/// Asks one backend about the jobs that somebody watches.
pub struct Poller {
    wanted: UnboundedSender<Watched>,
}

struct Watched {
    job: Job,
    /// `None` as long as nothing was heard.
    standing: watch::Sender<Option<Standing>>,
}

impl Poller {
    /// Asks this backend. Call it inside a runtime.
    pub fn of(backend: Arc<dyn Backend>) -> Self {
        let (wanted, inbox) = unbounded_channel();
        tokio::spawn(ask(backend, inbox));
        Self { wanted }
    }

    /// How a job stands from now on. Nobody asks any more once the answer is dropped.
    pub fn watch(&self, job: Job) -> watch::Receiver<Option<Standing>> {
        let (standing, heard) = watch::channel(None);
        let _ = self.wanted.send(Watched { job, standing });
        heard
    }
}

async fn ask(backend: Arc<dyn Backend>, mut inbox: UnboundedReceiver<Watched>) {
    let mut watched: Vec<Watched> = Vec::new();
    loop {
        watched.retain(|one| !one.standing.is_closed());
        if watched.is_empty() {
            match inbox.recv().await {
                Some(first) => watched.push(first),
                None => return,
            }
        }
        while let Ok(more) = inbox.try_recv() {
            watched.push(more);
        }
        let jobs: Vec<Job> = watched.iter().map(|one| one.job.clone()).collect();
        match answer(backend.poll(&jobs)).await {
            Ok(standings) => {
                for (one, standing) in watched.iter().zip(standings) {
                    one.standing.send_replace(Some(standing));
                }
            }
            // What is asked again a moment later needs no other remedy: a job's own timeout ends it.
            Err(failure) => tracing::warn!(%failure, jobs = jobs.len(), "how jobs stand could not be asked"),
        }
        tokio::time::sleep(backend.poll_every()).await;
    }
}
