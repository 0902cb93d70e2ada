//! A template -> the first slice in it that has a step, as in `x[::2]`.
//!
//! minijinja ends the program when a step is negative and what it slices is empty, so specs have no steps; `reverse` is
//! there for the one that people want.

use std::ops::Range;

/// Where that slice stands.
pub(super) fn with_step(text: &str) -> Option<Range<usize>> {
    let mut from = 0;
    while let Some(begin) = text[from..].find('{').map(|at| from + at) {
        from = match text.as_bytes().get(begin + 1) {
            Some(b'#') => text[begin..].find("#}").map_or(text.len(), |at| begin + at),
            Some(b'{' | b'%') => match inside(text, begin + 2) {
                Inside::Step(place) => return Some(place),
                Inside::End(end) => end,
            },
            _ => begin + 1,
        };
    }
    None
}

/// What was found between braces.
enum Inside {
    Step(Range<usize>),
    /// Where they are closed.
    End(usize),
}

/// Reads from behind `{{` or `{%` on. Quotes and brackets are paired as minijinja pairs them.
fn inside(text: &str, from: usize) -> Inside {
    let mut open: Vec<(u8, usize, usize)> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => at = end_of_text(bytes, at),
            b'}' | b'%' if open.is_empty() && bytes.get(at + 1) == Some(&b'}') => return Inside::End(at + 2),
            b'[' | b'(' | b'{' => open.push((byte, at, 0)),
            b']' | b')' | b'}' => drop(open.pop()),
            b':' => {
                if let Some((b'[', begin, colons)) = open.last_mut() {
                    *colons += 1;
                    if *colons == 2 {
                        return Inside::Step(*begin..at + 1);
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    Inside::End(text.len())
}

/// Where the text in quotes that begins at `at` ends.
fn end_of_text(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(&byte) = bytes.get(end) {
        match byte {
            b'\\' => end += 1,
            _ if byte == bytes[at] => break,
            _ => {}
        }
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::with_step;

    #[test]
    fn a_step_is_found_wherever_it_stands_and_nothing_else_is_taken_for_one() {
        for (text, place) in [
            ("{{ x[::-1] }}", Some(4..7)),
            ("a[1:2:3] {{ y }} {% set z = ('a:b', x[ 1 : {'a': 2}.a :s]) %}", Some(37..55)),
            ("{{ {'a': {'b': x[::2]}} }}", Some(16..19)),
            ("{{ ']' ~ \"[\\\"\" ~ x[::2] }}", Some(18..21)),
            ("{{ x[1:2] }} [::] {# {{ x[::2] }} #} {{ x['::'] }}", None),
            ("{{ x[{'a': 1, 'b': 2}] }}", None),
            ("{{ x[1:][:2] }}", None),
            ("{{ x", None),
            ("{", None),
        ] {
            assert_eq!(with_step(text), place, "{text}");
        }
    }
}
