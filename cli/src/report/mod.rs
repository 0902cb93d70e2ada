//! A run -> the page about it: one file of HTML that needs nothing else. What it says is the engine's account of the run, in
//! the words of `pipe status`; here it is read, and made into a page.

mod base64;
mod gantt;
mod html;
mod page;
mod pictures;
mod reckoning;
mod tasks;

use crate::exit::Refusal;
use crate::life::Life;
use pipe_engine::account::{Account, Sources};
use pipe_engine::ids::RunId;
use pipe_engine::plan::Plan;
use pipe_engine::report::RunView;
use pipe_engine::state::{Lock, StateFolder, read_only};
use pipe_engine::world::World;
use std::path::PathBuf;

/// What is told of a run, and how it stands.
pub(crate) struct Told {
    pub(crate) account: Account,
    life: Life,
    /// The arguments that lead to what is known of the run.
    place: String,
}

/// The account of a run. `plan` is the one it had, where that is known, `store` where its store lies by the spec, and
/// `place` the arguments that lead to its runs.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn of(
    (run, state): (&RunId, &StateFolder),
    (plan, store): (Option<&Plan>, Option<PathBuf>),
    place: String,
) -> Result<Told, Refusal> {
    // Before the events are read: a run that ends between the two has said so then.
    let holder = Lock::holder(state.root());
    let events = read_only::read(&state.journal(), run, 0)?;
    let life = Life::of(&RunView::of(&events), holder);
    let exit = match life {
        Life::Running(_) | Life::Died => None,
        _ => Some(life.exit() as u8),
    };
    let sources = Sources { state, store, plan };
    let account = Account::of(&events, life.state(), exit, &sources, World::real().now());
    Ok(Told { account, life, place })
}

impl Told {
    /// The page.
    pub(crate) fn page(&self) -> Written {
        let pictures = pictures::chosen(&self.account.pictures);
        let (shown, left_out) = (pictures.shown.len(), pictures.left_out.len());
        let page = page::Page::of(&self.account, &self.life, &self.place, pictures);
        Written { html: html::render(&page), pictures: shown, left_out }
    }
}

/// A page, and what is said of it when it has been written.
pub(crate) struct Written {
    pub(crate) html: String,
    /// Pictures in it.
    pub(crate) pictures: usize,
    /// Pictures it would have had too much of.
    pub(crate) left_out: usize,
}
