//! Whether a host can run a library at all.

use floe_plugin_api::ApiVersion;

use crate::discover::Platform;

/// What a library must be built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compatibility {
    /// The version of the boundary that this host offers.
    pub api: ApiVersion,
    /// The oldest version of the boundary that it accepts.
    pub minimum: ApiVersion,
    /// The machine that it runs on.
    pub platform: Platform,
}

impl Compatibility {
    /// What this host can run: its own boundary in any earlier minor version, its own platform.
    #[must_use]
    pub const fn host() -> Self {
        let api = ApiVersion::CURRENT;
        Self {
            api,
            minimum: ApiVersion::new(api.major(), 0),
            platform: Platform::host(),
        }
    }

    /// The same with another minimum.
    #[must_use]
    pub const fn minimum(mut self, minimum: ApiVersion) -> Self {
        self.minimum = minimum;
        self
    }
}

impl Default for Compatibility {
    fn default() -> Self {
        Self::host()
    }
}
