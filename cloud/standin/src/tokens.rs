//! Who asks: the metadata server of a machine and the token endpoint, which hand out tokens, and the tokens that are known.

use crate::answer::{Body, Refusal, full, set, told};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use hyper::{HeaderMap, Method, Response};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a token is good, in seconds. Nothing here goes by it.
const GOOD_FOR: u64 = 3599;
/// Who every token stands for.
const ACCOUNT: &str = "worker@standin.iam.gserviceaccount.com";
/// Where a metadata server tells of the machine.
const METADATA: &str = "/computeMetadata/v1";

/// The tokens that were handed out.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    known: BTreeSet<String>,
    /// Whether whoever asks a service must show one.
    are_needed: bool,
}

impl Tokens {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nobody is served without a token.
    pub(crate) fn need(&self) {
        self.state().are_needed = true;
    }

    /// From now on those that were handed out are good no more.
    pub(crate) fn expire(&self) {
        self.state().known.clear();
    }

    /// Lets a request to a service through, or says why not.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let state = self.state();
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match shown {
            _ if !state.are_needed => Ok(()),
            Some(token) if state.known.contains(token) => Ok(()),
            Some(_) => Err(Refusal::new(401, "Invalid Credentials")),
            None => Err(Refusal::new(401, "Anonymous caller does not have access.")),
        }
    }

    fn handed_out(&self) -> Response<Body> {
        let mut state = self.state();
        let token = format!("ya29.standin-{}", state.known.len());
        state.known.insert(token.clone());
        told(&json!({ "access_token": token, "expires_in": GOOD_FOR, "token_type": "Bearer" }))
    }

    /// The answer to a request for a token, or about the machine. `None`: it is about something else.
    pub(crate) fn answer(
        &self,
        verb: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Result<Response<Body>, Refusal>> {
        if path == "/token" && verb == Method::POST {
            return Some(Ok(self.handed_out()));
        }
        let path = path.strip_prefix(METADATA)?;
        // Pages of the web cannot set this header, which keeps them from asking.
        if headers.get("metadata-flavor").is_none_or(|flavor| flavor != "Google") {
            return Some(Err(Refusal::new(403, "Missing Metadata-Flavor:Google header.")));
        }
        Some(self.of_machine(path).map(|mut answer| {
            set(&mut answer, HeaderName::from_static("metadata-flavor"), "Google");
            answer
        }))
    }

    fn of_machine(&self, path: &str) -> Result<Response<Body>, Refusal> {
        let text = |text: &'static str| {
            let mut answer = Response::new(full(text));
            set(&mut answer, CONTENT_TYPE, "application/text");
            Ok(answer)
        };
        match path {
            "/instance/service-accounts/default/token" => Ok(self.handed_out()),
            "/instance/service-accounts/default/email" => text(ACCOUNT),
            "/instance/region" => text("projects/1/regions/us-central1"),
            "/project/project-id" => text("standin"),
            "/project/numeric-project-id" => text("1"),
            _ => Err(Refusal::new(404, format!("there is nothing at {METADATA}{path}"))),
        }
    }
}
