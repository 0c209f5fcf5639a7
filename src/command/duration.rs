//! A time as people write it.

use std::fmt;
use std::str::FromStr;
use std::time;

/// A time above zero, written as a number and a unit: `500ms`, `1.5s`, `2m`, `1h`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Duration(pub(crate) time::Duration);

/// Why a text is not a [`Duration`].
#[derive(Debug)]
pub(crate) struct ParseDurationError(String);

impl fmt::Display for ParseDurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a time, expected a number above 0 and a unit such as `500ms`, `5s`, `2m`, `1h` or `30d`",
            self.0
        )
    }
}

impl std::error::Error for ParseDurationError {}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseDurationError(text.to_owned());
        let unit = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(refuse)?;
        let (number, unit) = text.split_at(unit);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return Err(refuse()),
        };
        let number: f64 = number.parse().map_err(|_| refuse())?;
        match time::Duration::try_from_secs_f64(number * seconds) {
            Ok(duration) if !duration.is_zero() => Ok(Self(duration)),
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("30d", 30 * 24 * 3_600_000),
        ] {
            let expected = Duration(time::Duration::from_millis(milliseconds));
            assert_eq!(text.parse::<Duration>().unwrap(), expected);
        }
        for text in [
            "", "5", "s", "0s", "-1s", "1 s", "1e3s", ".s", "1.2.3s", "1w", "9e99h",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
        let long = format!("{}h", "9".repeat(40));
        assert!(long.parse::<Duration>().is_err());
    }
}
