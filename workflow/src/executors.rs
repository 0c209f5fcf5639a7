//! What a validator has to know of the outside: which executors there are.

use floe_plugin_api::CallOptions;
use floe_registry::{LookupError, Reference, Registry};
use semver::Version;
use serde_json::Value as Json;

use crate::nearest::nearest;

/// What a validator has to know of the outside: which executors there are, and for whom.
pub trait Executors {
    /// What answers to a reference, such as `sqlite.query@^1.2`.
    ///
    /// # Errors
    ///
    /// Nothing does, and why.
    fn resolve(&self, reference: &str) -> Result<ExecutorFacts, Unresolved>;

    /// The known node type that is most like an unknown one.
    fn nearest(&self, node_type: &str) -> Option<String>;

    /// Whether a tenant may call what answers to a reference.
    ///
    /// # Errors
    ///
    /// It may not, and why.
    fn authorize(&self, tenant: &str, reference: &str) -> Result<(), String>;
}

/// What is known of an executor without calling it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExecutorFacts {
    /// The name that callers use.
    pub node_type: String,
    /// The version of the build that answers.
    pub version: Version,
    /// The JSON Schema of what it takes; `None` where that is not known.
    pub input_schema: Option<Json>,
    /// The JSON Schema of its plugin's configuration; `None` where that is not known.
    pub config_schema: Option<Json>,
    /// Whether calling it twice does what calling it once does; `None` where that is not said.
    pub idempotent: Option<bool>,
    /// Why there are no schemas, where its plugin should have told them.
    pub undescribed: Option<String>,
}

impl ExecutorFacts {
    /// An executor of which nothing else is known.
    #[must_use]
    pub fn new(node_type: impl Into<String>, version: Version) -> Self {
        Self {
            node_type: node_type.into(),
            version,
            input_schema: None,
            config_schema: None,
            idempotent: None,
            undescribed: None,
        }
    }

    /// Sets the schema of what it takes.
    #[must_use]
    pub fn input_schema(mut self, schema: Json) -> Self {
        self.input_schema = Some(schema);
        self
    }

    /// Sets the schema of its plugin's configuration.
    #[must_use]
    pub fn config_schema(mut self, schema: Json) -> Self {
        self.config_schema = Some(schema);
        self
    }

    /// Sets whether calling it twice does what calling it once does.
    #[must_use]
    pub fn idempotent(mut self, idempotent: impl Into<Option<bool>>) -> Self {
        self.idempotent = idempotent.into();
        self
    }
}

/// Why nothing answers to a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unresolved {
    /// It is no reference.
    #[error("{0}")]
    Malformed(String),
    /// No plugin offers the node type.
    #[error("no plugin offers the node type `{node_type}`")]
    Unknown {
        /// The node type.
        node_type: String,
    },
    /// A plugin offers the node type, but in no version that will do.
    #[error("`{reference}` is offered in no version of that range, only in {}", crate::nearest::listed(versions.iter().map(String::as_str)))]
    NoVersion {
        /// What was asked for.
        reference: String,
        /// The versions that there are, the newest first.
        versions: Vec<String>,
    },
    /// What answers cannot be looked at.
    #[error("{0}")]
    Unavailable(String),
}

impl<E: Executors + ?Sized> Executors for &E {
    fn resolve(&self, reference: &str) -> Result<ExecutorFacts, Unresolved> {
        (**self).resolve(reference)
    }

    fn nearest(&self, node_type: &str) -> Option<String> {
        (**self).nearest(node_type)
    }

    fn authorize(&self, tenant: &str, reference: &str) -> Result<(), String> {
        (**self).authorize(tenant, reference)
    }
}

/// The executors of a registry's plugins. Their code is mapped where their schemas are not remembered
/// from an earlier time; none is started or called.
impl Executors for Registry {
    fn resolve(&self, reference: &str) -> Result<ExecutorFacts, Unresolved> {
        let handle = self.get(reference).map_err(|error| match error {
            LookupError::NotFound { node_type, .. } => Unresolved::Unknown { node_type },
            LookupError::NoVersion {
                reference,
                versions,
            } => Unresolved::NoVersion {
                reference,
                versions,
            },
            LookupError::Malformed(error) => Unresolved::Malformed(error.to_string()),
            other => Unresolved::Unavailable(other.to_string()),
        })?;
        let mut facts = ExecutorFacts::new(handle.node_type(), handle.version());
        facts.idempotent = handle.metadata().and_then(|metadata| metadata.idempotent);
        match self.describe(reference) {
            Ok(schemas) => {
                let own = schemas.executors.get(handle.node_type());
                facts.input_schema = own.map(|own| own.input.clone());
                facts.config_schema = Some(schemas.config.clone());
            }
            Err(error) => facts.undescribed = Some(error.to_string()),
        }
        Ok(facts)
    }

    fn nearest(&self, node_type: &str) -> Option<String> {
        let known = self.executors();
        nearest(
            node_type,
            known.iter().map(|known| known.node_type.as_str()),
        )
    }

    fn authorize(&self, tenant: &str, reference: &str) -> Result<(), String> {
        let handle = self.get(reference).map_err(|error| error.to_string())?;
        let caller = CallOptions::new().tenant(tenant);
        handle.authorize(&caller).map_err(|error| error.to_string())
    }
}

/// The node type of a reference, as far as it can be told.
pub(crate) fn node_type_of(reference: &str) -> String {
    match reference.parse::<Reference>() {
        Ok(reference) => reference.node_type().to_owned(),
        Err(_) => reference.split('@').next().unwrap_or_default().to_owned(),
    }
}
