//! Numbers that are exact: an integer is an integer until somebody asks for a fraction, and is
//! never rounded to become one.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use floe_plugin_api::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use floe_plugin_api::serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use floe_plugin_api::{Error, ErrorKind, Result, Value};

/// A number. Integers are wider here than at the boundary, so that a sum may pass the bounds of 64
/// bits on its way to a mean; [`Number::fit`] holds the result to them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    /// The number of a value, if it is one; infinities are, what is not a number is not.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::I64(value) => Some(Self::Integer((*value).into())),
            Value::U64(value) => Some(Self::Integer((*value).into())),
            Value::F64(value) if !value.is_nan() => Some(Self::Float(*value)),
            _ => None,
        }
    }

    /// The same number, if the boundary has room for it.
    pub(crate) fn fit(self) -> Result<Self> {
        let reason = match self {
            Self::Integer(value) if !fits(value) => {
                format!("the result `{value}` does not fit 64 bits")
            }
            Self::Float(value) if value.is_nan() => "the result is not a number".to_owned(),
            Self::Float(value) if value.is_infinite() => {
                "the result is too large for a number".to_owned()
            }
            _ => return Ok(self),
        };
        Err(Error::new(ErrorKind::ValidationFailed, reason))
    }

    /// The float of the same number; `field` is what it is called where there is none.
    pub(crate) fn float(self, field: &str) -> Result<f64> {
        let value = match self {
            Self::Float(value) => return Ok(value),
            Self::Integer(value) => value,
        };
        #[expect(clippy::cast_precision_loss, reason = "checked on the next line")]
        let float = value as f64;
        if whole(float) == Some(value) {
            return Ok(float);
        }
        Err(Error::new(
            ErrorKind::ValidationFailed,
            format!(
                "`{field}` is `{value}`, expected an integer that is calculated with fractions without rounding, such as any up to 2^53"
            ),
        )
        .with_detail("path", field))
    }

    /// Which is greater, by the numbers that they are and not by what they would be rounded to.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(&b),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (Self::Integer(a), Self::Float(b)) => compare_mixed(a, b),
            (Self::Float(a), Self::Integer(b)) => compare_mixed(b, a).reverse(),
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.compare(Self::Integer(0)).is_eq()
    }
}

/// Whether the boundary has an integer type for it.
pub(crate) fn fits(value: i128) -> bool {
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value)
}

/// The integer of the same number, if the float is one that 96 bits hold.
pub(crate) fn whole(value: f64) -> Option<i128> {
    const BOUND: f64 = 79_228_162_514_264_337_593_543_950_336.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within the bound, and without a fraction"
    )]
    (value.fract() == 0.0 && value.abs() <= BOUND).then_some(value as i128)
}

fn compare_mixed(integer: i128, float: f64) -> Ordering {
    // An integer of 64 bits, or a sum of them, is within the bound of `whole`.
    match whole(float.floor()) {
        Some(floor) if integer == floor && float.fract() != 0.0 => Ordering::Less,
        Some(floor) => integer.cmp(&floor),
        None if float > 0.0 => Ordering::Less,
        None => Ordering::Greater,
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Float(value) => Self::F64(value),
            Number::Integer(value) => match (i64::try_from(value), u64::try_from(value)) {
                (Ok(value), _) => Self::I64(value),
                (_, Ok(value)) => Self::U64(value),
                // `fit` lets none through.
                _ => Self::Null,
            },
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Float(value) => serializer.serialize_f64(value),
            Self::Integer(value) => match (i64::try_from(value), u64::try_from(value)) {
                (Ok(value), _) => serializer.serialize_i64(value),
                (_, Ok(value)) => serializer.serialize_u64(value),
                _ => Err(ser::Error::custom("the integer does not fit 64 bits")),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number::Integer(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number::Integer(value.into()))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
                if value.is_finite() {
                    return Ok(Number::Float(value));
                }
                Err(E::custom(format_args!(
                    "`{value}` is no finite number, expected one"
                )))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}
