//! `math.*`: integers stay integers, what does not fit 64 bits is an error, and nothing is rounded
//! that was not asked for.

use floe_plugin_api::{CallContext, Error, ErrorKind, Result, data};

use crate::number::{Number, whole};
use crate::{Std, rounding};

/// Two numbers.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Two {
    /// The first number.
    a: Number,
    /// The second number.
    b: Number,
}

/// A number.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct One {
    /// The number.
    value: Number,
}

/// Numbers in a list.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Many {
    /// The numbers.
    values: Vec<Number>,
}

impl Two {
    /// By integers where both are, by floats otherwise. `integers` gives nothing where it overflows
    /// 128 bits.
    fn calculate(
        self,
        integers: impl FnOnce(i128, i128) -> Option<i128>,
        floats: impl FnOnce(f64, f64) -> f64,
    ) -> Result<Number> {
        match (self.a, self.b) {
            (Number::Integer(a), Number::Integer(b)) => integers(a, b)
                .map(Number::Integer)
                .ok_or_else(overflow)?
                .fit(),
            (a, b) => Number::Float(floats(a.float("a")?, b.float("b")?)).fit(),
        }
    }

    fn divisible(&self) -> Result<()> {
        if self.b.is_zero() {
            return Err(Error::invalid("b", "a number other than 0", self.b));
        }
        Ok(())
    }
}

fn overflow() -> Error {
    Error::new(
        ErrorKind::ValidationFailed,
        "the result does not fit 64 bits",
    )
}

