//! How a plugin says it is.

use serde::{Deserialize, Serialize};

use crate::Value;
use crate::abi::RawHealth;

/// How well a plugin can do its work.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// As it should.
    #[default]
    Healthy,
    /// Less well than it should, but it answers.
    Degraded,
    /// Not at all.
    Unhealthy,
}

/// A plugin's answer to the question how it is.
///
/// ```
/// use floe_plugin_api::{Health, HealthState};
///
/// let health = Health::degraded("the replica lags by 40 s").with_details(40);
/// assert_eq!(health.state, HealthState::Degraded);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// How well.
    pub state: HealthState,
    /// Why, in words; empty where there is nothing to say.
    pub message: String,
    /// More for programs.
    pub details: Value,
}

impl Health {
    /// As it should be.
    #[must_use]
    pub fn healthy() -> Self {
        Self::default()
    }

    /// Less well than it should be, and why.
    #[must_use]
    pub fn degraded(message: impl Into<String>) -> Self {
        Self {
            state: HealthState::Degraded,
            message: message.into(),
            details: Value::Null,
        }
    }

    /// Unable to work, and why.
    #[must_use]
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self {
            state: HealthState::Unhealthy,
            message: message.into(),
            details: Value::Null,
        }
    }

    /// The same with more for programs.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<Value>) -> Self {
        self.details = details.into();
        self
    }
}

impl From<RawHealth> for Health {
    fn from(raw: RawHealth) -> Self {
        Self {
            state: match raw.state {
                0 => HealthState::Healthy,
                1 => HealthState::Degraded,
                _ => HealthState::Unhealthy,
            },
            message: raw.message.into(),
            details: raw.details,
        }
    }
}
