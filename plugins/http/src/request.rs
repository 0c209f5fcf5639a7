//! `http.request`.

use std::time::{Duration, Instant};

use floe_plugin_api::{CallContext, Error, ErrorKind, Map, Result, data};
use ureq::http::{HeaderMap, HeaderName, Method, Request as HttpRequest, Response, Uri, header};
use ureq::unversioned::transport::{Connector, RustlsConnector, TcpConnector};
use ureq::{Agent, Body as ResponseBody};

use crate::answer::{self, Answer, Form};
use crate::connection::{Connected, Watching};
use crate::failure::{self, Exchange};
use crate::outgoing::{self, Body};
use crate::resolve::Checked;
use crate::{Http, target};

/// The most bytes of a response's headers.
const MAX_RESPONSE_HEADERS: usize = 64 << 10;

/// A request.
#[data]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The method: `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE` or `OPTIONS`.
    #[serde(default = "get")]
    method: String,
    /// Where to: an address that begins with `http://` or `https://`, without a user or a password.
    url: String,
    /// Headers: each a string, or a list of strings for one that comes more than once.
    #[serde(default)]
    headers: Map,
    /// What to add to the address after the `?`: each a string, a number, a boolean or a list of them.
    #[serde(default)]
    query: Map,
    /// What to send.
    #[serde(default)]
    body: Option<Body>,
    /// What to read the answer's body as.
    #[serde(default, rename = "as")]
    form: Form,
    /// How long to wait for all of it, redirects too, in milliseconds; the configuration's when not
    /// given. The call's own deadline holds in any case.
    #[serde(default)]
    #[schemars(range(min = 1))]
    timeout_ms: Option<u64>,
    /// The most bytes of the answer's body; the configuration's when not given, which is never passed.
    #[serde(default)]
    max_bytes: Option<u64>,
    /// How many redirects to follow. With 0, a redirect is the answer.
    #[serde(default = "redirects")]
    #[schemars(range(max = 20))]
    redirects: u32,
    /// Whether a status from 400 on is an error.
    #[serde(default = "yes")]
    fail_on_status: bool,
}

fn get() -> String {
    "GET".to_owned()
}

const fn redirects() -> u32 {
    5
}

const fn yes() -> bool {
    true
}

pub(crate) fn request(http: &Http, input: Request, call: &CallContext<'_>) -> Result<Answer> {
    let begun = Instant::now();
    let max_bytes = input
        .max_bytes
        .unwrap_or(http.max_bytes)
        .min(http.max_bytes);
    let limit = Duration::from_millis(input.timeout_ms.unwrap_or(http.timeout_ms));
    let mut next = Outgoing::new(http, &input)?;
    if let Some(body) = input.body {
        next.set_body(http, body)?;
    }

    let mut followed = 0;
    loop {
        call.checkpoint()?;
        http.policy
            .host(&next.uri)
            .map_err(|refusal| refusal.error())?;
        let exchange = Exchange {
            url: target::shown(&next.uri),
            safe_again: !matches!(next.method, Method::POST | Method::PATCH),
            limit,
            connected: Connected::default(),
        };
        let left = limit.saturating_sub(begun.elapsed());
        let response = next
            .send(http, call, &exchange, left)
            .map_err(|error| failure::failed(error, &exchange, call))?;

        if let Some(location) = redirect(&response, input.redirects) {
            followed += 1;
            if followed > input.redirects {
                return Err(Error::execution(format!(
                    "`{}` redirects once more after `{}` redirects; raise `redirects`, or ask why it goes on",
                    exchange.url, input.redirects
                )));
            }
            next.follow(response.status().as_u16(), &location)?;
            continue;
        }
        return answer::read(
            answer::Wanted {
                form: input.form,
                fail_on_status: input.fail_on_status,
                max_bytes,
                head: next.method == Method::HEAD,
                authorized: next.headers.contains_key(header::AUTHORIZATION),
            },
            response,
            &next.uri,
            &exchange,
            begun,
            call,
        );
    }
}

