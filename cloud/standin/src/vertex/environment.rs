//! A replica of a custom job -> the variables of its container: the service's, and those that were said.

use super::spec::{Replica, Spec};
use serde_json::{Map, Value as Json, json};

/// The port that replicas are told to be reached at. Source: the examples of Google's page on distributed training.
const PORT: u16 = 2222;

/// Everything that a container finds. A variable that was said counts more than one of the service.
pub(super) fn variables(id: u64, spec: &Spec, replica: &Replica) -> Vec<(String, String)> {
    let mut variables = of_service(id, spec, replica);
    for one in replica.container["env"].as_array().into_iter().flatten() {
        let text = |field: &str| one[field].as_str().unwrap_or_default();
        let value = expanded(text("value"), &variables);
        variables.push((text("name").to_owned(), value));
    }
    variables
}

/// Source: the definition of `CustomJobSpec.baseOutputDirectory`, and Google's pages on training code and on distributed
/// training.
fn of_service(id: u64, spec: &Spec, replica: &Replica) -> Vec<(String, String)> {
    let folders =
        [("AIP_MODEL_DIR", "model/"), ("AIP_CHECKPOINT_DIR", "checkpoints/"), ("AIP_TENSORBOARD_LOG_DIR", "logs/")];
    let folders = folders.into_iter().filter_map(|(name, folder)| {
        let output = spec.output.as_ref()?;
        Some((name.to_owned(), format!("{output}{folder}")))
    });
    let mut variables: Vec<_> = folders.collect();
    variables.push(("CLOUD_ML_JOB_ID".to_owned(), id.to_string()));
    variables.push(("CLUSTER_SPEC".to_owned(), cluster(id, spec, replica).to_string()));
    variables
}

/// Source: Google's page on distributed training.
fn cluster(id: u64, spec: &Spec, replica: &Replica) -> Json {
    let mut cluster = Map::new();
    for one in spec.replicas() {
        let pool = format!("workerpool{}", one.pool);
        let address = format!("cmle-training-{pool}-{:x}-{}:{PORT}", id % 0x100_0000, one.index);
        let addresses = cluster.entry(pool).or_insert_with(|| json!([]));
        addresses.as_array_mut().expect("it was made one").push(address.into());
    }
    json!({
        "cluster": cluster,
        "environment": "cloud",
        "task": { "type": format!("workerpool{}", replica.pool), "index": replica.index },
        "job": spec.said,
    })
}

/// Puts values where a text says `$(NAME)`. Source: the definition of `EnvVar.value`.
fn expanded(text: &str, known: &[(String, String)]) -> String {
    let (mut whole, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        let (before, found) = rest.split_at(at);
        whole += before;
        if found.starts_with("$$(") {
            // What is escaped is told without the second sign, and is never expanded.
            let end = found.find(')').map_or(found.len(), |end| end + 1);
            whole += &found[1..end];
            rest = &found[end..];
            continue;
        }
        let name = found.strip_prefix("$(").and_then(|inner| inner.split_once(')'));
        let value = name.and_then(|(name, _)| known.iter().rev().find(|(known, _)| known == name));
        (whole, rest) = match (name, value) {
            (Some((_, after)), Some((_, value))) => (whole + value, after),
            _ => (whole + "$", &found[1..]),
        };
    }
    whole + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source of the rules: the definition of `EnvVar.value`.
    #[test]
    fn a_reference_is_expanded_where_it_can_be_and_is_not_escaped() {
        let known = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())];
        let cases = [
            ("$(A)", "1"),
            ("x$(A)y$(A)", "x1y1"),
            ("$(C)", "$(C)"),
            ("$$(A)", "$(A)"),
            ("$(B)", "$(A)"),
            ("$A $", "$A $"),
            ("$$", "$$"),
            ("$(A", "$(A"),
        ];
        for (text, expected) in cases {
            assert_eq!(expanded(text, &known), expected, "{text}");
        }
    }
}
