//! What happens in a world -> lines, for whoever looks into a seed.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// Keeps lines when it is asked to: making them takes longer than all else. Its clones keep them together, so they are
/// there when the world is lost to a panic.
#[derive(Clone, Default)]
pub(crate) struct Trace(Option<Rc<RefCell<Vec<String>>>>);

impl Trace {
    pub(crate) fn kept() -> Self {
        Self(Some(Rc::default()))
    }

    pub(crate) fn line(&self, line: fmt::Arguments<'_>) {
        if let Some(lines) = &self.0 {
            lines.borrow_mut().push(line.to_string());
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.as_ref().map(|lines| lines.borrow().clone()).unwrap_or_default()
    }
}
