//! A method's id -> what does it. A service is a definition and a table of these.

use crate::answer::{Body, Manner, Refusal};
use crate::call::Call;
use crate::definitions::Document;
use futures::future::BoxFuture;
use hyper::Response;
use std::sync::Arc;

/// Parameters that change nothing that is done here.
const OF_ALL: [&str; 11] = [
    "alt",
    "$alt",
    "$.xgafv",
    "access_token",
    "key",
    "oauth_token",
    "prettyPrint",
    "quotaUser",
    "uploadType",
    "upload_protocol",
    "userIp",
];

type Act = Box<dyn Fn(Call) -> BoxFuture<'static, Result<Response<Body>, Refusal>> + Send + Sync>;

/// A method that is done.
pub(crate) struct Done {
    pub(crate) id: &'static str,
    /// The parameters that it acts upon.
    asks: Vec<&'static str>,
    act: Act,
}

/// A service: what Google says of it, and what is done here.
pub(crate) struct Service {
    pub(crate) document: Arc<Document>,
    pub(crate) manner: Manner,
    pub(crate) methods: Vec<Done>,
}

impl Done {
    pub(crate) fn new<S, F>(
        id: &'static str,
        asks: &[&'static str],
        service: &S,
        act: impl Fn(S, Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        S: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response<Body>, Refusal>> + Send + 'static,
    {
        let service = service.clone();
        Self { id, asks: asks.to_vec(), act: Box::new(move |call| Box::pin(act(service.clone(), call))) }
    }

    pub(crate) async fn act(&self, call: Call) -> Result<Response<Body>, Refusal> {
        let passed_over =
            call.query.iter().find(|(name, _)| !self.asks.contains(&name.as_str()) && !OF_ALL.contains(&name.as_str()));
        match passed_over {
            Some((name, _)) => Err(Refusal::not_done(&format!("the parameter `{name}` of {}", self.id))),
            None => (self.act)(call).await,
        }
    }
}
