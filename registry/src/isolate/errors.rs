//! An error as a value, to be sent.

use floe_plugin_api::abi::abi_stable::std_types::RBox;
use floe_plugin_api::abi::{ErrorBody, RawError};
use floe_plugin_api::{Error, ErrorKind, List, Map, Text, Value};

/// An error as a value.
pub(super) fn write(error: Error) -> Value {
    let RawError { body } = error.into();
    let ErrorBody {
        kind,
        message,
        causes,
        details,
    } = RBox::into_inner(body);
    let mut map = Map::with_capacity(4);
    map.push("kind", u64::from(kind));
    map.push("message", message);
    map.push(
        "causes",
        causes.into_iter().map(Value::from).collect::<List>(),
    );
    map.push("details", details);
    map.into()
}

/// The error that a value is.
pub(super) fn read(value: &Value) -> Error {
    let number = value.get("kind").and_then(Value::as_u64).unwrap_or(0);
    let message = value.get("message").and_then(Value::as_str);
    let causes = value.get("causes").and_then(Value::as_list);
    let causes = causes.into_iter().flatten();
    Error::from(RawError {
        body: RBox::new(ErrorBody {
            kind: u32::try_from(number).unwrap_or(0),
            message: Text::from(message.unwrap_or("an error without words")),
            causes: causes.filter_map(Value::as_str).map(Text::from).collect(),
            details: value.get("details").cloned().unwrap_or_default(),
        }),
    })
}

/// The error of somebody who did not get to say what is wrong.
pub(super) fn lost(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::NotReady, message)
}
