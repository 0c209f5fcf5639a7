//! Times as they are written: `500ms`, `30s`, `2m`, `1h`.

use std::time::Duration;

pub(super) const EXPECTED: &str = "a duration such as `500ms`, `30s`, `2m` or `1h`";

/// The same as a regular expression, for the schema of the format.
pub(super) const PATTERN: &str = "^[0-9]+(ms|s|m|h)$";

/// Reads a whole number with its unit. Whether it may be zero is not decided here.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(60 * 60),
        _ => None,
    }
}
