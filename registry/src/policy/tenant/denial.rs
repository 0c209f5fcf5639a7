//! Why a call is refused.

use std::sync::Arc;
use std::time::Duration;

use floe_plugin_api::ErrorKind;

use super::LONGEST;
use super::rules::Subject;

/// Why a tenant's call is refused, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denial {
    #[error(
        "the call of `{node_type}` names no tenant, expected one of those of `[tenants]`: set it with `CallOptions::tenant`, or on the command line with `--tenant`"
    )]
    Nobody { node_type: Box<str> },
    #[error(
        "tenant `{tenant}` is unknown, so it may not call `{node_type}`: give it rules in `[tenants.{tenant}]`"
    )]
    Unknown {
        tenant: Box<str>,
        node_type: Box<str>,
    },
    #[error(
        "tenant `{tenant}` may not call `{node_type}` of a plugin of kind `{kind}`: the {} matches `{pattern}` of `{}`; add it to `{}`, which is stronger",
        subject.word(), subject.deny(), subject.allow()
    )]
    Listed {
        tenant: Arc<str>,
        node_type: Box<str>,
        kind: Box<str>,
        subject: Subject,
        pattern: Arc<str>,
    },
    #[error(
        "tenant `{tenant}` may not call `{node_type}` of a plugin of kind `{kind}`: the {} is not listed in `{}`; add it there",
        subject.word(), subject.allow()
    )]
    NotListed {
        tenant: Arc<str>,
        node_type: Box<str>,
        kind: Box<str>,
        subject: Subject,
    },
    #[error(
        "tenant `{tenant}` may not call `{node_type}` of a plugin of kind `{kind}`: nothing allows it; add the node type to `allow` or the kind to `allow_kinds`"
    )]
    Unsaid {
        tenant: Arc<str>,
        node_type: Box<str>,
        kind: Box<str>,
    },
    #[error(
        "tenant `{tenant}` has `{limit}` calls under way, expected fewer by `max_in_flight`; call again when one has ended"
    )]
    InFlight { tenant: Arc<str>, limit: usize },
    #[error(
        "tenant `{tenant}` called more often than its `{limit}` `calls_per_second`; call again in `{}ms`",
        milliseconds(*retry_after)
    )]
    Rate {
        tenant: Arc<str>,
        limit: u32,
        retry_after: Duration,
    },
    #[error("the input of tenant `{tenant}` is refused at `{path}`: {}", fault.input())]
    Input {
        tenant: Arc<str>,
        path: String,
        fault: Fault,
    },
    #[error("the output for tenant `{tenant}` is withheld at `{path}`: {}", fault.output())]
    Output {
        tenant: Arc<str>,
        path: String,
        fault: Fault,
    },
    #[error(
        "the output for tenant `{tenant}` has more than `{limit}` bytes, expected at most that by `max_output`; ask for less, or set more"
    )]
    Size { tenant: Arc<str>, limit: u64 },
}

/// What is wrong at a place of an input or output. No other tenant's name is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It names another tenant.
    Other,
    /// A tenant's name belongs there, and it is not a string.
    NoName,
    /// It has a value already where the tenant's name is to be written.
    Taken,
    /// A map on the way to where the tenant's name is to be written is not there.
    NoMap,
    /// The same name is there twice on that way.
    Twice,
    /// It is too deep to be looked through.
    Deep,
}

impl Fault {
    const fn input(self) -> &'static str {
        match self {
            Self::Other => {
                "it names another tenant, expected the caller's own name, or no such field"
            }
            Self::NoName => "it is not a string, expected the caller's own name, or no such field",
            Self::Taken => {
                "the tenant's name is written there by `bind`, expected nothing there, or that name"
            }
            Self::NoMap => {
                "the tenant's name is written there by `bind`, expected a map to be there for it"
            }
            Self::Twice => "the name is there twice, expected it once, as `bind` goes through it",
            Self::Deep => "it is nested more than `512` deep, expected less; flatten it",
        }
    }

    const fn output(self) -> &'static str {
        match self {
            Self::Deep => "it is nested more than `512` deep, expected less; flatten it",
            _ => {
                "it names another tenant, expected data of this one alone; mend the plugin, or take the place out with `remove`"
            }
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Other => "names another tenant",
            Self::NoName => "is no tenant's name",
            Self::Taken => "is taken",
            Self::NoMap => "is not there",
            Self::Twice => "is there twice",
            Self::Deep => "is too deep",
        }
    }
}

/// A call that the policy refuses: which rule, what was found and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Denied(#[from] Denial);

impl Denied {
    /// What sort of error it is: `disabled-for-tenant`, or of a quota `resource-exhausted`, of an input
    /// `validation-failed`, of an output `execution-error`.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind()
    }

    /// After which time a call would not be refused for the same reason, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after()
    }

    /// Which rule decided, in a few words, as they are put on record.
    #[must_use]
    pub fn decision(&self) -> String {
        self.0.decision()
    }
}

impl Denial {
    /// Why somebody without rules may not call.
    #[cold]
    pub(crate) fn of_stranger(tenant: &str, node_type: &str) -> Self {
        let node_type = node_type.into();
        match tenant.is_empty() {
            true => Self::Nobody { node_type },
            false => Self::Unknown {
                tenant: tenant
                    .chars()
                    .take(LONGEST)
                    .flat_map(char::escape_debug)
                    .collect(),
                node_type,
            },
        }
    }

    /// What sort of error it is to the caller.
    pub(crate) const fn kind(&self) -> ErrorKind {
        match self {
            Self::Nobody { .. }
            | Self::Unknown { .. }
            | Self::Listed { .. }
            | Self::NotListed { .. }
            | Self::Unsaid { .. } => ErrorKind::DisabledForTenant,
            Self::InFlight { .. } | Self::Rate { .. } => ErrorKind::ResourceExhausted,
            Self::Input { .. } => ErrorKind::ValidationFailed,
            Self::Output { .. } | Self::Size { .. } => ErrorKind::ExecutionError,
        }
    }

    /// After which time a call would not be refused for the same reason, where that is known.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rate { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// Which rule decided, in a few words for the record.
    pub(crate) fn decision(&self) -> String {
        match self {
            Self::Nobody { .. } => "denied: no tenant".to_owned(),
            Self::Unknown { .. } => "denied: unknown tenant".to_owned(),
            Self::Listed {
                subject, pattern, ..
            } => format!("denied: matches `{pattern}` of `{}`", subject.deny()),
            Self::NotListed { subject, .. } => {
                format!("denied: not listed in `{}`", subject.allow())
            }
            Self::Unsaid { .. } => "denied: nothing allows it".to_owned(),
            Self::InFlight { .. } => "denied: `max_in_flight`".to_owned(),
            Self::Rate { .. } => "denied: `calls_per_second`".to_owned(),
            Self::Input { path, fault, .. } => {
                format!("denied: input at `{path}` {}", fault.word())
            }
            Self::Output { path, fault, .. } => {
                format!("denied: output at `{path}` {}", fault.word())
            }
            Self::Size { .. } => "denied: `max_output`".to_owned(),
        }
    }
}

/// Rounded up, so that who waits so long has waited long enough.
fn milliseconds(time: Duration) -> u128 {
    time.as_nanos().div_ceil(1_000_000)
}
