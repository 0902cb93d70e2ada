//! What a page shows -> its HTML. Every text is escaped by its place in the template: names of tasks, messages and logs are
//! anybody's. What a terminal or an editor would obey is made visible.

use super::page::Page;
use minijinja::{Environment, Value, escape_formatter};
use serde_json::Value as Json;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

pub(super) fn render(page: &Page) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.set_formatter(|out, state, value| match value.as_str().filter(|_| !value.is_safe()) {
        Some(text) if text.contains(is_hidden) => escape_formatter(out, state, &Value::from(shown(text))),
        _ => escape_formatter(out, state, value),
    });
    // The name decides how values are escaped.
    environment.add_template("page.html", TEMPLATE).expect("the template is ours");
    environment.add_global("style", Value::from_safe_string(STYLE.to_owned()));
    let template = environment.get_template("page.html").expect("it was added");
    let page = serde_json::to_value(page).expect("a page has string keys and finite numbers");
    template.render(value(page)).expect("the page has all that its template names")
}

/// The same as a template takes it.
fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(is) => is.into(),
        Json::Number(number) => number.as_u64().map_or_else(|| number.as_f64().unwrap_or(0.0).into(), Value::from),
        Json::String(text) => text.into(),
        Json::Array(values) => values.into_iter().map(value).collect::<Vec<_>>().into(),
        Json::Object(entries) => Value::from_pairs(entries.into_iter().map(|(name, json)| (name, value(json)))),
    }
}

/// Signs that nobody sees and programs obey: controls, and those that turn the direction of text.
fn is_hidden(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same with colours of terminals left out, and other hidden signs in the form of a replacement.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' && rest.next_if_eq(&'[').is_some() {
            // A sequence of ECMA-48: parameters, and one letter that ends it.
            while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
            rest.next_if(|c| matches!(c, '@'..='~'));
        } else if c == '\r' && rest.peek() == Some(&'\n') {
            // The end of a line as some write it.
        } else {
            shown.push(if is_hidden(c) { '\u{fffd}' } else { c });
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_a_terminal_are_left_out_and_what_else_is_hidden_is_shown() {
        let said = ["\u{1b}[1;31mred\u{1b}[0m", "a\rb\r\nc", "x\u{202e}y\0", "tab\tline\n"].map(shown);
        assert_eq!(said, ["red", "a\u{fffd}b\nc", "x\u{fffd}y\u{fffd}", "tab\tline\n"]);
    }
}
