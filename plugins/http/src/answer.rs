//! What a server answers.

use std::io::Read;
use std::time::Instant;

use floe_plugin_api::{Bytes, CallContext, Error, ErrorKind, Map, Result, Value, data};
use ureq::Body;
use ureq::http::{HeaderMap, Response, Uri};

use crate::failure::{self, Exchange};

/// How many bytes are read between two looks at whether anybody still waits.
const CHUNK: u64 = 64 << 10;

/// How much of the body of a failure is told, in bytes.
const EXCERPT: u64 = 2 << 10;

/// What to read a body as.
#[data]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// UTF-8; anything else is refused.
    #[default]
    Text,
    /// JSON; an empty body is null.
    Json,
    /// Bytes as they are.
    Bytes,
}

/// What a server answered.
#[data]
pub(crate) struct Answer {
    /// The status, such as 200.
    status: u16,
    /// The headers: names in lower case, each with the list of its values.
    headers: Map,
    /// The body, as it was asked for.
    body: Value,
    /// How long the body is, in bytes.
    size: u64,
    /// Where the answer came from, after all redirects.
    url: String,
    /// How long it all took, in milliseconds.
    elapsed_ms: u64,
}

/// What a caller wants of an answer.
pub(crate) struct Wanted {
    pub(crate) form: Form,
    pub(crate) fail_on_status: bool,
    pub(crate) max_bytes: u64,
    /// Whether there is no body, whatever its headers say.
    pub(crate) head: bool,
    /// Whether the request said who asks.
    pub(crate) authorized: bool,
}

pub(crate) fn read(
    wanted: Wanted,
    mut response: Response<Body>,
    uri: &Uri,
    exchange: &Exchange,
    begun: Instant,
    call: &CallContext<'_>,
) -> Result<Answer> {
    let status = response.status().as_u16();
    if wanted.fail_on_status && status >= 400 {
        let mut excerpt = Vec::new();
        // What cannot be read is not told: the status is what matters.
        let _ = response
            .body_mut()
            .as_reader()
            .take(EXCERPT)
            .read_to_end(&mut excerpt);
        call.checkpoint()?;
        let text = String::from_utf8_lossy(&excerpt);
        let refused = failure::status(status, response.headers(), exchange, wanted.authorized);
        return Err(refused.with_detail("body", &*text));
    }
    let content = if wanted.head {
        Vec::new()
    } else {
        body(&mut response, wanted.max_bytes, exchange, call)?
    };
    Ok(Answer {
        status,
        headers: headers(response.headers()),
        size: content.len() as u64,
        body: formed(content, wanted.form, exchange)?,
        url: uri.to_string(),
        elapsed_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

fn body(
    response: &mut Response<Body>,
    most: u64,
    exchange: &Exchange,
    call: &CallContext<'_>,
) -> Result<Vec<u8>> {
    let too_large = || {
        Error::new(
            ErrorKind::ResourceExhausted,
            format!(
                "the body of `{}` is longer than `{most}` bytes; ask for less, or raise `max_bytes`",
                exchange.url
            ),
        )
        .with_detail("max_bytes", most)
    };
    if response
        .body()
        .content_length()
        .is_some_and(|length| length > most)
    {
        return Err(too_large());
    }
    let mut content = Vec::new();
    // One byte more than may be, to see that it is there.
    let mut reader = response.body_mut().as_reader().take(most.saturating_add(1));
    loop {
        call.checkpoint()?;
        let read = (&mut reader)
            .take(CHUNK)
            .read_to_end(&mut content)
            .map_err(|error| failure::failed(error.into(), exchange, call))?;
        if content.len() as u64 > most {
            return Err(too_large());
        }
        if read == 0 {
            return Ok(content);
        }
    }
}

fn formed(content: Vec<u8>, form: Form, exchange: &Exchange) -> Result<Value> {
    if form == Form::Bytes {
        return Ok(Value::Bytes(Bytes::from(content)));
    }
    let text = String::from_utf8(content).map_err(|error| {
        Error::execution(format!(
            "the body of `{}` is not utf-8 at its byte `{}`; set `as` to `bytes`",
            exchange.url,
            error.utf8_error().valid_up_to()
        ))
    })?;
    if form == Form::Text {
        return Ok(text.into());
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    Value::from_json(text).map_err(|error| {
        Error::execution(format!(
            "the body of `{}` is not the JSON that it should be: {error}; set `as` to `text` to see it",
            exchange.url
        ))
    })
}

fn headers(given: &HeaderMap) -> Map {
    let mut headers = Map::new();
    for name in given.keys() {
        let values = given.get_all(name).iter();
        let values: Value = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        headers.push(name.as_str(), values);
    }
    headers
}
