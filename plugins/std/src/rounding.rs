//! Rounding in decimal: of the number as it is written, so that 2.675 with two digits is 2.68,
//! although the nearest float is a little below it. Halves go away from zero.

use crate::number::{Number, whole};

/// An integer to so many digits after the point, which below 0 are digits before it.
pub(crate) fn integer(value: i128, digits: i32) -> Number {
    if digits >= 0 {
        return Number::Integer(value);
    }
    let unit = 10_i128.pow(digits.unsigned_abs());
    let rest = value % unit;
    let down = value - rest;
    Number::Integer(if rest.abs() * 2 >= unit {
        down + unit * value.signum()
    } else {
        down
    })
}

/// A float to so many digits after the point: an integer where none are kept. Nothing where that
/// is far above 64 bits.
pub(crate) fn float(value: f64, digits: i32) -> Option<Number> {
    if digits <= 0
        && let Some(whole) = whole(value)
    {
        return Some(integer(whole, digits));
    }
    // The shortest decimal that reads as this float: `-2.675e0`.
    let written = format!("{:e}", value.abs());
    let (mantissa, exponent) = written.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let decimals = mantissa.replace('.', "");
    // How many of the decimals are before the point, and how many are kept.
    let before = exponent + 1;
    let kept = before + digits;
    let Ok(kept) = usize::try_from(kept) else {
        return Some(zero(digits));
    };
    if kept >= decimals.len() {
        return if digits > 0 {
            Some(Number::Float(value))
        } else {
            // It is written without a fraction and is none of the integers above: too large.
            None
        };
    }
    let up = decimals.as_bytes()[kept] >= b'5';
    // At most seventeen decimals are written.
    let head: i128 = format!("0{}", &decimals[..kept]).parse().ok()?;
    let head = head + i128::from(up);
    if digits > 0 {
        let rounded: f64 = format!("{head}e{}", -digits).parse().ok()?;
        let negative = value < 0.0 && head != 0;
        return Some(Number::Float(if negative { -rounded } else { rounded }));
    }
    let rounded = head.checked_mul(10_i128.checked_pow(digits.unsigned_abs())?)?;
    Some(Number::Integer(if value < 0.0 {
        -rounded
    } else {
        rounded
    }))
}

fn zero(digits: i32) -> Number {
    if digits > 0 {
        Number::Float(0.0)
    } else {
        Number::Integer(0)
    }
}
