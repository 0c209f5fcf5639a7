//! `convert.*`: from one type to another, exactly or not at all.

use std::borrow::Cow;
use std::{fmt, io};

use ct_codecs::{
    Base64, Base64NoPadding, Base64UrlSafe, Base64UrlSafeNoPadding, Decoder, Encoder, Hex,
};
use floe_plugin_api::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use floe_plugin_api::serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use floe_plugin_api::{Bytes, CallContext, Error, ErrorKind, Result, Value, data};

use crate::number::{Number, fits, whole};
use crate::{Std, bounds};

/// A value to convert.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct One {
    /// The value.
    value: Value,
}

/// A text to convert.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Whole {
    /// The text.
    text: String,
}

pub(crate) fn to_string(_std: &Std, One { value }: One, _call: &CallContext<'_>) -> Result<String> {
    match &value {
        Value::String(text) => Ok(text.as_str().to_owned()),
        Value::Bool(_) | Value::I64(_) | Value::U64(_) | Value::F64(_) => value
            .to_json()
            .map_err(|_| Error::invalid("value", "a finite number", value)),
        Value::Null | Value::Bytes(_) | Value::List(_) | Value::Map(_) => Err(Error::invalid(
            "value",
            "a string, number or boolean; `convert.to_json` takes any value, `convert.bytes_to_text` bytes",
            value,
        )),
    }
}

/// A value to make an integer of.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct ToInt {
    /// An integer, a number without a fraction, a boolean, or the digits of an integer.
    value: Value,
    /// The base in which digits are read.
    #[serde(default = "ten")]
    #[schemars(range(min = 2, max = 36))]
    radix: u32,
}

const fn ten() -> u32 {
    10
}

pub(crate) fn to_int(_std: &Std, input: ToInt, _call: &CallContext<'_>) -> Result<Number> {
    let ToInt { value, radix } = input;
    if !(2..=36).contains(&radix) {
        return Err(Error::invalid("radix", "a number from 2 to 36", radix));
    }
    let integer = match &value {
        Value::I64(value) => Some(i128::from(*value)),
        Value::U64(value) => Some(i128::from(*value)),
        Value::F64(value) => whole(*value),
        Value::Bool(value) => Some(i128::from(*value)),
        Value::String(text) => i128::from_str_radix(text.trim(), radix).ok(),
        _ => None,
    };
    match integer.filter(|integer| fits(*integer)) {
        Some(integer) => Ok(Number::Integer(integer)),
        None => Err(Error::invalid(
            "value",
            "an integer that fits 64 bits, or the digits of one",
            value,
        )),
    }
}

pub(crate) fn to_float(_std: &Std, One { value }: One, _call: &CallContext<'_>) -> Result<f64> {
    let float = match &value {
        Value::String(text) => {
            let text = text.trim();
            match text.parse::<i128>() {
                // As any integer, it is not rounded.
                Ok(integer) => Number::Integer(integer).float("value").ok(),
                Err(_) => text.parse().ok(),
            }
        }
        value => value.as_f64(),
    };
    float.filter(|float| float.is_finite()).ok_or_else(|| {
        Error::invalid(
            "value",
            "a finite number that a 64-bit float holds, or the digits of one",
            value,
        )
    })
}

pub(crate) fn to_bool(_std: &Std, One { value }: One, _call: &CallContext<'_>) -> Result<bool> {
    const TRUE: &[&str] = &["true", "yes", "on", "1"];
    const FALSE: &[&str] = &["false", "no", "off", "0"];
    let bool = match &value {
        Value::Bool(value) => Some(*value),
        Value::I64(0) => Some(false),
        Value::I64(1) => Some(true),
        Value::String(text) => {
            let is = |word: &&str| text.trim().eq_ignore_ascii_case(word);
            match (TRUE.iter().any(is), FALSE.iter().any(is)) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            }
        }
        _ => None,
    };
    bool.ok_or_else(|| {
        Error::invalid(
            "value",
            "a boolean, 0, 1, or `true`, `yes`, `on`, `false`, `no` or `off`",
            value,
        )
    })
}

pub(crate) fn parse_json(_std: &Std, input: Whole, _call: &CallContext<'_>) -> Result<Value> {
    Value::from_json(&input.text).map_err(|error| {
        Error::new(
            ErrorKind::ValidationFailed,
            format!("`text` is no JSON: {error}"),
        )
        .with_detail("path", "text")
    })
}

/// A value to write as JSON.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct ToJson {
    /// The value; bytes are written as a list of numbers.
    value: Value,
    /// Whether to write it over several lines, for people.
    #[serde(default)]
    pretty: bool,
}

pub(crate) fn to_json(_std: &Std, input: ToJson, _call: &CallContext<'_>) -> Result<String> {
    let ToJson { value, pretty } = input;
    if let Some(number) = not_finite(&value) {
        return Err(Error::new(
            ErrorKind::ValidationFailed,
            format!("`value` cannot be written: JSON has no way to write the number `{number}`"),
        )
        .with_detail("path", "value"));
    }
    let mut output = Output::default();
    let written = if pretty {
        serde_json::to_writer_pretty(&mut output, &value)
    } else {
        serde_json::to_writer(&mut output, &value)
    };
    if let Some(stopped) = output.stopped {
        return Err(stopped);
    }
    written?;
    Ok(String::from_utf8(output.text)?)
}

