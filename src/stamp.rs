//! Which build of floe this is, as `build.rs` stamps it.

use floe_registry::api::ApiVersion;
use serde::Serialize;

/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

const COMMIT: &str = env!("FLOE_COMMIT");
const TARGET: &str = env!("FLOE_TARGET");
const COMPILER: &str = env!("FLOE_COMPILER");

/// Which build of floe this is.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Stamp {
    version: &'static str,
    commit: &'static str,
    target: &'static str,
    compiler: &'static str,
    floe_api_version: ApiVersion,
}

/// This build.
pub(crate) const STAMP: Stamp = Stamp {
    version: VERSION,
    commit: COMMIT,
    target: TARGET,
    compiler: COMPILER,
    floe_api_version: ApiVersion::CURRENT,
};

impl Stamp {
    /// What `--version` prints after the name.
    pub(crate) fn long(&self) -> String {
        format!(
            "{}\ncommit    {}\ntarget    {}\ncompiler  {}\nfloe api  {}",
            self.version, self.commit, self.target, self.compiler, self.floe_api_version
        )
    }

    /// The same on one line, for diagnostics.
    pub(crate) fn line(&self) -> String {
        format!(
            "floe {} (commit {}, {}, {}, floe api {})",
            self.version, self.commit, self.target, self.compiler, self.floe_api_version
        )
    }
}