pub(crate) fn add(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<Number> {
    input.calculate(i128::checked_add, |a, b| a + b)
}

pub(crate) fn subtract(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<Number> {
    input.calculate(i128::checked_sub, |a, b| a - b)
}

pub(crate) fn multiply(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<Number> {
    input.calculate(i128::checked_mul, |a, b| a * b)
}

pub(crate) fn divide(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<Number> {
    input.divisible()?;
    divided((input.a, "a"), (input.b, "b"))
}

/// An integer where that is the quotient of two integers, the nearest float otherwise.
fn divided(a: (Number, &str), b: (Number, &str)) -> Result<Number> {
    match (a.0, b.0) {
        (Number::Integer(a), Number::Integer(b)) if a % b == 0 => Number::Integer(a / b).fit(),
        _ => Number::Float(a.0.float(a.1)? / b.0.float(b.1)?).fit(),
    }
}

pub(crate) fn quotient(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<Number> {
    input.divisible()?;
    match (input.a, input.b) {
        (Number::Integer(a), Number::Integer(b)) => {
            let below = i128::from(a % b != 0 && (a < 0) != (b < 0));
            Number::Integer(a / b - below).fit()
        }
        (a, b) => {
            let (a, b) = (a.float("a")?, b.float("b")?);
            // From the remainder, which is exact: `a / b` may be rounded up to the next integer.
            integer(((a - remainder(a, b)) / b).round())
        }
    }
}

pub(crate) fn modulo(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<Number> {
    input.divisible()?;
    input.calculate(
        |a, b| {
            let rest = a % b;
            Some(if rest != 0 && (rest < 0) != (b < 0) {
                rest + b
            } else {
                rest
            })
        },
        remainder,
    )
}

/// The remainder that has the sign of `b`.
fn remainder(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest != 0.0 && (rest < 0.0) != (b < 0.0) {
        rest + b
    } else {
        rest
    }
}

pub(crate) fn power(_std: &Std, input: Two, _call: &CallContext<'_>) -> Result<Number> {
    match (input.a, input.b) {
        (Number::Integer(base), Number::Integer(exponent)) if exponent >= 0 => {
            let result = match base {
                0 | 1 => Some(if exponent == 0 { 1 } else { base }),
                -1 => Some(if exponent % 2 == 0 { 1 } else { -1 }),
                _ => u32::try_from(exponent)
                    .ok()
                    .and_then(|exponent| base.checked_pow(exponent)),
            };
            result.map(Number::Integer).ok_or_else(overflow)?.fit()
        }
        (a, b) => Number::Float(a.float("a")?.powf(b.float("b")?)).fit(),
    }
}

pub(crate) fn abs(_std: &Std, input: One, _call: &CallContext<'_>) -> Result<Number> {
    match input.value {
        Number::Integer(value) => Number::Integer(value.abs()).fit(),
        Number::Float(value) => Ok(Number::Float(value.abs())),
    }
}

/// A number to round.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Round {
    /// The number.
    value: Number,
    /// How many digits to keep after the point; below 0, how many before it become 0.
    #[serde(default)]
    #[schemars(range(min = -20, max = 20))]
    digits: i32,
}

pub(crate) fn round(_std: &Std, input: Round, _call: &CallContext<'_>) -> Result<Number> {
    let Round { value, digits } = input;
    if !(-20..=20).contains(&digits) {
        return Err(Error::invalid("digits", "a number from -20 to 20", digits));
    }
    match value {
        Number::Integer(value) => rounding::integer(value, digits).fit(),
        Number::Float(value) => rounding::float(value, digits).ok_or_else(overflow)?.fit(),
    }
}

pub(crate) fn floor(_std: &Std, input: One, _call: &CallContext<'_>) -> Result<Number> {
    match input.value {
        Number::Float(value) => integer(value.floor()),
        value => Ok(value),
    }
}

pub(crate) fn ceil(_std: &Std, input: One, _call: &CallContext<'_>) -> Result<Number> {
    match input.value {
        Number::Float(value) => integer(value.ceil()),
        value => Ok(value),
    }
}

/// The integer of a float without a fraction.
fn integer(value: f64) -> Result<Number> {
    whole(value)
        .map(Number::Integer)
        .ok_or_else(overflow)?
        .fit()
}

pub(crate) fn min(_std: &Std, input: Many, _call: &CallContext<'_>) -> Result<Number> {
    let values = input.values.into_iter();
    values
        .reduce(|least, value| {
            if value.compare(least).is_lt() {
                value
            } else {
                least
            }
        })
        .ok_or_else(none)
}

pub(crate) fn max(_std: &Std, input: Many, _call: &CallContext<'_>) -> Result<Number> {
    let values = input.values.into_iter();
    values
        .reduce(|most, value| {
            if value.compare(most).is_gt() {
                value
            } else {
                most
            }
        })
        .ok_or_else(none)
}

fn none() -> Error {
    Error::invalid("values", "at least one number", Vec::<bool>::new())
}

pub(crate) fn sum(_std: &Std, input: Many, _call: &CallContext<'_>) -> Result<Number> {
    added(&input.values, |index| format!("values[{index}]"))?.fit()
}

/// The sum, exact for integers. Among floats the error of each step is carried along (Neumaier), so
/// that ten times 0.1 is 1. `name` tells what a number is called.
pub(crate) fn added(values: &[Number], name: impl Fn(usize) -> String) -> Result<Number> {
    let integers = values.iter().try_fold(0_i128, |sum, value| match value {
        Number::Integer(value) => sum.checked_add(*value),
        Number::Float(_) => None,
    });
    if let Some(sum) = integers {
        return Ok(Number::Integer(sum));
    }
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for (index, value) in values.iter().enumerate() {
        let value = match value {
            Number::Float(value) => *value,
            integer => integer.float(&name(index))?,
        };
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    // Past the largest float, what was lost is not a number.
    Ok(Number::Float(if sum.is_finite() {
        sum + lost
    } else {
        sum
    }))
}

pub(crate) fn mean(_std: &Std, input: Many, _call: &CallContext<'_>) -> Result<Number> {
    averaged(&input.values)
}

fn averaged(values: &[Number]) -> Result<Number> {
    if values.is_empty() {
        return Err(none());
    }
    let sum = added(values, |index| format!("values[{index}]"))?;
    let count = Number::Integer(i128::try_from(values.len())?);
    divided(
        (sum, "the sum of `values`"),
        (count, "the length of `values`"),
    )
}

pub(crate) fn median(_std: &Std, input: Many, _call: &CallContext<'_>) -> Result<Number> {
    let mut values = input.values;
    values.sort_by(|a, b| a.compare(*b));
    let middle = values.len() / 2;
    let from = if values.len().is_multiple_of(2) {
        middle.saturating_sub(1)
    } else {
        middle
    };
    match values.get(from..=middle) {
        Some(&[value]) => Ok(value),
        Some(values) => averaged(values),
        None => Err(none()),
    }
}

/// A number and the bounds to hold it to.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Clamp {
    /// The number.
    value: Number,
    /// The least that it may be; no bound when not given.
    #[serde(default)]
    min: Option<Number>,
    /// The most that it may be; no bound when not given.
    #[serde(default)]
    max: Option<Number>,
}

pub(crate) fn clamp(_std: &Std, input: Clamp, _call: &CallContext<'_>) -> Result<Number> {
    let Clamp { value, min, max } = input;
    if let (Some(min), Some(max)) = (min, max)
        && min.compare(max).is_gt()
    {
        return Err(Error::invalid("min", "at most what `max` is", min));
    }
    Ok(match (min, max) {
        (Some(min), _) if value.compare(min).is_lt() => min,
        (_, Some(max)) if value.compare(max).is_gt() => max,
        _ => value,
    })
}
