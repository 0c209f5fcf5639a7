//! A text that is not shown.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Deserialize;
use serde::ser::Error as _;
use serde::{Deserializer, Serialize, Serializer};

/// What is shown in place of a secret.
const MASK: &str = "***";

/// A text that is not shown: a password, a token, a key.
///
/// Written for a person or a log it is `***`, however long the text. In a plugin's schema it is a string
/// that is `writeOnly`, which is how the host knows to mask it wherever it speaks of the
/// configuration, and in what the plugin says when it cannot start.
///
/// ```
/// use floe_plugin_api::{Secret, data, value};
///
/// #[data]
/// struct Login {
///     user: String,
///     password: Secret,
/// }
///
/// let login: Login = value!({"user": "ada", "password": "correct horse"}).to_typed()?;
/// assert_eq!(format!("{login:?}"), r#"Login { user: "ada", password: *** }"#);
/// assert_eq!(login.password.expose(), "correct horse");
/// # Ok::<(), floe_plugin_api::ValueError>(())
/// ```
///
/// Serializing one is an error. What a plugin gives away would otherwise hold it, and so would its schema,
/// in which a field's default is written; and a mask in its place would be taken for the text by
/// whoever reads it back.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(
            "a secret is not serialized; give its `expose()` where the text itself is meant",
        ))
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Value, data, value};

    #[data]
    #[derive(Clone)]
    #[serde(default)]
    struct Login {
        user: String,
        password: Secret,
        token: Option<Secret>,
    }

    impl Default for Login {
        fn default() -> Self {
            Self {
                user: "nobody".to_owned(),
                password: "changeme".into(),
                token: None,
            }
        }
    }

    #[test]
    fn it_is_shown_nowhere() {
        let login = Login {
            token: Some(String::from("t0ken").into()),
            ..Login::default()
        };
        for shown in [
            format!("{login:?}"),
            format!("{login:#?}"),
            login.password.to_string(),
        ] {
            assert!(shown.contains("***"), "{shown}");
            assert!(
                !shown.contains("changeme") && !shown.contains("t0ken"),
                "{shown}"
            );
        }
        assert_eq!(login.password.expose(), "changeme");
    }

    #[test]
    fn it_is_read_from_text_alone() {
        let read: Login = value!({"password": "a", "token": "b"}).to_typed().unwrap();
        assert_eq!(read.password, "a".into());
        assert_eq!(read.token, Some("b".into()));
        let read: Login = value!({"token": null}).to_typed().unwrap();
        assert_eq!(read.token, None);
        let refused = value!(1234).to_typed::<Secret>().unwrap_err();
        assert!(
            refused.to_string().contains("expected a string"),
            "{refused}"
        );
    }

    #[test]
    fn it_is_given_to_nobody() {
        let refused = Value::from_serialize(&Login::default()).unwrap_err();
        assert!(
            refused.to_string().contains("a secret is not serialized"),
            "{refused}"
        );
        assert!(!refused.to_string().contains("changeme"), "{refused}");
    }

    #[test]
    fn a_schema_marks_it_and_keeps_no_default_of_it() {
        let schema = schemars::schema_for!(Login).to_value();
        let password = schema.pointer("/properties/password").unwrap();
        assert_eq!(
            *password,
            serde_json::json!({"type": "string", "writeOnly": true})
        );
        assert_eq!(
            schema.pointer("/properties/user/default"),
            Some(&"nobody".into())
        );
        let token = schema.pointer("/properties/token").unwrap();
        assert_eq!(token.get("writeOnly"), Some(&true.into()));
        assert!(!schema.to_string().contains("changeme"), "{schema}");
    }
}
