//! Two trees -> one: what an extending spec or a profile says goes over what its base says.
//!
//! Tables meet key by key; anything else is replaced whole, so that a list never mixes two authors. Every value keeps
//! the place where it was written.

use super::node::{Node, Value};
use crate::text::Spanned;

/// `base` with `over` laid on it.
pub(super) fn overlay(base: Node, over: Node) -> Node {
    match (base.value, over.value) {
        (Value::Table(under), Value::Table(upper)) => {
            Node { value: Value::Table(merged(under, upper)), span: over.span }
        }
        (_, value) => Node { value, span: over.span },
    }
}

/// A table without the entry `key`, and that entry.
pub(super) fn split_off(mut table: Node, key: &str) -> (Node, Option<Node>) {
    let Value::Table(entries) = &mut table.value else { return (table, None) };
    let found = entries.iter().position(|(name, _)| name.value == key).map(|at| entries.remove(at).1);
    (table, found)
}

type Entries = Vec<(Spanned<String>, Node)>;

fn merged(mut under: Entries, upper: Entries) -> Entries {
    for (key, node) in upper {
        match under.iter().position(|(name, _)| name.value == key.value) {
            Some(at) => {
                let below = std::mem::replace(&mut under[at].1, Node { value: Value::Null, span: 0..0 });
                under[at] = (key, overlay(below, node));
            }
            None => under.push((key, node)),
        }
    }
    under
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tree(text: &str) -> Node {
        crate::spec::toml::parse(text).0
    }

    #[test]
    fn tables_meet_key_by_key_and_lists_are_replaced_whole() {
        let base = tree("a = 1\nlist = [1, 2]\n[t]\nx = 1\ny = 2\n");
        let over = tree("list = [3]\n[t]\ny = 5\nz = 6\n");
        let both = overlay(base, over).to_json();
        assert_eq!(both, json!({ "a": 1, "list": [3], "t": { "x": 1, "y": 5, "z": 6 } }));
    }

    #[test]
    fn a_value_keeps_the_place_where_it_was_written() {
        let base = tree("[t]\nx = 1\ny = 2\n");
        let mut over = tree("[t]\ny = 5\n");
        over.shift(100);
        let both = overlay(base, over);
        let t = both.get("t").unwrap();
        assert_eq!(t.get("x").unwrap().span.start, 8);
        assert_eq!(t.get("y").unwrap().span.start, 108);
    }
}
