//! Which hosts and addresses may be reached.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use floe_plugin_api::{Error, ErrorKind, Result};
use ureq::http::Uri;

use crate::address::not_public;

/// Which hosts and addresses may be reached.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    allow_private: bool,
    allow: Vec<Pattern>,
    deny: Vec<Pattern>,
    /// A server of a test, which is on this machine and stands for one that is not.
    #[cfg(test)]
    pub(crate) exempt: Option<SocketAddr>,
}

/// Why a host or an address may not be reached, for a caller to read.
#[derive(Debug)]
pub(crate) struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    pub(crate) fn error(&self) -> Error {
        Error::new(ErrorKind::ValidationFailed, self.0.as_str())
    }
}

impl Policy {
    pub(crate) fn new(allow_private: bool, allow: &[String], deny: &[String]) -> Result<Self> {
        let patterns = |field: &str, texts: &[String]| -> Result<Vec<Pattern>> {
            let patterns = texts.iter().enumerate().map(|(index, text)| {
                Pattern::new(text).ok_or_else(|| {
                    Error::new(
                        ErrorKind::Configuration,
                        format!(
                            "`{field}[{index}]` is `{}`, expected a host such as `api.example.com`, `*.example.com`, `[::1]` or `example.com:8443`",
                            text.escape_debug()
                        ),
                    )
                })
            });
            patterns.collect()
        };
        Ok(Self {
            allow_private,
            allow: patterns("allow_hosts", allow)?,
            deny: patterns("deny_hosts", deny)?,
            #[cfg(test)]
            exempt: None,
        })
    }

    /// Checks the host that a request names.
    pub(crate) fn host(&self, uri: &Uri) -> Result<(), Refusal> {
        let (host, port) = (host(uri), port(uri));
        if self.deny.iter().any(|pattern| pattern.matches(&host, port)) {
            return Err(Refusal(format!(
                "the host `{host}` may not be reached: `deny_hosts` in the configuration names it"
            )));
        }
        if !self.allow.is_empty()
            && !self
                .allow
                .iter()
                .any(|pattern| pattern.matches(&host, port))
        {
            return Err(Refusal(format!(
                "the host `{host}` may not be reached at port `{port}`; add it to `allow_hosts` in the configuration"
            )));
        }
        Ok(())
    }

    /// Checks an address that a host has.
    pub(crate) fn address(&self, uri: &Uri, address: SocketAddr) -> Result<(), Refusal> {
        #[cfg(test)]
        if self.exempt == Some(address) {
            return Ok(());
        }
        let (host, ip) = (host(uri), address.ip());
        if !self.allow_private
            && let Some(what) = not_public(ip)
        {
            return Err(Refusal(format!(
                "the host `{host}` has the address `{ip}`, which is {what} and may not be reached; set `allow_private = true` in the configuration where it should be"
            )));
        }
        // Also where it is written as one of the other family.
        let bare = ip.to_canonical().to_string();
        if self
            .deny
            .iter()
            .any(|pattern| pattern.matches(&bare, address.port()))
        {
            return Err(Refusal(format!(
                "the host `{host}` has the address `{ip}`, which may not be reached: `deny_hosts` in the configuration names it"
            )));
        }
        Ok(())
    }
}

/// The host of a request as patterns know it: in lower case, without brackets and a last dot.
pub(crate) fn host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    bare(host)
}

fn bare(host: &str) -> String {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = inner.unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    // An address has one way to be written, whichever was chosen.
    host.parse::<IpAddr>().map_or(host, |ip| ip.to_string())
}

/// The port of a request.
pub(crate) fn port(uri: &Uri) -> u16 {
    let usual = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    uri.port_u16().unwrap_or(usual)
}

/// A host, or all below one, at one port or any.
#[derive(Clone, Debug)]
struct Pattern {
    /// Without `*.`.
    host: String,
    below: bool,
    port: Option<u16>,
}

impl Pattern {
    fn new(text: &str) -> Option<Self> {
        let (below, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (host, port) = if rest.parse::<IpAddr>().is_ok() {
            (rest, None)
        } else {
            match rest.rsplit_once(':') {
                Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
                _ => (rest, None),
            }
        };
        let host = bare(host);
        let is_name = |host: &str| {
            host.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && host.split('.').all(|label| !label.is_empty())
        };
        let is_address = host.parse::<IpAddr>().is_ok();
        let fits = if is_address { !below } else { is_name(&host) };
        fits.then_some(Self { host, below, port })
    }

    fn matches(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|wanted| wanted != port) {
            return false;
        }
        if self.below {
            host.strip_suffix(self.host.as_str())
                .is_some_and(|before| before.len() > 1 && before.ends_with('.'))
        } else {
            host == self.host
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, url: &str, expected: bool) {
        let uri: Uri = url.parse().unwrap();
        let pattern = Pattern::new(pattern).unwrap();
        assert_eq!(
            pattern.matches(&host(&uri), port(&uri)),
            expected,
            "{pattern:?} {url}"
        );
    }

    #[test]
    fn patterns() {
        check("example.com", "http://example.com/", true);
        check("Example.COM", "http://eXample.com.:81/", true);
        check("example.com", "http://a.example.com/", false);
        check("example.com", "http://example.com.evil.org/", false);
        check("*.example.com", "http://a.b.example.com/", true);
        check("*.example.com", "http://example.com/", false);
        check("*.example.com", "http://.example.com/", false);
        check("*.example.com", "http://badexample.com/", false);
        check("example.com:8443", "https://example.com:8443/", true);
        check("example.com:443", "https://example.com/", true);
        check("example.com:8443", "https://example.com/", false);
        check("::1", "http://[0:0::1]/", true);
        check("[::1]:80", "http://[::1]/", true);
        check("127.0.0.1", "http://127.0.0.1:8080/", true);
        for text in [
            "",
            "*",
            "*.",
            "a b",
            "http://a",
            "a/",
            "a:b",
            "a:99999",
            "*.1.2.3.4",
            "a..b",
            "[::1",
        ] {
            assert!(Pattern::new(text).is_none(), "{text}");
        }
    }
}
