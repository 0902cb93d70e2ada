//! Attempts, and how those on this machine come to their ends.

use super::heard::LINES_UNHEARD;
use super::{Dispatcher, Message};
use crate::attempt::{Attempt, Input as Given, Outcome, Provision, SourceFile, VERSION};
use crate::elsewhere;
use crate::event::Body;
use crate::failpoint::reach;
use crate::failure::Failure;
use crate::ids::AttemptId;
use crate::local::{self, Prepared};
use crate::manifest::Artifact;
use crate::run::publish::{self, Finish};
use crate::run::say::AttemptEnd;
use crate::scheduler::{Input, TaskIndex};
use crate::secret;
use crate::units::Bytes;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use tracing::Instrument;

impl Dispatcher {
    pub(super) fn start(&mut self, task: TaskIndex, number: u32, memory: u64) {
        let attempt = self.attempt(task, memory, None);
        let (plan, spec) = (self.setup.plan.clone(), self.setup.plan.task(task));
        let (launch, mut env) = (plan.launch(spec), spec.env.clone());
        let gpus = plan.settings(spec).takes().gpus.min(self.setup.limits.gpus);
        env.extend(self.devices.give(task, gpus as usize).map(|gpus| (local::GPUS.to_owned(), gpus)));
        let (local, outbox) = (self.setup.local.clone(), self.outbox.clone());
        let (shared, trust, needs) = (self.setup.shared.clone(), self.trust.clone(), self.needs(task));
        tokio::task::spawn_blocking(move || {
            let wanted = &plan.settings(plan.task(task)).secrets;
            let secrets = secret::fetch_all(wanted, |name| plan.variable(name));
            let prepared = secrets.and_then(|secrets| {
                let attempt = match shared {
                    Some(shared) => shared.ready(attempt, &needs)?,
                    None => trust.before(&needs).map(|()| attempt)?,
                };
                local::prepare(&local, attempt, launch, env, secrets)
            });
            let _ = outbox.send(Message::Prepared(task, number, Box::new(prepared)));
        });
    }

    pub(super) fn prepared(&mut self, task: TaskIndex, number: u32, prepared: Result<Prepared, Failure>) {
        let begun = prepared.and_then(|p| Ok((self.setup.local.start(&p)?, p)));
        let (child, prepared) = match begun {
            Ok(begun) => begun,
            Err(failure) => {
                self.devices.take_back(task);
                return self.feed(Input::Ended(task, number, Err(failure)));
            }
        };
        reach("attempt.spawned");
        let id = prepared.attempt.id.clone();
        self.sayer.attempt_of.insert(task, id.clone());
        let (stop, stopped) = watch::channel(None);
        self.running.insert(task, stop);
        let span = self.attempt_span(task, number, &id);
        let listens = self.setup.plan.settings(self.setup.plan.task(task)).silence.is_some();
        let (local, outbox, unheard) = (self.setup.local.clone(), self.outbox.clone(), self.unheard.clone());
        let follow = async move {
            let passing = outbox.clone();
            let say = move |body| {
                if matches!(body, Body::Log { .. }) && unheard.fetch_add(1, Ordering::Relaxed) >= LINES_UNHEARD {
                    unheard.fetch_sub(1, Ordering::Relaxed);
                    return;
                }
                let _ = passing.send(Message::Passing(task, id.clone(), body));
            };
            let ear = outbox.clone();
            let hear = move || drop(ear.send(Message::Heard(task, number)));
            let outcome = local.follow(child, prepared, stopped, say, listens.then_some(hear)).await;
            let _ = outbox.send(Message::Ended(task, number, Box::new(outcome)));
        };
        tokio::spawn(follow.instrument(span));
        self.feed(Input::Started(task, number));
    }

    pub(super) fn attempt_ended(&mut self, task: TaskIndex, number: u32, outcome: Outcome) {
        self.running.remove(&task);
        self.devices.take_back(task);
        let (attempt, is_done) = (outcome.id.clone(), outcome.failure.is_none());
        let end = AttemptEnd { items: outcome.items, usage: outcome.usage, is_open: false };
        self.sayer.ends.insert(task, end);
        if !self.setup.plan.place_of(task).is_local()
            && let Some(shared) = self.setup.shared.clone()
        {
            self.take_filed((task, number), shared, outcome);
            return self.forget_job(task, attempt, is_done);
        }
        let missed = &self.missed[&task];
        let unchanged = || missed.files.values().try_for_each(SourceFile::check_unchanged);
        let result = outcome.failure.clone().map_or_else(unchanged, Err);
        if result.is_ok() {
            let (plan, now) = (&self.setup.plan, self.setup.world.now());
            let manifest = publish::manifest(&self.run, &plan.name, plan.task(task), missed, outcome, now);
            let replaces = self.setup.plan.is_forced(task);
            // What came out of a bucket was hashed on its way.
            let needs = if self.setup.shared.is_none() { self.needs(task) } else { Vec::new() };
            self.finishing.push(Finish { task, manifest, replaces, needs });
        }
        self.feed(Input::Ended(task, number, result));
        self.forget_job(task, attempt, is_done);
    }

    /// `provision`: what a place elsewhere is to provide.
    pub(super) fn attempt(&self, task: TaskIndex, memory: u64, provision: Option<Provision>) -> Attempt {
        let (plan, missed) = (&self.setup.plan, &self.missed[&task]);
        let spec = plan.task(task);
        let stage = &plan.stages[spec.stage];
        let slots = stage.settings.cpu.slots();
        let is_here = provision.is_none();
        Attempt {
            version: VERSION,
            id: AttemptId::new(&missed.fingerprint, 0),
            run: self.run.clone(),
            pipeline: plan.name.clone(),
            task: spec.id.clone(),
            kind: stage.kind.name().to_owned(),
            code: stage.code.clone(),
            fingerprint: missed.fingerprint.clone(),
            key: missed.fields(),
            config: Json::clone(&spec.config),
            inputs: self.artifacts(task),
            files: missed.files.clone(),
            store: if is_here { self.setup.local.store.root().to_owned() } else { self.depot().root() },
            output: elsewhere::output_of(&plan.name, &spec.id, &missed.fingerprint),
            anew: plan.is_forced(task),
            cpu: if is_here { slots.min(self.setup.limits.cpu) } else { slots },
            memory: Bytes(memory),
            disk: stage.settings.disk,
            checkpoints: None,
            provision,
        }
    }

    /// The results that a task takes, as far as there are any.
    pub(super) fn needs(&self, task: TaskIndex) -> Vec<Arc<Artifact>> {
        let inputs = self.setup.plan.task(task).inputs.iter();
        inputs.flat_map(|input| input.tasks.iter()).filter_map(|need| self.known[need.index()].clone()).collect()
    }

    /// The input artifacts of a task, those of them that there are: a task may run after a failure.
    pub(super) fn artifacts(&self, task: TaskIndex) -> BTreeMap<String, Vec<Given>> {
        let plan = &self.setup.plan;
        let artifact = |index: usize| {
            let made = self.known[index].as_ref()?;
            let cell = plan.task(index).id.cell.clone();
            Some(Given { cell, digest: made.digest.clone(), files: made.files.clone() })
        };
        let inputs = plan.task(task).inputs.iter();
        inputs.map(|i| (i.field.clone(), i.tasks.iter().filter_map(|t| artifact(t.index())).collect())).collect()
    }
}
