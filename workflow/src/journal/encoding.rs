//! A value as bytes: MessagePack, which has bytes and every number, as JSON has not.

use floe_plugin_api::{ErrorKind, Map, Value};
use sha2::{Digest, Sha256};

use crate::run::Failure;

/// The SHA-256 of what was kept.
pub(super) type Sum = [u8; 32];

pub(super) fn encode(value: &Value) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec(value).map_err(|error| error.to_string())
}

pub(super) fn decode(bytes: &[u8]) -> Result<Value, String> {
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
}

/// What a node gave, as bytes, with their digest.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) sum: Sum,
}

impl Encoded {
    pub(super) fn of(value: &Value) -> Result<Self, String> {
        let bytes = encode(value)?;
        Ok(Self {
            sum: sum(&bytes),
            bytes,
        })
    }
}

pub(super) fn sum(bytes: &[u8]) -> Sum {
    Sha256::digest(bytes).into()
}

/// A failure as a value; its kind by name, so that a later one that is not known is read still.
pub(super) fn failure_to_value(failure: &Failure) -> Value {
    let mut map = Map::new();
    map.insert("kind", failure.kind.as_str());
    map.insert("message", failure.message.as_str());
    map.insert("details", failure.details.clone());
    map.into()
}

pub(super) fn failure_of(value: &Value) -> Failure {
    let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = ErrorKind::ALL
        .iter()
        .find(|kind| kind.as_str() == text("kind"));
    Failure::new(
        kind.copied().unwrap_or(ErrorKind::ExecutionError),
        text("message"),
    )
    .details(value.get("details").cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use floe_plugin_api::value;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_failure_comes_back() {
        let failure =
            Failure::new(ErrorKind::ExecutionTimeout, "too late").details(value!({"after": 3}));
        assert_eq!(failure_of(&failure_to_value(&failure)), failure);
        let unknown = value!({"kind": "of-tomorrow", "message": "m", "details": null});
        assert_eq!(
            failure_of(&unknown),
            Failure::new(ErrorKind::ExecutionError, "m")
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
            proptest::collection::vec(any::<u8>(), 0..40)
                .prop_map(|bytes| Value::Bytes(bytes.into())),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6)
                    .prop_map(|items| Value::List(items.into_iter().collect())),
                proptest::collection::vec((".*", inner), 0..6)
                    .prop_map(|entries| Value::Map(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in values()) {
            let back = decode(&encode(&value).unwrap()).unwrap();
            // Also what is no number, which is not equal to itself.
            prop_assert_eq!(format!("{back:?}"), format!("{value:?}"));
        }

        #[test]
        fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
