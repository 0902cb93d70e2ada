//! Cloud Run jobs: what they can be asked -> what is done. Tasks run as processes of this machine, with the environment and the
//! signals that a container gets.

mod container;
mod execution;
mod methods;
mod state;

pub(crate) use state::Jobs;

use crate::route::Done;

impl Jobs {
    pub(crate) fn methods(&self) -> Vec<Done> {
        let of_list = ["pageSize", "pageToken", "showDeleted"];
        vec![
            Done::new("run.projects.locations.jobs.create", &["jobId", "validateOnly"], self, methods::create),
            Done::new("run.projects.locations.jobs.get", &[], self, methods::get),
            Done::new("run.projects.locations.jobs.list", &of_list, self, methods::list),
            Done::new("run.projects.locations.jobs.delete", &["etag", "validateOnly"], self, methods::delete),
            Done::new("run.projects.locations.jobs.run", &[], self, methods::run),
            Done::new("run.projects.locations.jobs.executions.get", &[], self, methods::get_execution),
            Done::new("run.projects.locations.jobs.executions.list", &of_list, self, methods::list_executions),
            Done::new("run.projects.locations.jobs.executions.cancel", &[], self, methods::cancel),
            Done::new("run.projects.locations.operations.get", &[], self, methods::get_operation),
        ]
    }
}
