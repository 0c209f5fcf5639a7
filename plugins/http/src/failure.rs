//! What it means when a request fails.

use std::io;
use std::time::{Duration, SystemTime};

use floe_plugin_api::{CallContext, Error, ErrorKind};
use ureq::http::{HeaderMap, header};

use crate::connection::Connected;
use crate::policy::Refusal;

/// One request and its answer, as errors speak of it.
pub(crate) struct Exchange {
    /// Without what follows the `?`.
    pub(crate) url: String,
    /// Whether the request may be made again when nobody knows whether it was carried out.
    pub(crate) safe_again: bool,
    /// How long it may take, with those before it.
    pub(crate) limit: Duration,
    pub(crate) connected: Connected,
}

/// An error for a status from 400 on.
pub(crate) fn status(
    status: u16,
    headers: &HeaderMap,
    exchange: &Exchange,
    authorized: bool,
) -> Error {
    let url = &exchange.url;
    let error = match status {
        408 | 429 | 502 | 503 | 504 => {
            let error = Error::new(
                ErrorKind::Transient,
                format!("`{url}` answers with the status `{status}`; try again later"),
            );
            match retry_after(headers, SystemTime::now()) {
                Some(wait) => error.retry_after(wait),
                None => error,
            }
        }
        401 if !authorized => Error::new(
            ErrorKind::CredentialMissing,
            format!(
                "`{url}` wants to know who asks (the status `401`); give the header `authorization`"
            ),
        ),
        _ => Error::execution(format!(
            "`{url}` answers with the status `{status}`; set `fail_on_status` to false to have it as an answer"
        )),
    };
    error
        .with_detail("status", status)
        .with_detail("url", url.as_str())
}

/// How long a server wants to be left alone: seconds, or until a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than fits is as long as can be said.
        return Some(Duration::from_secs(
            text.parse().unwrap_or(u64::MAX / 1_000),
        ));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// An error for a request without an answer.
pub(crate) fn failed(error: ureq::Error, exchange: &Exchange, call: &CallContext<'_>) -> Error {
    use ureq::Error as Ureq;

    // Whatever went wrong, it went wrong because of that.
    if let Err(stopped) = call.checkpoint() {
        return stopped;
    }
    let url = &exchange.url;
    let failed = match error {
        Ureq::Other(other) => match other.downcast::<Refusal>() {
            Ok(refusal) => return refusal.error(),
            Err(other) => Error::execution(format!("the request to `{url}` failed"))
                .context_of(&other.to_string()),
        },
        Ureq::Timeout(_) => Error::new(
            ErrorKind::ExecutionTimeout,
            format!(
                "`{url}` has not answered within `{}` ms; raise `timeout_ms`, or the call's deadline",
                exchange.limit.as_millis()
            ),
        ),
        Ureq::HostNotFound => Error::new(
            ErrorKind::Transient,
            format!("the host of `{url}` has no address now; look at how it is written"),
        ),
        Ureq::LargeResponseHeader(_, most) => Error::new(
            ErrorKind::ResourceExhausted,
            format!("`{url}` answers with more than `{most}` bytes of headers"),
        ),
        Ureq::Tls(why) => tls(url, why),
        Ureq::Rustls(error) => tls(url, &error.to_string()),
        // What rustls says on its way through a reader.
        Ureq::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            tls(url, &error.to_string())
        }
        Ureq::Io(error) if !exchange.connected.is_set() => Error::new(
            ErrorKind::Transient,
            format!("`{url}` cannot be connected to now; try again later"),
        )
        .context_of(&error.to_string()),
        Ureq::Io(error) if exchange.safe_again => Error::new(
            ErrorKind::Transient,
            format!("the connection to `{url}` broke; try again"),
        )
        .context_of(&error.to_string()),
        Ureq::Io(error) => Error::execution(format!(
            "the connection to `{url}` broke, and the request may have been carried out; find out before it is made again"
        ))
        .context_of(&error.to_string()),
        Ureq::ConnectionFailed => Error::new(
            ErrorKind::Transient,
            format!("`{url}` cannot be connected to now; try again later"),
        ),
        Ureq::Http(error) => Error::new(
            ErrorKind::InvalidParameters,
            format!("the request to `{url}` cannot be made: {error}"),
        ),
        Ureq::Protocol(error) => Error::execution(format!(
            "`{url}` does not answer as HTTP/1.1 has it: {error}"
        )),
        other => Error::execution(format!("the request to `{url}` failed"))
            .context_of(&other.to_string()),
    };
    failed.with_detail("url", url.as_str())
}

fn tls(url: &str, why: &str) -> Error {
    Error::execution(format!(
        "no secure connection to `{url}` can be made: {why}; look at the server's certificate, and at whether it speaks TLS there"
    ))
}

trait Cause {
    /// The same error with why it happened.
    fn context_of(self, cause: &str) -> Self;
}

impl Cause for Error {
    fn context_of(self, cause: &str) -> Self {
        let message = self.message().to_owned();
        Self::new(self.kind(), cause).context(message)
    }
}

#[cfg(test)]
mod tests {
    use ureq::http::HeaderValue;

    use super::*;

    #[test]
    fn how_long_to_wait() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:00 GMT").unwrap();
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(text));
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(read("120"), Some(120));
        assert_eq!(read(" 0 "), Some(0));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(37));
        assert_eq!(read("Sunday, 06-Nov-94 08:49:37 GMT"), Some(37));
        assert_eq!(read("Sun Nov  6 08:49:37 1994"), Some(37));
        assert_eq!(read("Sat, 06 Nov 1993 08:49:37 GMT"), Some(0));
        for text in ["", "-1", "1.5", "soon", "1s"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(read("99999999999999999999999").is_some());
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
