//! What an attempt has finished, and what it has reached on its way -> the bucket, while it works: who kills its machine takes what
//! is in hand, and no more.

use super::ground::Ground;
use super::reached::Reached;
use crate::attempt::Attempt;
use crate::failure::Failure;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often it is looked what is new.
const EVERY: Duration = Duration::from_millis(200);
/// How long a bucket that does not take something is left alone.
const REST: Duration = Duration::from_secs(5);

/// Files it.
pub(super) struct Filing {
    over: watch::Sender<bool>,
    rounds: JoinHandle<Option<Reached>>,
}

impl Filing {
    /// Begins. Call it inside a runtime.
    pub(super) fn of(ground: &Arc<Ground>, attempt: &Attempt, reached: Option<Reached>) -> Self {
        let (over, is_over) = watch::channel(false);
        Self { over, rounds: tokio::spawn(rounds(ground.clone(), attempt.clone(), reached, is_over)) }
    }

    /// Comes back when nothing is on its way any more. What was finished since the last look is not there yet.
    pub(super) async fn end(self) -> Option<Reached> {
        self.over.send_replace(true);
        self.rounds.await.expect("filing does not panic")
    }
}

async fn rounds(
    ground: Arc<Ground>,
    attempt: Attempt,
    mut reached: Option<Reached>,
    mut is_over: watch::Receiver<bool>,
) -> Option<Reached> {
    let (attempt, mut rest) = (Arc::new(attempt), EVERY);
    loop {
        tokio::select! {
            () = told(&mut is_over) => return reached,
            () = tokio::time::sleep(rest) => {}
        }
        let (of, on) = (attempt.clone(), ground.clone());
        let round = tokio::task::spawn_blocking(move || {
            let filed = look(&on, &of, reached.as_mut());
            (filed, reached)
        });
        let filed;
        (filed, reached) = round.await.expect("filing does not panic");
        rest = EVERY;
        if let Err(failure) = filed {
            tracing::warn!(%failure, "what is finished cannot be put into the store now");
            rest = REST;
        }
    }
}

/// What is new goes there. Items come first: they are finished work.
fn look(ground: &Ground, attempt: &Attempt, reached: Option<&mut Reached>) -> Result<(), Failure> {
    let items = ground.file_items(attempt);
    let saved = reached.map_or(Ok(()), Reached::save_in_turn);
    items.and(saved)
}

/// Comes back when it is over; also when whoever would say so is gone, since the attempt was given up then.
async fn told(is_over: &mut watch::Receiver<bool>) {
    let _ = is_over.wait_for(|over| *over).await;
}
