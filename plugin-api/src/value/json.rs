//! Between a [`Value`] and JSON text.

use std::fmt;

use super::ValueError;
use crate::{Entry, Map, Value};

/// Why a text is not JSON that a [`Value`] can hold, or a value cannot be written as JSON.
#[derive(Debug)]
pub struct JsonError {
    message: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for JsonError {}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self {
            message: error.to_string(),
        }
    }
}

impl Value {
    /// Reads JSON.
    ///
    /// ```
    /// use floe_plugin_api::Value;
    ///
    /// assert_eq!(Value::from_json("18446744073709551615")?, Value::U64(u64::MAX));
    /// let refused = Value::from_json("[18446744073709551616]").unwrap_err();
    /// assert!(refused.to_string().contains("does not fit 64 bits"));
    /// # Ok::<(), floe_plugin_api::JsonError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The text is not JSON, or holds an integer outside `i64` and `u64`, which most readers would
    /// round, or is nested more than 128 deep.
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        let value = serde_json::from_str(text)?;
        match wide_integer(text) {
            Some((line, column, digits)) => Err(JsonError {
                message: format!(
                    "the integer `{digits}` does not fit 64 bits at line {line} column {column}"
                ),
            }),
            None => Ok(value),
        }
    }

    /// Writes JSON, on one line. Bytes are written as a list of numbers.
    ///
    /// # Errors
    ///
    /// A number is infinite or not a number.
    pub fn to_json(&self) -> Result<String, JsonError> {
        self.refuse_unwritable()?;
        Ok(serde_json::to_string(self)?)
    }

    /// Writes JSON over several lines, for people.
    ///
    /// # Errors
    ///
    /// As [`Value::to_json`].
    pub fn to_json_pretty(&self) -> Result<String, JsonError> {
        self.refuse_unwritable()?;
        Ok(serde_json::to_string_pretty(self)?)
    }

    fn refuse_unwritable(&self) -> Result<(), JsonError> {
        match self {
            Self::F64(value) if !value.is_finite() => Err(JsonError {
                message: format!("JSON has no way to write the number `{value}`"),
            }),
            Self::List(list) => list.iter().try_for_each(Self::refuse_unwritable),
            Self::Map(map) => map
                .iter()
                .try_for_each(|entry| entry.value.refuse_unwritable()),
            _ => Ok(()),
        }
    }
}

/// What `serde_json` calls a number when its feature `arbitrary_precision` is on: a map with this
/// one name and the number as a text.
///
/// Any crate in a vendor's build may turn that feature on, for all of the build.
const NUMBER: &str = "$serde_json::private::Number";

/// The map, or the number that it stands for.
#[inline]
pub(super) fn number_or_map(map: Map) -> Result<Value, ValueError> {
    match map.iter().as_slice() {
        [Entry { key, value }] if *key == *NUMBER => match value.as_str() {
            Some(text) => number(text),
            None => Ok(Value::Map(map)),
        },
        _ => Ok(Value::Map(map)),
    }
}

#[cold]
fn number(text: &str) -> Result<Value, ValueError> {
    if let Ok(integer) = text.parse::<i64>() {
        // As `serde_json` has it: an integer has no negative zero.
        return Ok(match text {
            "-0" => Value::F64(-0.0),
            _ => Value::I64(integer),
        });
    }
    if let Ok(integer) = text.parse::<u64>() {
        return Ok(Value::U64(integer));
    }
    if is_integer(text) {
        return Err(ValueError::new(format_args!(
            "the integer `{text}` does not fit 64 bits"
        )));
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(Value::F64(float)),
        _ => Err(ValueError::new(format_args!(
            "the number `{text}` is out of range"
        ))),
    }
}

/// Whether a JSON number has neither a fraction nor an exponent.
fn is_integer(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

/// The first integer of a JSON text that fits neither `i64` nor `u64`, with its place.
///
/// `serde_json` hands such an integer over as a float, already rounded, so it has to be found in
/// the text, which is known to be JSON here: outside a string, a digit or a minus begins a number.
fn wide_integer(text: &str) -> Option<(usize, usize, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(&inside) = bytes.get(at) {
                    match inside {
                        b'\\' => at += 2,
                        b'"' => break,
                        _ => at += 1,
                    }
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let start = at;
                while matches!(
                    bytes.get(at),
                    Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
                ) {
                    at += 1;
                }
                let number = &text[start..at];
                if is_integer(number)
                    && number.parse::<i64>().is_err()
                    && number.parse::<u64>().is_err()
                {
                    let before = &text[..start];
                    let line = before.matches('\n').count() + 1;
                    let column = before
                        .rsplit('\n')
                        .next()
                        .map_or(0, |rest| rest.chars().count())
                        + 1;
                    return Some((line, column, number));
                }
            }
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_kept_or_refused_never_rounded() {
        for text in [
            "0",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "1e300",
            "0.5",
        ] {
            let value = Value::from_json(text).unwrap();
            assert_eq!(value.to_json().unwrap().replace("e+", "e"), text);
        }
        for text in [
            "18446744073709551616",
            "-9223372036854775809",
            "123456789012345678901234567890",
        ] {
            let refused =
                Value::from_json(&format!("{{\"a\\\"1\": \"9\",\n \"b\": [{text}]}}")).unwrap_err();
            assert!(
                refused.to_string().ends_with("at line 2 column 8"),
                "{refused}"
            );
            assert!(refused.to_string().contains(text), "{refused}");
        }
        let quoted = Value::from_json("\"18446744073709551616 \\\\\"").unwrap();
        assert_eq!(quoted.as_str(), Some("18446744073709551616 \\"));
        assert!(Value::from_json("1e999").is_err());
    }

    #[test]
    fn what_json_cannot_write_is_refused() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let refused = crate::value!({"a": [value]}).to_json().unwrap_err();
            assert!(refused.to_string().contains("no way to write"), "{refused}");
        }
    }
}