/// Where a response says to go, if it does and anybody wants to.
fn redirect(response: &Response<ResponseBody>, redirects: u32) -> Option<String> {
    let follows =
        redirects > 0 && matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response
        .headers()
        .get(header::LOCATION)
        .filter(|_| follows)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// A request that is about to be sent.
struct Outgoing {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    /// Which of them are the configuration's.
    defaults: Vec<HeaderName>,
    body: Option<Vec<u8>>,
}

impl Outgoing {
    fn new(http: &Http, input: &Request) -> Result<Self> {
        let method = outgoing::method(&input.method)?;
        let uri = target::parse(&input.url, &input.query)?;
        let mut headers = outgoing::headers(&input.headers)?;
        let mut defaults = Vec::new();
        for (name, value) in &http.default_headers {
            if !headers.contains_key(name) {
                headers.insert(name, value.clone());
                defaults.push(name.clone());
            }
        }
        if !headers.contains_key(header::USER_AGENT) {
            headers.insert(header::USER_AGENT, http.user_agent.clone());
        }
        Ok(Self {
            method,
            uri,
            headers,
            defaults,
            body: None,
        })
    }

    fn set_body(&mut self, http: &Http, body: Body) -> Result<()> {
        if matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Err(outgoing::invalid(format!(
                "`{}` takes no `body`; use another method, or `query`",
                self.method
            )));
        }
        let (bytes, content_type) = body.encode()?;
        if bytes.len() as u64 > http.max_bytes {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!(
                    "the body is `{}` bytes long, more than `{}`; send less, or raise `max_bytes` in the configuration",
                    bytes.len(),
                    http.max_bytes
                ),
            ));
        }
        self.headers
            .entry(header::CONTENT_TYPE)
            .or_insert(ureq::http::HeaderValue::from_static(content_type));
        self.body = Some(bytes);
        Ok(())
    }

    /// Sends it, and reads the answer's headers.
    fn send(
        &self,
        http: &Http,
        call: &CallContext<'_>,
        exchange: &Exchange,
        left: Duration,
    ) -> Result<Response<ResponseBody>, ureq::Error> {
        // What is left of the call bounds it too; a bound of nothing is none to the client.
        let left = call
            .remaining()
            .map_or(left, |remaining| remaining.min(left));
        if left.is_zero() {
            return Err(ureq::Error::Timeout(ureq::Timeout::Global));
        }
        let config = Agent::config_builder()
            // Else those of the environment would be used, and what they resolve cannot be checked.
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(MAX_RESPONSE_HEADERS)
            .accept_encoding("identity")
            .tls_config(http.tls.clone())
            .timeout_global(Some(left))
            .build();
        let connector =
            ().chain(TcpConnector::default())
                .chain(Watching(call.watch()))
                .chain(RustlsConnector::default())
                .chain(exchange.connected.clone());
        let resolver = Checked {
            policy: http.policy.clone(),
            lookup: http.lookup.clone(),
            watch: call.watch(),
        };
        let agent = Agent::with_parts(config, connector, resolver);

        let mut request = HttpRequest::builder()
            .method(self.method.clone())
            .uri(self.uri.clone());
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&self.headers);
        }
        let takes_body = matches!(self.method, Method::POST | Method::PUT | Method::PATCH);
        match &self.body {
            Some(body) => agent.run(request.body(body.as_slice())?),
            // So that the server knows that nothing follows.
            None if takes_body => agent.run(request.body(&[][..])?),
            None => agent.run(request.body(())?),
        }
    }

    /// Turns it into the request that a redirect asks for.
    fn follow(&mut self, status: u16, location: &str) -> Result<()> {
        let from = target::shown(&self.uri);
        let next = target::join(&self.uri, location).map_err(|error| {
            error
                .with_kind(ErrorKind::ExecutionError)
                .context(format!("`{from}` redirects to where no request goes"))
        })?;
        if self.uri.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
            return Err(Error::execution(format!(
                "`{from}` redirects to `{}`, which anybody on the way could read; set `redirects` to 0 to see it, and ask for it yourself",
                target::shown(&next)
            )));
        }
        let becomes_get = match status {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = None;
            let of_body = [
                header::CONTENT_TYPE,
                header::CONTENT_ENCODING,
                header::CONTENT_LANGUAGE,
                header::CONTENT_LOCATION,
            ];
            for name in of_body {
                self.headers.remove(name);
            }
        }
        if !target::same_origin(&self.uri, &next) {
            // They were meant for the server that was named, or may be.
            for name in [header::AUTHORIZATION, header::COOKIE] {
                self.headers.remove(name);
            }
            for name in self.defaults.drain(..) {
                self.headers.remove(name);
            }
        }
        self.uri = next;
        Ok(())
    }
}
