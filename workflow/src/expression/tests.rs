//! Tests of expressions.

mod bounds;
mod parameters;
mod references;
mod undefined;
mod values;

use std::sync::Arc;

use floe_plugin_api::{Bytes, Value, value};

use super::{ExpressionError, Scope, Steps, Template};

/// A run in which `fetch` and `big` have given something, `load` has failed and `later` waits.
#[derive(Default)]
pub(super) struct Run {
    big: Option<Arc<Value>>,
}

pub(super) fn fetched() -> Value {
    let mut output = value!({
        "rows": [{"name": "Lund", "n": 1}, {"name": "Umeå", "n": 2}, {"name": "Ystad", "n": 3}],
        "count": 3,
        "large": 9_007_199_254_740_993_i64,
        "least": i64::MIN,
        "most": u64::MAX,
        "half": 0.5,
        "whole": 2.0,
        "text": "a \"b\" {{ c }}",
        "yes": true,
        "nothing": null,
        "empty": [],
        "z first": 1,
    });
    if let Value::Map(map) = &mut output {
        map.insert("bytes", Value::Bytes(Bytes::from(&[0_u8, 255][..])));
        map.insert("utf8", Value::Bytes(Bytes::from("å".as_bytes())));
    }
    output
}

impl Steps for Run {
    fn ids(&self) -> Vec<String> {
        ["fetch", "load", "later", "big"]
            .map(str::to_owned)
            .to_vec()
    }

    fn output(&self, id: &str) -> Option<Arc<Value>> {
        match id {
            "fetch" => Some(Arc::new(fetched())),
            "big" => self.big.clone(),
            _ => None,
        }
    }

    fn status(&self, id: &str) -> Option<&str> {
        match id {
            "fetch" | "big" => Some("succeeded"),
            "load" => Some("failed"),
            "later" => Some("waiting"),
            _ => None,
        }
    }

    fn error(&self, id: &str) -> Option<Arc<Value>> {
        (id == "load").then(|| Arc::new(value!({"message": "no disk"})))
    }

    fn attempts(&self, id: &str) -> u32 {
        match id {
            "fetch" => 2,
            "load" => 3,
            _ => 0,
        }
    }

    fn recovered_by(&self, id: &str) -> Option<&str> {
        (id == "fetch").then_some("retry")
    }
}

pub(super) fn scope(run: &Run) -> Scope<'_> {
    Scope::new()
        .steps(run)
        .input(Arc::new(value!({"city": "Lund", "step": "fetch"})))
        .variables(Arc::new(value!({"limit": 10})))
        .workflow(Arc::new(
            value!({"id": "w", "name": "Rain", "version": "1"}),
        ))
        .context(Arc::new(
            value!({"tenant": "t", "execution_id": "e", "attempt": 1}),
        ))
        .env_from(["HOME", "UNSET"], |name| {
            (name == "HOME").then(|| "/home/a".to_owned())
        })
        .item("item", Arc::new(value!({"name": "x"})))
        .item("index", Arc::new(value!(4)))
}

pub(super) fn evaluate(text: &str) -> Result<Value, ExpressionError> {
    Template::parse(text)?.evaluate(&scope(&Run::default()))
}

#[track_caller]
pub(super) fn check(text: &str, expected: impl Into<Value>) {
    let expected = expected.into();
    match evaluate(text) {
        Ok(found) => {
            assert_eq!(found, expected, "{text}");
            assert_eq!(found.type_name(), expected.type_name(), "{text}");
        }
        Err(error) => panic!("{text}: {error}"),
    }
}

#[track_caller]
pub(super) fn refused(text: &str, reason: &str) {
    match evaluate(text) {
        Ok(found) => panic!("{text}: {found:?}"),
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(reason), "{text}: {message}");
            assert!(error.offset <= text.len(), "{text}: {error:?}");
        }
    }
}
