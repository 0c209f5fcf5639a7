//! The plugin `http`: makes HTTP requests to the hosts that it may reach.
//!
//! * `policy` says which hosts and addresses may be reached, and `address` which addresses are public.
//! * `resolve` looks names up, and gives away only addresses that were checked; `connection` is what
//!   carries bytes to them, and stops where nobody waits any more.
//! * `target` makes an address on the web of what a caller gives, `outgoing` headers and a body.
//! * `request` is `http.request`: one exchange after another, as redirects say.
//! * `answer` is what comes back, and `failure` what it means when nothing does.
#![forbid(unsafe_code)]

mod address;
mod answer;
mod connection;
mod failure;
mod outgoing;
mod policy;
mod request;
mod resolve;
mod target;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use floe_plugin_api::{Error, ErrorKind, HostRef, Plugin, Result, Secret, data, export_plugin};
use ureq::http::{HeaderMap, HeaderValue};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::policy::Policy;
use crate::resolve::{Lookup, system};

/// What an operator may set.
#[data]
#[serde(deny_unknown_fields)]
struct Config {
    /// Whether addresses may be reached that are not public: this machine's, those of private networks
    /// and so on.
    #[serde(default)]
    allow_private: bool,
    /// The hosts that may be reached, such as `api.example.com`, `*.example.com` or `example.com:8443`;
    /// any when empty.
    #[serde(default)]
    allow_hosts: Vec<String>,
    /// The hosts that may not be reached, whatever is allowed. An address here is refused whatever
    /// name leads to it.
    #[serde(default)]
    deny_hosts: Vec<String>,
    /// What servers are told is asking.
    #[serde(default = "Config::user_agent")]
    user_agent: String,
    /// Headers of every request that does not set them itself. They go to every host that may be
    /// reached, and so need `allow_hosts`.
    #[serde(default)]
    default_headers: BTreeMap<String, Secret>,
    /// Certificates of the authorities that servers are to have theirs from, each as PEM; those that
    /// browsers trust when empty.
    #[serde(default)]
    certificates: Vec<String>,
    /// How long a request may take that does not say so itself, in milliseconds.
    #[serde(default = "Config::timeout_ms")]
    #[schemars(range(min = 1))]
    timeout_ms: u64,
    /// The most bytes of a body that are read or sent.
    #[serde(default = "Config::max_bytes")]
    #[schemars(range(min = 1))]
    max_bytes: u64,
}

impl Config {
    fn user_agent() -> String {
        concat!("floe/", env!("CARGO_PKG_VERSION")).to_owned()
    }

    const fn timeout_ms() -> u64 {
        30_000
    }

    const fn max_bytes() -> u64 {
        16 << 20
    }
}

struct Http {
    policy: Policy,
    lookup: Lookup,
    user_agent: HeaderValue,
    default_headers: HeaderMap,
    tls: TlsConfig,
    timeout_ms: u64,
    max_bytes: u64,
}

impl Plugin for Http {
    type Config = Config;

    fn start(config: Config, _host: HostRef) -> Result<Self> {
        let misconfigured = |message: String| Error::new(ErrorKind::Configuration, message);
        if !config.default_headers.is_empty() && config.allow_hosts.is_empty() {
            return Err(misconfigured(
                "`default_headers` would go to any host that a caller names; name in `allow_hosts` those that may have them".to_owned(),
            ));
        }
        let mut default_headers = HeaderMap::new();
        for (name, value) in &config.default_headers {
            // Of the value, nothing is said.
            let checked = outgoing::name(name).and_then(|name| {
                let mut value = outgoing::header_value(value.expose())
                    .ok_or_else(|| Error::execution("its value is no header's"))?;
                value.set_sensitive(true);
                Ok((name, value))
            });
            let (name, value) = checked.map_err(|error| {
                misconfigured(format!("`default_headers.{name}` cannot be sent: {error}"))
            })?;
            default_headers.insert(name, value);
        }
        Ok(Self {
            policy: Policy::new(
                config.allow_private,
                &config.allow_hosts,
                &config.deny_hosts,
            )?,
            lookup: system(),
            user_agent: outgoing::header_value(&config.user_agent).ok_or_else(|| {
                misconfigured(format!(
                    "`user_agent` is `{}`, expected visible ASCII characters",
                    config.user_agent.escape_debug()
                ))
            })?,
            default_headers,
            tls: tls(&config.certificates)?,
            timeout_ms: config.timeout_ms,
            max_bytes: config.max_bytes,
        })
    }
}

/// Whom servers are to have their certificates from.
fn tls(certificates: &[String]) -> Result<TlsConfig> {
    let mut roots = Vec::new();
    for (index, pem) in certificates.iter().enumerate() {
        let certificate = Certificate::from_pem(pem.as_bytes()).map_err(|_| {
            Error::new(
                ErrorKind::Configuration,
                format!(
                    "`certificates[{index}]` is no certificate, expected the text of one from `-----BEGIN CERTIFICATE-----` on"
                ),
            )
        })?;
        roots.push(certificate);
    }
    let roots = if roots.is_empty() {
        RootCerts::WebPki
    } else {
        RootCerts::new_with_certs(&roots)
    };
    Ok(TlsConfig::builder().root_certs(roots).build())
}

export_plugin! {
    plugin: Http,
    name: "http",
    kind: "compute",
    category: "network",
    stateless: true,
    executors: [
        /// Makes an HTTP request and gives what the server answers.
        "http.request" => request::request { tags: ["http", "web"] },
    ],
}
