//! What a field of a CSV file means, and how a value is written into one.

use floe_plugin_api::{Error, ErrorKind, Result, Value, data};

/// What the fields of a column are.
#[data]
#[derive(Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ColumnType {
    /// Texts, as they stand in the file.
    Text,
    /// Integers that fit 64 bits.
    Integer,
    /// Integers and floats.
    Number,
    /// `true` and `false`.
    Boolean,
}

/// What the fields of a column have in common.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    integer: bool,
    float: bool,
    boolean: bool,
    text: bool,
}

impl Seen {
    pub(crate) fn add(&mut self, field: &str) {
        if field.is_empty() || self.text {
            return;
        }
        match read(field) {
            Some(Value::I64(_) | Value::U64(_)) => self.integer = true,
            Some(Value::F64(_)) => self.float = true,
            Some(_) => self.boolean = true,
            None => self.text = true,
        }
    }

    pub(crate) const fn column_type(self) -> ColumnType {
        match (self.text, self.boolean, self.float, self.integer) {
            (false, true, false, false) => ColumnType::Boolean,
            (false, false, true, _) => ColumnType::Number,
            (false, false, false, true) => ColumnType::Integer,
            _ => ColumnType::Text,
        }
    }
}

/// A field of a column of a type. An empty one is null, but in a column of texts.
pub(crate) fn value(field: &str, column_type: ColumnType) -> Value {
    match column_type {
        ColumnType::Text => field.into(),
        _ if field.is_empty() => Value::Null,
        _ => read(field).unwrap_or_else(|| field.into()),
    }
}

/// A field that is a number or a boolean by itself: one that would be written as it stands here.
fn read(field: &str) -> Option<Value> {
    match field {
        "true" => return Some(true.into()),
        "false" => return Some(false.into()),
        _ => {}
    }
    // What is no number is seen at once, and is the most of what is read.
    if !field.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return None;
    }
    let value = if let Ok(integer) = field.parse::<i64>() {
        integer.into()
    } else if let Ok(integer) = field.parse::<u64>() {
        integer.into()
    } else {
        let float = field
            .parse::<f64>()
            .ok()
            .filter(|float| float.is_finite())?;
        Value::F64(float)
    };
    (number(&value)? == field).then_some(value)
}

fn number(value: &Value) -> Option<String> {
    Some(match value {
        Value::I64(integer) => integer.to_string(),
        Value::U64(integer) => integer.to_string(),
        // The shortest that is read as the same float, and as one: `1.0`, not `1`.
        Value::F64(float) if float.is_finite() => format!("{float:?}"),
        _ => return None,
    })
}

/// A value as a field.
pub(crate) fn write(value: &Value, row: usize, column: &str) -> Result<String> {
    let refused = |what: &str| {
        let message = format!(
            "row `{row}` holds {what} in the column `{column}`, expected null, a boolean, a number or a string"
        );
        Err(Error::new(ErrorKind::ValidationFailed, message).with_detail("row", row))
    };
    match value {
        Value::Null => Ok(String::new()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::String(text) => Ok(text.as_str().to_owned()),
        Value::F64(float) if !float.is_finite() => refused(&format!("`{float}`")),
        Value::Bytes(_) => refused("bytes"),
        Value::List(_) => refused("a list"),
        Value::Map(_) => refused("a map"),
        other => number(other).map_or_else(|| refused("something else"), Ok),
    }
}

/// Checks what stands between two fields.
pub(crate) fn delimiter(given: char) -> Result<u8> {
    match u8::try_from(given) {
        Ok(byte) if byte.is_ascii() && !b"\"\r\n\0".contains(&byte) => Ok(byte),
        _ => Err(Error::invalid(
            "delimiter",
            "an ASCII character that is no quote and ends no line",
            given,
        )),
    }
}

pub(crate) const fn comma() -> char {
    ','
}

pub(crate) const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &[&str], expected: ColumnType) {
        let mut seen = Seen::default();
        fields.iter().for_each(|field| seen.add(field));
        assert_eq!(seen.column_type(), expected, "{fields:?}");
        // What is read is written as it was.
        for field in fields {
            let value = value(field, expected);
            assert_eq!(write(&value, 1, "a").unwrap(), *field);
        }
    }

    #[test]
    fn types_are_those_that_lose_nothing() {
        check(&["1", "-2", "", "9223372036854775807"], ColumnType::Integer);
        check(&["18446744073709551615"], ColumnType::Integer);
        check(&["1", "1.5", "-0.0", "1e300", "0.1"], ColumnType::Number);
        check(&["true", "", "false"], ColumnType::Boolean);
        for text in [
            "007",
            "+1",
            "-0",
            "1.50",
            "1e5",
            "1E300",
            "18446744073709551616",
            "0x1",
            "inf",
            "NaN",
            " 1",
            "1 ",
            "1,5",
            ".5",
            "5.",
            "True",
            "yes",
            "--1",
            "-",
            "0.1000000000000000055511151231257827",
        ] {
            check(&["1", text], ColumnType::Text);
            check(&[text], ColumnType::Text);
        }
        check(&["true", "1"], ColumnType::Text);
        check(&["", ""], ColumnType::Text);
        check(&[], ColumnType::Text);
    }
}
