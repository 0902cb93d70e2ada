//! An attempt -> the one job that works on it. Who writes `claim` first has it; a job that is started anew finds its own name
//! there and goes on.

use crate::elsewhere::{place, read, write_new};
use crate::failure::Failure;
use crate::ids::AttemptId;
use crate::store::Store;
use crate::world::Timestamp;
use serde::{Deserialize, Serialize};

/// The name of the claim inside the attempt's folder.
const CLAIM: &str = "claim";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Claim {
    version: u32,
    /// The job, by the name that its provider gave it.
    job: String,
    time: Timestamp,
}

/// Claims an attempt. Returns the job that has it, when that is another.
pub(super) fn taken_by_another(
    bucket: &dyn Store,
    id: &AttemptId,
    job: &str,
    now: Timestamp,
) -> Result<Option<String>, Failure> {
    let at = place(id, CLAIM);
    if write_new(bucket, &at, &Claim { version: VERSION, job: job.to_owned(), time: now })? {
        return Ok(None);
    }
    let there: Option<Claim> = read(bucket, &at)?;
    Ok(there.map(|claim| claim.job).filter(|other| other != job))
}
