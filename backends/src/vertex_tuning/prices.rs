//! What a tuning may cost: price x counted tokens x epochs. How Google counts tokens is known only when it has; what is counted
//! beforehand is an estimate, and says so.

use super::config::Config;
use super::job::Request;
use crate::money::usd;
use pipe_engine::failure::Failure;
use pipe_engine::units::Usd;

/// What so many tokens cost of a model, seen so many times.
pub(super) fn cost(config: &Config, model: &str, tokens: u64, epochs: u64) -> Option<Usd> {
    let price = config.prices.get(model)?;
    Some(usd(price * tokens as f64 * epochs as f64 / 1e6))
}

/// Whether a tuning stays below the most that one may cost. What is not known is not free.
///
/// # Errors
/// Why it does not, or why that is not known.
pub(super) fn check(config: &Config, request: &Request) -> Result<(), Failure> {
    let Some(most) = config.max_cost else { return Ok(()) };
    let model = request.model();
    let unknown = |code: &str, why: String, help: String| {
        let message = format!("what this tuning may cost is not known: {why}");
        Err(Failure::failed(code, message).help(format!("{help}; or take `max_cost` out of the backend")))
    };
    let Some(epochs) = request.epochs else {
        return unknown("no_epochs", "Google would choose the epochs".to_owned(), "write `epochs`".to_owned());
    };
    let Some(tokens) = request.tokens else {
        let why = "the length of some of its videos is not known".to_owned();
        return unknown("no_tokens", why, "name the stages that cut them in `clips`".to_owned());
    };
    match cost(config, model, tokens, epochs.into()) {
        None => unknown(
            "no_price",
            format!("no price of `{model}` is known"),
            format!("write what a million tokens costs into the backend: prices = {{ \"{model}\" = 5 }}"),
        ),
        Some(cost) if cost > most => {
            let message = format!(
                "this tuning would cost about {cost}, and one may cost {most}: {tokens} tokens, seen {epochs} times"
            );
            Err(Failure::failed("too_dear", message)
                .help("fewer examples or epochs, or a higher `max_cost` of the backend"))
        }
        Some(_) => Ok(()),
    }
}
