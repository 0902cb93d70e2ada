//! What stages reserve of the disk -> which of them could never have it on this machine. How much is free now is no matter of a
//! spec: it changes while one waits.

use super::places::place_of;
use super::{Plan, code};
use crate::disk::{Room, roughly};
use crate::spec::Spec;
use crate::text::Diagnostic;

/// Stages of this machine that ask for more than the disk is large on which the store lies. A store that is no folder says
/// nothing of this machine's disks.
pub(super) fn too_small(spec: &Spec, plan: &Plan) -> Vec<Diagnostic> {
    let Some(room) = Room::at(&plan.store).filter(|_| plan.bucket.is_none()) else { return Vec::new() };
    // Those that are here by a choice of ours are among them.
    let here = plan.stages.iter().filter(|stage| plan.places[stage.backend].is_local());
    let wants = here.filter_map(|stage| Some((stage, stage.settings.disk.filter(|disk| disk.0 > room.whole)?)));
    let told = wants.filter_map(|(stage, wanted)| {
        let written = spec.stages.iter().find(|written| written.name.value == stage.name)?;
        let message = format!(
            "`{}` does not fit this machine: {wanted} of disk, and the one of {} has {} in all",
            stage.name,
            plan.store.display(),
            roughly(room.whole),
        );
        let help = "ask for less, put `[store] root` on a larger disk, or name a backend that has one";
        Some(
            Diagnostic::error(code::DOES_NOT_FIT, message, place_of(written, "resources.disk"), "asks for more")
                .help(help),
        )
    });
    told.collect()
}
