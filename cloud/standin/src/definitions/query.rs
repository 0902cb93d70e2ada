//! The query of a request, against the parameters of its method -> what is wrong with it.

use super::body::says_required;
use super::value::wrong_parameter;
use super::{Method, Problem};
use serde_json::Value as Json;

/// Parameters of every Google API that the definitions do not list. Source: Google's page on system parameters.
const OF_ALL: [&str; 1] = ["$alt"];

impl Method {
    /// Everything that is wrong with the query of a request.
    pub(crate) fn check_query(&self, query: &[(String, String)]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (place, (name, value)) in query.iter().enumerate() {
            let known = self.parameters.get(name).filter(|parameter| parameter["location"] == "query");
            let Some(parameter) = known else {
                if !OF_ALL.contains(&name.as_str()) {
                    let says = format!(
                        "Unknown name \"{name}\": Cannot bind query parameter. {} has none of that name.",
                        self.id
                    );
                    problems.push(Problem::new(name, says));
                }
                continue;
            };
            if parameter["repeated"] != true && query[..place].iter().any(|(before, _)| before == name) {
                problems.push(Problem::new(name, format!("Parameter \"{name}\" is not repeated.")));
            }
            problems.extend(wrong_parameter(parameter, value).map(|says| Problem::new(name, says)));
        }
        let is_needed = |one: &Json| one["required"] == true || says_required(one);
        let needed = self.parameters.iter().filter(|(_, one)| one["location"] == "query" && is_needed(one));
        let missing = needed.filter(|(name, _)| query.iter().all(|(given, _)| given != *name));
        problems.extend(missing.map(|(name, _)| Problem::new(name, format!("Required parameter: {name}"))));
        problems
    }
}
