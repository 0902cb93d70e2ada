//! The address of a bucket -> the store in it, or a sentence that says what to do where it cannot be reached.

use crate::exit::{Exit, Refusal};
use crate::patience::patiently;
use pipe_engine::shared::Shared;
use pipe_engine::store::{Folder, Store};
use std::fmt::Display;
use std::sync::Arc;

#[cfg(feature = "cloud")]
pub(crate) fn open(uri: &str) -> Result<Arc<dyn Store>, Refusal> {
    let opened = patiently(&format!("the store {uri}"), || pipe_stores::open(uri));
    Ok(Arc::new(opened.map_err(|error| out_of_reach(uri, &error))?))
}

#[cfg(not(feature = "cloud"))]
pub(crate) fn open(uri: &str) -> Result<Arc<dyn Store>, Refusal> {
    Err(out_of_reach(uri, &"this build keeps results in folders only"))
}

/// The bucket at `uri` with its copy, once it is known that results can be filed there.
pub(crate) fn shared(uri: &str, copy: &Arc<Folder>) -> Result<Arc<Shared>, Refusal> {
    let shared = Shared::of(uri, open(uri)?, copy.clone());
    patiently(&format!("the store {uri}"), || shared.prove()).map_err(|error| {
        let usual = "a run needs to list, read, create and delete objects there; `pipe plan` only reads";
        let help = help_without_credentials(uri, &error.to_string()).unwrap_or(usual);
        Refusal::new(Exit::Unavailable, format!("results cannot be put into the store {uri}: {error}")).help(help)
    })?;
    Ok(Arc::new(shared))
}

pub(crate) fn not_opened(uri: &str, offline: bool) -> Refusal {
    if !offline {
        return out_of_reach(uri, &"this build keeps results in folders only");
    }
    Refusal::new(Exit::Wrong, format!("the store is {uri}: without it a run has nowhere to put its results"))
        .help("leave `--offline` away, or plan with it")
}

/// The schemes of the buckets that this build can look into.
pub(crate) fn schemes() -> &'static [&'static str] {
    #[cfg(feature = "cloud")]
    let schemes = &pipe_stores::SCHEMES;
    #[cfg(not(feature = "cloud"))]
    let schemes = &[];
    schemes
}

pub(crate) fn out_of_reach(uri: &str, why: &dyn Display) -> Refusal {
    let why = why.to_string();
    let usual = "check its name, the credentials and the network; `--offline` plans as if it were empty";
    let help = help_without_credentials(uri, &why).unwrap_or(usual);
    Refusal::new(Exit::Unavailable, format!("cannot look into the store {uri}: {why}")).help(help)
}

/// Where the credentials of a bucket come from, when there were none or they are no longer good.
fn help_without_credentials(uri: &str, why: &str) -> Option<&'static str> {
    #[cfg(feature = "cloud")]
    let help = {
        let help = if uri.starts_with("gs://") { pipe_stores::LOG_IN_TO_GOOGLE } else { pipe_stores::LOG_IN_TO_AMAZON };
        pipe_stores::is_about_credentials(why).then_some(help)
    };
    #[cfg(not(feature = "cloud"))]
    let help = (why.is_empty() && uri.is_empty()).then_some("");
    help
}
