//! A custom job from its making to its end: it waits for quota, gets machines, runs, and is run again after what may pass.

use super::custom::Custom;
use super::environment::variables;
use super::progress::{Failure, State};
use super::spec::Replica;
use super::state::Vertex;
use crate::process::{End, Process, Running};
use futures::stream::{FuturesUnordered, StreamExt};
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Sleep;

/// How long a process has between the first signal and the last. Source: Compute Engine's page on Spot VMs; that a job which
/// is cancelled has as long is a guess.
const GRACE: Duration = Duration::from_secs(30);
/// How often a job is run again. Source: Google's page on its training service, of exits that may pass and of machines that
/// there are not; that it is as often after a preemption is a guess.
const RESTARTS: u64 = 3;
/// Exits that may pass: those of SIGABRT and SIGSEGV. Source: the same page.
const MAY_PASS: [i32; 4] = [6, 11, 134, 139];

/// Numbers of google.rpc.Code. What an exit has was read in reports of jobs; the others are guesses.
const OF_EXIT: i32 = 3;
const OF_TIMEOUT: i32 = 4;
const OF_STOCK: i32 = 8;
const OF_PREEMPTION: i32 = 13;

/// Who a job is that does not say whom it acts as. Source: Google's page on the service agents of Vertex AI; the number of every
/// project is 1 here.
const DEFAULT: &str = "service-1@gcp-sa-aiplatform-cc.iam.gserviceaccount.com";

/// How one run of a job ended.
enum Ended {
    Succeeded,
    Exited(String, ExitStatus),
    NotStarted(String),
    Cancelled,
    Preempted,
    TookTooLong,
}

impl Custom {
    pub(super) async fn live(&self, vertex: &Vertex) {
        let end = self.runs(vertex).await;
        self.progress().end(end);
    }

    async fn runs(&self, vertex: &Vertex) -> Result<(), Failure> {
        let (mut quota, mut orders) = (vertex.quota(), self.orders.subscribe());
        tokio::select! {
            _ = quota.wait_for(|is_there| *is_there) => {}
            _ = orders.wait_for(|orders| orders.is_cancelled) => return Err(Failure::cancelled()),
        }
        let mut over = std::pin::pin!(tokio::time::sleep(self.spec.timeout));
        let mut restarts = if self.spec.is_retried { RESTARTS } else { 0 };
        loop {
            self.progress().go_to(State::Pending);
            let failure = if vertex.is_out_of_stock() {
                self.out_of_stock()
            } else {
                match self.run(vertex, over.as_mut()).await {
                    Ended::Succeeded => return Ok(()),
                    Ended::Exited(replica, status) if MAY_PASS.contains(&code(status)) => self.exited(&replica, status),
                    Ended::Exited(replica, status) => return Err(self.exited(&replica, status)),
                    Ended::NotStarted(why) => return Err(Failure::new(OF_EXIT, why)),
                    Ended::Cancelled => return Err(Failure::cancelled()),
                    Ended::TookTooLong => return Err(self.took_too_long()),
                    Ended::Preempted => Failure::new(OF_PREEMPTION, "Internal error occurred for the current attempt."),
                }
            };
            if restarts == 0 {
                return Err(failure);
            }
            restarts -= 1;
        }
    }

    /// Runs every replica once, until the primary one has succeeded, one has failed, or something else ends all.
    async fn run(&self, vertex: &Vertex, over: Pin<&mut Sleep>) -> Ended {
        let mut orders = self.orders.subscribe();
        let before = *orders.borrow();
        if before.is_cancelled {
            return Ended::Cancelled;
        }
        let stop = watch::Sender::new(false);
        let running = FuturesUnordered::new();
        for replica in self.spec.replicas() {
            match self.begin(vertex, &replica) {
                Ok(process) => running.push(ended(replica, process, stop.subscribe())),
                Err(why) => return Ended::NotStarted(why),
            }
        }
        self.progress().go_to(State::Running);
        let mut running = std::pin::pin!(running);
        let ended = tokio::select! {
            ended = first_of(running.as_mut()) => ended,
            order = orders.wait_for(|orders| orders.is_cancelled || orders.preemptions > before.preemptions) => match order {
                Ok(order) if !order.is_cancelled => Ended::Preempted,
                _ => Ended::Cancelled,
            },
            () = over => Ended::TookTooLong,
        };
        stop.send_replace(true);
        while running.next().await.is_some() {}
        ended
    }

    fn begin(&self, vertex: &Vertex, replica: &Replica) -> Result<Running, String> {
        let machine = vertex.machine();
        let image = replica.container["imageUri"].as_str().unwrap_or_default();
        let words = machine.words(image, &replica.container)?;
        let account = self.spec.said["serviceAccount"].as_str().filter(|account| !account.is_empty());
        let mut variables = variables(self.id, &self.spec, replica);
        variables.insert(0, machine.doors().variable(account.unwrap_or(DEFAULT))?);
        let process = Process { words, variables, folder: None, grace: machine.grace(GRACE) };
        let begun = process.begin(&machine.log(&self.log(&replica.name())));
        begun.map_err(|error| format!("The replica {} did not start: {error}", replica.name()))
    }

    /// Source of the sentence: Google's page on its training service, and reports of jobs.
    fn exited(&self, replica: &str, status: ExitStatus) -> Failure {
        let project = self.name.split('/').nth(1).unwrap_or_default();
        Failure::new(
            OF_EXIT,
            format!(
                "The replica {replica} exited with a non-zero status of {}. To find out more about why your job exited \
                 please check the logs: https://console.cloud.google.com/logs/viewer?project={project}\
                 &resource=ml_job%2Fjob_id%2F{}",
                code(status),
                self.id
            ),
        )
    }

    /// Source of the sentence: Google's page on its training service.
    fn out_of_stock(&self) -> Failure {
        let region = self.name.split('/').nth(3).unwrap_or_default();
        let says = format!(
            "Resources are insufficient in region: {region}. Try a different region or use a different accelerator."
        );
        Failure::new(OF_STOCK, says)
    }

    fn took_too_long(&self) -> Failure {
        Failure::new(OF_TIMEOUT, format!("The job took longer than {:?}.", self.spec.timeout))
    }
}

async fn ended(replica: Replica, process: Running, mut stop: watch::Receiver<bool>) -> (Replica, End) {
    let stopped = async {
        let _ = stop.wait_for(|stopped| *stopped).await;
    };
    let end = process.end(stopped).await;
    (replica, end)
}

/// What the first replica whose end is the job's ended with.
async fn first_of(mut running: impl StreamExt<Item = (Replica, End)> + Unpin) -> Ended {
    while let Some((replica, end)) = running.next().await {
        match end {
            End::Exited(status) if status.success() && !replica.is_primary() => {}
            End::Exited(status) if status.success() => return Ended::Succeeded,
            End::Exited(status) => return Ended::Exited(replica.name(), status),
            End::Lost(error) => return Ended::NotStarted(error.to_string()),
            End::Stopped => {}
        }
    }
    Ended::Cancelled
}

/// The code that a container has exited with, of a signal as well.
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}
