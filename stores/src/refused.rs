//! What a bucket has refused -> what that means, and the role or the command that mends it.

use pipe_engine::failure::{Class, Failure};
use pipe_engine::store::{Right, StoreError};
use std::io::ErrorKind;

/// What is said where nobody has told who asks.
pub(crate) const NO_CREDENTIALS: &str = "there are no credentials for it";
/// What is said where the service does not take what was told.
pub(crate) const EXPIRED: &str = "its service does not take the credentials, which may have expired";

/// Where credentials for Cloud Storage come from.
pub const LOG_IN_TO_GOOGLE: &str = "`gcloud auth application-default login` gives some to a person; a program's own are a \
                                    file that GOOGLE_APPLICATION_CREDENTIALS names; a machine of Google's has those of its \
                                    service account";
/// Where those for S3 come from.
pub const LOG_IN_TO_AMAZON: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE for a part of \
                                    ~/.aws/credentials, as `aws configure` writes it; a machine of Amazon's has those of its \
                                    role";

/// Whether the words of an error say that there were no credentials, or none that are good.
pub fn is_about_credentials(words: &str) -> bool {
    words.contains(NO_CREDENTIALS) || words.contains(EXPIRED)
}

pub(crate) fn refused((scheme, bucket): (&str, &str), right: Right, error: StoreError) -> Failure {
    let is_google = scheme == "gcs";
    let uri = if is_google { format!("gs://{bucket}") } else { format!("s3://{bucket}") };
    let words = error.to_string();
    let cannot = |class: Class, code: &str, why: &str| {
        Failure::of(class, code, format!("objects cannot be {}: {why}", right.done())).on(&uri).source(&words)
    };
    match &error {
        _ if is_about_credentials(&words) => cannot(Class::Failed, "no_credentials", "nobody is logged in")
            .help(if is_google { LOG_IN_TO_GOOGLE } else { LOG_IN_TO_AMAZON }),
        StoreError::Missing { .. } if right != Right::Read => {
            let make = if is_google {
                format!("gcloud storage buckets create {uri} --location=REGION")
            } else {
                format!("aws s3 mb {uri}")
            };
            cannot(Class::Failed, "no_bucket", "there is no such bucket")
                .help(format!("look at `[store] root`, or make it: {make}"))
        }
        StoreError::Failed { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            cannot(Class::Failed, "not_allowed", "it is not allowed").help(role(is_google, bucket, right))
        }
        StoreError::Away { class, .. } => cannot(*class, "no_answer", "its service does not answer as it should")
            .help("look at the network and at the address of the service"),
        _ => cannot(Class::Failed, "store", "its service does not do it"),
    }
}

/// The role of Cloud Storage, or the action of S3, that it takes.
fn role(is_google: bool, bucket: &str, right: Right) -> String {
    if is_google {
        return format!(
            "give whoever runs pipe roles/storage.objectUser on the bucket: gcloud storage buckets add-iam-policy-binding \
             gs://{bucket} --member=user:YOU --role=roles/storage.objectUser"
        );
    }
    let (action, on) = match right {
        Right::Create => ("s3:PutObject", "/*"),
        Right::Read => ("s3:GetObject", "/*"),
        Right::List => ("s3:ListBucket", ""),
        Right::Delete => ("s3:DeleteObject", "/*"),
    };
    format!("allow whoever runs pipe {action} on arn:aws:s3:::{bucket}{on}, in the policy of the user or of the bucket")
}
