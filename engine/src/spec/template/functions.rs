//! What a template may call: the filters, tests and functions of a spec, and the two rules on what it makes.
//!
//! The list is the language; `docs/spec.md` shows each. Some filters are our own, the others are minijinja's.

use super::{MAX_MADE, MAX_STEPS, Use, budget, filters as ours};
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, filters, functions, tests};
use serde_json::{Number, Value as Json};

/// The filters there are.
pub const FILTERS: [&str; 37] = [
    "abs",
    "basename",
    "bool",
    "bytes",
    "default",
    "dirname",
    "duration",
    "first",
    "float",
    "from_json",
    "int",
    "items",
    "join",
    "json",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "path",
    "quote",
    "reject",
    "replace",
    "reverse",
    "round",
    "seconds",
    "select",
    "sort",
    "split",
    "stem",
    "string",
    "suffix",
    "trim",
    "unique",
    "upper",
];
/// The tests there are, as in `x is even`.
pub const TESTS: [&str; 17] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "even",
    "float",
    "in",
    "integer",
    "mapping",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "undefined",
];

/// How the detail of an error begins that says a path could lead elsewhere.
pub(super) const UNSAFE: &str = "a template may not put ";
/// The detail of an error that says a limit was passed.
pub(super) const TOO_MUCH: &str = "the template makes too much";
/// As [`TOO_MUCH`], for the limit on what is read.
pub(super) const TOO_MUCH_READ: &str = "the template reads too much";

/// The farthest number from zero that a range may reach.
const FARTHEST: usize = 1 << 40;

/// An environment that knows exactly what is listed here, with every name defined and every run limited.
pub(super) fn environment(purpose: Use) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(MAX_STEPS));
    // Only with this does an error say which bytes of the template it is about.
    environment.set_debug(true);
    add_filters(&mut environment);
    ours::add(&mut environment);
    budget::add(&mut environment);
    add_tests(&mut environment);
    environment.add_function("range", range);
    environment.set_formatter(move |out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value| {
        if value.is_undefined() {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        let budget = budget::of(state);
        budget.read(value)?;
        let text = value.to_string();
        budget.make(text.len())?;
        if purpose == Use::Path && !value.is_safe() {
            refuse_unsafe(&text)?;
        }
        out.write_str(&text).map_err(Error::from)
    });
    environment
}

fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("abs", filters::abs);
    environment.add_filter("bool", filters::bool);
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("float", filters::float);
    environment.add_filter("int", filters::int);
    environment.add_filter("items", filters::items);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("list", filters::list);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("map", filters::map);
    environment.add_filter("max", filters::max);
    environment.add_filter("min", filters::min);
    environment.add_filter("reject", filters::reject);
    environment.add_filter("reverse", filters::reverse);
    environment.add_filter("round", filters::round);
    environment.add_filter("select", filters::select);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("split", filters::split);
    environment.add_filter("string", filters::string);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("unique", filters::unique);
    environment.add_filter("upper", filters::upper);
}

fn add_tests(environment: &mut Environment<'static>) {
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("number", tests::is_number);
    environment.add_test("integer", tests::is_integer);
    environment.add_test("float", tests::is_float);
    environment.add_test("string", tests::is_string);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("even", tests::is_even);
    environment.add_test("divisibleby", divisibleby);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("in", tests::is_in);
}

/// minijinja counts the steps of a range without a look at overflow.
fn range(lower: isize, upper: Option<isize>, step: Option<isize>) -> Result<Value, Error> {
    if [Some(lower), upper, step].into_iter().flatten().any(|number| number.unsigned_abs() > FARTHEST) {
        let message = format!("`range` counts from -{FARTHEST} to {FARTHEST}");
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    functions::range(lower, upper, step)
}

/// minijinja divides here without a look at the divisor, and a division by zero ends the program.
fn divisibleby(value: &Value, divisor: &Value) -> Result<bool, Error> {
    match i128::try_from(divisor.clone()) {
        Ok(0) => Err(Error::new(ErrorKind::InvalidOperation, "nothing is divisible by 0")),
        Ok(1 | -1) => Ok(value.is_integer()),
        _ => Ok(tests::is_divisibleby(value, divisor)),
    }
}

/// A text that is put into a path and could make it lead elsewhere is an error that names it.
fn refuse_unsafe(text: &str) -> Result<(), Error> {
    let what = match text {
        "" => "an empty text".to_owned(),
        "." => "a lone `.`".to_owned(),
        _ if text.contains('\0') => "NUL".to_owned(),
        _ if text.contains('/') || text.contains("..") => format!("`{text}`"),
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::InvalidOperation, format!("{UNSAFE}{what} into a path")))
}

/// JSON as a template sees it. Tables are in the order of their keys.
pub(super) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(entries) => Value::from_pairs(entries.iter().map(|(key, value)| (key.clone(), from_json(value)))),
    }
}

/// The value of an expression as JSON: finite numbers of 64 bits, texts, lists and tables.
pub(super) fn to_json(value: &Value, purpose: Use) -> Result<Json, Error> {
    let mut left = MAX_MADE;
    convert(value, purpose, &mut left)
}

fn convert(value: &Value, purpose: Use, left: &mut usize) -> Result<Json, Error> {
    let text_len = value.as_str().map_or(0, str::len);
    *left = left.checked_sub(1 + text_len).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, TOO_MUCH))?;
    let refused = |what: &str| Error::new(ErrorKind::InvalidOperation, format!("{what} is no value of a spec"));
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::from(value.is_true())),
        ValueKind::Number => number(value).map(Json::Number).ok_or_else(|| refused(&format!("the number {value}"))),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            if purpose == Use::Path && !value.is_safe() {
                refuse_unsafe(text)?;
            }
            Ok(Json::from(text))
        }
        ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.map(|item| convert(&item, purpose, left)).collect(),
        ValueKind::Map => {
            let pairs = value.try_iter()?.map(|key| {
                let item = convert(&value.get_item(&key)?, purpose, left)?;
                Ok((key.to_string(), item))
            });
            pairs.collect::<Result<_, Error>>().map(Json::Object)
        }
        kind => Err(refused(&format!("a {kind}"))),
    }
}

fn number(value: &Value) -> Option<Number> {
    if value.is_integer() {
        return value.as_i64().map(Number::from);
    }
    f64::try_from(value.clone()).ok().and_then(Number::from_f64)
}
