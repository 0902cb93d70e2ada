//! How much one template may still read and make, and the operators that keep to it.

use super::MAX_MADE;
use super::functions::{TOO_MUCH, TOO_MUCH_READ};
use super::guard::{ADD, CONCAT, MULTIPLY, WEIGH, WEIGH_TEXT};
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// How many bytes the operations of one template may go through. A list counts with what it holds each time it stands in
/// another, so that nothing can be built that would take long to look at.
pub(super) const MAX_READ: usize = 16 * MAX_MADE;
/// How deep lists and tables may stand in each other: as deep as JSON is read.
const DEEPEST: usize = 128;
/// What a value takes besides its text.
const EACH: usize = 24;

/// What is left to one run of a template.
pub(super) struct Budget {
    read: usize,
    made: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { read: MAX_READ, made: MAX_MADE }
    }
}

impl Budget {
    /// How many bytes were gone through.
    pub(super) fn spent(&self) -> usize {
        MAX_READ - self.read
    }

    /// Takes off the text that a template makes.
    pub(super) fn make(&mut self, bytes: usize) -> Result<(), Error> {
        self.made = self.made.checked_sub(bytes).ok_or_else(|| refused(TOO_MUCH))?;
        Ok(())
    }

    /// Takes off a value and all that is in it.
    pub(super) fn read(&mut self, value: &Value) -> Result<(), Error> {
        self.read_at(value, 0)
    }

    /// Takes off a value, and nothing for what is in it.
    fn read_outside(&mut self, value: &Value) -> Result<(), Error> {
        self.read_bytes(EACH + value.as_str().map_or(0, str::len))
    }

    /// Takes off so many bytes.
    pub(super) fn read_bytes(&mut self, bytes: usize) -> Result<(), Error> {
        self.read = self.read.checked_sub(bytes).ok_or_else(|| refused(TOO_MUCH_READ))?;
        Ok(())
    }

    fn read_at(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.read_outside(value)?;
        if depth > DEEPEST {
            return Err(refused(format!("a list is more than {DEEPEST} lists deep")));
        }
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => {
                value.try_iter()?.try_for_each(|item| self.read_at(&item, depth + 1))
            }
            ValueKind::Map => value.try_iter()?.try_for_each(|key| {
                self.read_at(&key, depth + 1)?;
                self.read_at(&value.get_item(&key)?, depth + 1)
            }),
            _ => Ok(()),
        }
    }
}

/// Adds the guards.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter(WEIGH, |state: &mut State<'_, '_>, value: Value| of(state).read(&value).map(|()| value));
    environment.add_filter(WEIGH_TEXT, |state: &mut State<'_, '_>, value: Value| {
        of(state).read_outside(&value).map(|()| value)
    });
    environment.add_filter(ADD, sum);
    environment.add_filter(MULTIPLY, |left: &Value, right: &Value| {
        numbers('*', left, right, i128::checked_mul, |left, right| left * right)
    });
    environment.add_filter(CONCAT, |state: &mut State<'_, '_>, left: Value, right: Value| {
        both(state, &left, &right)?;
        Ok::<_, Error>(format!("{left}{right}"))
    });
}

/// The budget of the run.
pub(super) fn of<'s>(state: &'s mut State<'_, '_>) -> &'s mut Budget {
    state.get_or_insert_extension(Budget::default())
}

fn both(state: &mut State<'_, '_>, left: &Value, right: &Value) -> Result<(), Error> {
    let budget = of(state);
    budget.read(left)?;
    budget.read(right)
}

/// `+`: numbers are added, texts and lists put one behind the other.
fn sum(state: &mut State<'_, '_>, left: Value, right: Value) -> Result<Value, Error> {
    both(state, &left, &right)?;
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        return Ok(Value::from(format!("{left}{right}")));
    }
    let is_list = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
    if is_list(&left) && is_list(&right) {
        return Ok(left.try_iter()?.chain(right.try_iter()?).collect());
    }
    numbers('+', &left, &right, i128::checked_add, |left, right| left + right)
}

fn numbers(
    sign: char,
    left: &Value,
    right: &Value,
    whole: impl Fn(i128, i128) -> Option<i128>,
    broken: impl Fn(f64, f64) -> f64,
) -> Result<Value, Error> {
    if !left.is_number() || !right.is_number() {
        let hint = if sign == '+' { ": `~` joins anything as text" } else { "" };
        return Err(refused(format!("`{sign}` between a {} and a {}{hint}", left.kind(), right.kind())));
    }
    if left.is_integer() && right.is_integer() {
        let made = whole(i128::try_from(left.clone())?, i128::try_from(right.clone())?);
        return made.map(Value::from).ok_or_else(|| refused(format!("{left} {sign} {right} is too large")));
    }
    Ok(Value::from(broken(f64::try_from(left.clone())?, f64::try_from(right.clone())?)))
}

fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
