//! Headers and the body that a caller gives.

use floe_plugin_api::{Bytes, Error, ErrorKind, Map, Result, Value, data};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::target;

/// The most headers of a request, and the most bytes in them: more than any common server takes.
const MAX_HEADERS: usize = 100;
const MAX_HEADER_BYTES: usize = 64 << 10;

/// What decides how a request is read, and so must not be the caller's.
const OWN: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A body to send.
#[data]
#[serde(rename_all = "lowercase")]
pub(crate) enum Body {
    /// A text, as UTF-8.
    Text(String),
    /// A value, as JSON.
    Json(Value),
    /// Bytes as they are.
    Bytes(Bytes),
    /// Names and values, each a string, a number, a boolean or a list of them, as a form is sent.
    Form(Map),
}

impl Body {
    /// The bytes, and what they are.
    pub(crate) fn encode(self) -> Result<(Vec<u8>, &'static str)> {
        Ok(match self {
            Self::Text(text) => (text.into_bytes(), "text/plain; charset=utf-8"),
            Self::Json(value) => {
                let text = value
                    .to_json()
                    .map_err(|error| invalid(format!("`body.json` cannot be sent: {error}")))?;
                (text.into_bytes(), "application/json")
            }
            Self::Bytes(bytes) => (bytes.into_vec(), "application/octet-stream"),
            Self::Form(map) => (
                target::pairs("body.form", &map)?.into_bytes(),
                "application/x-www-form-urlencoded",
            ),
        })
    }
}

/// Reads a method.
pub(crate) fn method(text: &str) -> Result<Method> {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    let upper = text.to_ascii_uppercase();
    let found = known.iter().find(|method| method.as_str() == upper);
    found.cloned().ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|method| format!("`{method}`")).collect();
        Error::invalid("method", &format!("one of {}", names.join(", ")), text)
            .with_kind(ErrorKind::InvalidParameters)
    })
}

/// Reads the name of a header.
pub(crate) fn name(text: &str) -> Result<HeaderName> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| invalid(format!("`{}` is no header's name", text.escape_debug())))?;
    if OWN.contains(&name.as_str()) {
        return Err(invalid(format!(
            "the header `{name}` is this plugin's affair; leave it out"
        )));
    }
    Ok(name)
}

/// Reads headers: each a string, or a list of strings for one that comes more than once.
pub(crate) fn headers(given: &Map) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let (mut count, mut bytes) = (0, 0);
    for entry in given {
        let name = name(&entry.key)?;
        let one = std::slice::from_ref(&entry.value);
        for value in entry.value.as_list().unwrap_or(one) {
            // Of the value, nothing is said: it may be a secret.
            let refused = || {
                invalid(format!(
                    "the header `{name}` holds something else than visible ASCII characters"
                ))
            };
            let text = value.as_str().ok_or_else(|| {
                invalid(format!(
                    "the header `{name}` is of type `{}`, expected a string or a list of strings",
                    value.type_name()
                ))
            })?;
            count += 1;
            bytes += name.as_str().len() + text.len();
            if count > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
                return Err(invalid(format!(
                    "`headers` holds more than `{MAX_HEADERS}` headers, or `{MAX_HEADER_BYTES}` bytes; leave some out"
                )));
            }
            headers.append(&name, header_value(text).ok_or_else(refused)?);
        }
    }
    Ok(headers)
}

/// Reads the value of a header. What is not ASCII would be read by each server in its own way.
pub(crate) fn header_value(text: &str) -> Option<HeaderValue> {
    let value = HeaderValue::from_str(text).ok()?;
    text.is_ascii().then_some(value)
}

pub(crate) fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidParameters, message)
}
