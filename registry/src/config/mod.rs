//! What a registry and its plugins are told from outside: by `floe.toml`, the environment and the
//! program.

mod audit;
mod effective;
mod environment;
mod given;
mod isolation;
mod limits;
mod recovery;
mod search;
mod settings;
mod tenants;
mod trust;
mod workflows;

pub(crate) use self::effective::Effective;
pub(crate) use self::environment::Environment;
pub(crate) use self::given::{Given, Sources};
pub(crate) use self::limits::PARALLEL;
pub use self::limits::{CircuitSettings, Deadlines, InstanceLimits};
pub use self::search::{PATH_VARIABLE, STATE_VARIABLE, STORE_VARIABLE, is_privileged, search_path};
pub(crate) use self::search::{default_state, default_store, variable};
pub use self::settings::{SETTINGS_FILE, Settings, SettingsError};
pub use self::workflows::WorkflowSettings;
