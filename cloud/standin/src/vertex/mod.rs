//! Vertex AI: what it can be asked -> what is done. Custom jobs run as processes of this machine, with the environment and the
//! signals that a container gets; tuning jobs read their examples and train nothing.

mod filter;
mod labels;
mod progress;

mod spec;

mod environment;

mod custom;
mod tuning;

mod state;

mod life;
mod methods;

pub(crate) use state::Vertex;

use crate::route::Done;

impl Vertex {
    pub(crate) fn methods(&self) -> Vec<Done> {
        let of_list = ["filter", "pageSize", "pageToken"];
        vec![
            Done::new("aiplatform.projects.locations.customJobs.create", &[], self, methods::create),
            Done::new("aiplatform.projects.locations.customJobs.get", &[], self, methods::get),
            Done::new("aiplatform.projects.locations.customJobs.list", &of_list, self, methods::list),
            Done::new("aiplatform.projects.locations.customJobs.cancel", &[], self, methods::cancel),
            Done::new("aiplatform.projects.locations.customJobs.delete", &[], self, methods::delete),
            Done::new("aiplatform.projects.locations.tuningJobs.create", &[], self, tuning::create),
            Done::new("aiplatform.projects.locations.tuningJobs.get", &[], self, tuning::get),
            Done::new("aiplatform.projects.locations.tuningJobs.list", &of_list, self, tuning::list),
            Done::new("aiplatform.projects.locations.tuningJobs.cancel", &[], self, tuning::cancel),
            Done::new("aiplatform.projects.locations.operations.get", &[], self, methods::get_operation),
        ]
    }
}