fn not_finite(value: &Value) -> Option<f64> {
    match value {
        Value::F64(number) => (!number.is_finite()).then_some(*number),
        Value::List(list) => list.iter().find_map(not_finite),
        Value::Map(map) => map.iter().find_map(|entry| not_finite(&entry.value)),
        _ => None,
    }
}

/// The text so far, which refuses to grow past the bound: indentation alone may make a value many
/// times longer.
#[derive(Default)]
struct Output {
    text: Vec<u8>,
    /// Why the writing was ended from here.
    stopped: Option<Error>,
}

impl io::Write for Output {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if let Err(error) = bounds::bytes(self.text.len().saturating_add(piece.len())) {
            self.stopped = Some(error);
            return Err(io::ErrorKind::Other.into());
        }
        self.text.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes, or a text, which stands for its bytes in UTF-8.
#[derive(Debug)]
pub(crate) struct Data(Vec<u8>);

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Data;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, bytes, or a list of numbers from 0 to 255")
            }

            fn visit_str<E>(self, text: &str) -> Result<Data, E> {
                Ok(Data(text.as_bytes().to_vec()))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Data, E> {
                Ok(Data(bytes.to_vec()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Data, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = items.next_element()? {
                    bytes.push(byte);
                }
                Ok(Data(bytes))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl JsonSchema for Data {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Data".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "array"],
            "items": { "type": "integer", "minimum": 0, "maximum": 255 },
        })
    }
}

/// Bytes to encode.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Encode {
    /// The bytes; a text stands for its bytes in UTF-8.
    data: Data,
}

/// Bytes to encode in base64.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct EncodeBase64 {
    /// The bytes; a text stands for its bytes in UTF-8.
    data: Data,
    /// Whether to write `-` and `_` for `+` and `/`, as in URLs and names of files.
    #[serde(default)]
    url_safe: bool,
    /// Whether to fill up with `=` to a multiple of four.
    #[serde(default = "yes")]
    padding: bool,
}

const fn yes() -> bool {
    true
}

pub(crate) fn base64_encode(
    _std: &Std,
    input: EncodeBase64,
    _call: &CallContext<'_>,
) -> Result<String> {
    let bytes = input.data.0;
    bounds::bytes(bytes.len().div_ceil(3).saturating_mul(4))?;
    Ok(match (input.url_safe, input.padding) {
        (false, true) => Base64::encode_to_string(bytes),
        (false, false) => Base64NoPadding::encode_to_string(bytes),
        (true, true) => Base64UrlSafe::encode_to_string(bytes),
        (true, false) => Base64UrlSafeNoPadding::encode_to_string(bytes),
    }?)
}

/// A text in base64.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct DecodeBase64 {
    /// The text; the `=` at its end may be left out.
    text: String,
    /// Whether `-` and `_` stand for `+` and `/`.
    #[serde(default)]
    url_safe: bool,
}

pub(crate) fn base64_decode(
    _std: &Std,
    input: DecodeBase64,
    _call: &CallContext<'_>,
) -> Result<Bytes> {
    let DecodeBase64 { text, url_safe } = input;
    let decoded = match (url_safe, text.ends_with('=')) {
        (false, true) => Base64::decode_to_vec(&text, None),
        (false, false) => Base64NoPadding::decode_to_vec(&text, None),
        (true, true) => Base64UrlSafe::decode_to_vec(&text, None),
        (true, false) => Base64UrlSafeNoPadding::decode_to_vec(&text, None),
    };
    decoded.map(Bytes::from).map_err(|_| {
        let rule = if url_safe {
            "base64 of letters, digits, `-` and `_`, without line breaks"
        } else {
            "base64 of letters, digits, `+` and `/`, without line breaks; `url_safe` is for `-` and `_`"
        };
        Error::invalid("text", rule, text)
    })
}

pub(crate) fn hex_encode(_std: &Std, input: Encode, _call: &CallContext<'_>) -> Result<String> {
    bounds::bytes(input.data.0.len().saturating_mul(2))?;
    Ok(Hex::encode_to_string(input.data.0)?)
}

pub(crate) fn hex_decode(_std: &Std, input: Whole, _call: &CallContext<'_>) -> Result<Bytes> {
    Hex::decode_to_vec(&input.text, None)
        .map(Bytes::from)
        .map_err(|_| {
            let rule = "an even number of digits from `0` to `9` and `a` to `f`, and nothing else";
            Error::invalid("text", rule, input.text)
        })
}

/// Bytes to read as text.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct ToText {
    /// The bytes, in UTF-8.
    data: Data,
    /// Whether to put `�` in the place of what is no UTF-8; it is an error otherwise.
    #[serde(default)]
    lossy: bool,
}

pub(crate) fn bytes_to_text(_std: &Std, input: ToText, _call: &CallContext<'_>) -> Result<String> {
    let ToText { data, lossy } = input;
    if lossy {
        let text = String::from_utf8_lossy(&data.0);
        bounds::bytes(text.len())?;
        return Ok(text.into_owned());
    }
    String::from_utf8(data.0).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::new(
            ErrorKind::ValidationFailed,
            format!("`data` is no UTF-8 at byte `{at}`; `lossy` puts `�` in its place"),
        )
        .with_detail("path", "data")
    })
}

pub(crate) fn text_to_bytes(_std: &Std, input: Whole, _call: &CallContext<'_>) -> Result<Bytes> {
    Ok(Bytes::from(input.text.into_bytes()))
}
