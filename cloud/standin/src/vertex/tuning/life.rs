//! A tuning job from its making to its end: it waits for quota, reads its examples, and leaves a model.

use super::super::progress::{Failure, State};
use super::super::state::Vertex;
use super::dataset::Dataset;
use super::job::Tuning;
use serde_json::{Value as Json, json};

/// The number of google.rpc.Code of what is not there.
const MISSING: i32 = 5;

impl Tuning {
    pub(super) async fn live(&self, vertex: &Vertex) {
        let end = self.tune(vertex).await;
        self.progress().end(end);
    }

    async fn tune(&self, vertex: &Vertex) -> Result<(), Failure> {
        let (mut quota, mut cancelled) = (vertex.quota(), self.is_cancelled.subscribe());
        tokio::select! {
            _ = quota.wait_for(|is_there| *is_there) => {}
            _ = cancelled.wait_for(|is_cancelled| *is_cancelled) => return Err(Failure::cancelled()),
        }
        self.progress().go_to(State::Pending);
        self.progress().go_to(State::Running);
        let mut looks = self.looks.subscribe();
        tokio::select! {
            _ = looks.wait_for(|left| *left == 0) => {}
            _ = cancelled.wait_for(|is_cancelled| *is_cancelled) => return Err(Failure::cancelled()),
        }
        let training = Dataset::of(vertex.storage(), &self.spec.training)?;
        self.tell("tuningDataStats", training.stats(self.spec.epochs));
        training.check()?;
        if let Some(file) = &self.spec.validation {
            Dataset::of(vertex.storage(), file)?.check_validation()?;
        }
        if *self.is_cancelled.borrow() {
            return Err(Failure::cancelled());
        }
        let (model, endpoint) = {
            let mut state = vertex.state();
            let model = state.tuned(&self.spec.source, self.spec.shown.as_deref(), self.parent());
            let endpoint = format!("{}/endpoints/{}", self.parent(), state.unique());
            (model.map_err(|refusal| Failure::new(MISSING, refusal.message))?, endpoint)
        };
        self.tell("tunedModel", self.tuned(&model, &endpoint));
        Ok(())
    }

    fn tuned(&self, model: &str, endpoint: &str) -> Json {
        let mut tuned = json!({ "model": model, "endpoint": endpoint });
        if self.spec.has_checkpoints {
            let checkpoint = |epoch: u64| {
                let number = epoch.to_string();
                json!({ "checkpointId": number, "epoch": number, "endpoint": endpoint })
            };
            tuned["checkpoints"] = (1..=self.spec.epochs).map(checkpoint).collect();
        }
        tuned
    }
}
