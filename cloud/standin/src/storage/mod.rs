//! Cloud Storage: what it can be asked -> what is done. One line for each method, with the parameters that it acts upon.

mod buckets;
mod conditions;
mod content;
mod insert;
mod list;
mod object;
mod parts;
mod read;
mod session;
mod state;

pub(crate) use state::Storage;

use crate::answer::{Body, Refusal};
use crate::call::Call;
use crate::route::Done;
use conditions::PARAMETERS as CONDITIONS;
use hyper::Response;

/// What every handler returns.
pub(crate) type Answer = Result<Response<Body>, Refusal>;

impl Storage {
    pub(crate) fn methods(&self) -> Vec<Done> {
        let of_object = |more: &[&'static str]| [&CONDITIONS[..], more].concat();
        let of_list = [
            "delimiter",
            "endOffset",
            "includeTrailingDelimiter",
            "maxResults",
            "pageToken",
            "prefix",
            "projection",
            "startOffset",
            "versions",
        ];
        vec![
            Done::new("storage.buckets.insert", &["project", "projection"], self, buckets::insert),
            Done::new("storage.buckets.get", &["projection"], self, buckets::get),
            Done::new("storage.buckets.list", &["project", "prefix", "projection"], self, buckets::list),
            Done::new("storage.buckets.delete", &[], self, buckets::delete),
            Done::new(
                "storage.objects.insert",
                &of_object(&["name", "contentEncoding", "projection"]),
                self,
                insert::insert,
            ),
            Done::new("storage.objects.get", &of_object(&["generation", "projection"]), self, read::get),
            Done::new("storage.objects.list", &of_list, self, list::list),
            Done::new("storage.objects.patch", &of_object(&["generation", "projection"]), self, read::patch),
            Done::new("storage.objects.delete", &of_object(&["generation"]), self, read::delete),
        ]
    }

    /// A later request of an upload that goes part by part.
    pub(crate) async fn go_on(&self, upload: &str, call: Call) -> Answer {
        session::go_on(self.clone(), upload, call).await
    }
}
