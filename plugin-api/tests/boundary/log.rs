//! What a plugin logs arrives at the host, and nothing is formatted that the host does not want.

use floe_plugin_api::{Value, value};

use crate::host::{Event, HOST, execute};

fn messages(events: &[Event]) -> Vec<&str> {
    let messages = events.iter().map(|event| event.fields.get("message"));
    messages
        .map(|text| text.and_then(Value::as_str).unwrap())
        .collect()
}

#[test]
fn events_arrive_with_their_level_target_and_fields() {
    execute(3, &Value::Null).unwrap();
    let events = HOST.events("levels");
    assert_eq!(messages(&events), ["one", "two", "three", "four"]);
    let levels: Vec<_> = events.iter().map(|event| event.callsite.level).collect();
    assert_eq!(levels, [1, 2, 3, 4]);
    assert!(HOST.events("levels.off").is_empty());

    let events = HOST.events("fields");
    let [event] = &events[..] else {
        panic!("{events:?}");
    };
    let expected = value!({
        "message": "message 7", "signed": (-1), "unsigned": u64::MAX, "float": 0.5, "flag": true,
        "text": "a \"text\"", "wide": "340282366920938463463374607431768211455",
        "debug": "Two(2)", "display": "0.5",
    });
    assert_eq!(event.fields, expected);
    let mut formatted = event.formatted.clone();
    formatted.sort();
    assert_eq!(formatted, ["debug", "display", "message", "wide"]);

    let callsite = &event.callsite;
    assert!(callsite.name.starts_with("event "), "{}", callsite.name);
    assert!(callsite.file.as_ref().unwrap().ends_with("strict.rs"));
    assert!(callsite.line.is_some());
    assert_eq!(callsite.module_path.as_deref(), Some("boundary::strict"));
    assert!(callsite.fields.contains(&"absent".to_owned()));
}

#[test]
fn spans_do_not_cross_and_cost_nothing() {
    assert_eq!(execute(4, &Value::Null).unwrap(), value!(true));
    assert_eq!(messages(&HOST.events("spans")), ["inside"]);
}

#[test]
fn a_plugin_may_ask_first() {
    assert_eq!(
        execute(9, &Value::Null).unwrap(),
        value!([true, true, false])
    );
}

#[test]
fn a_host_that_gives_its_log_to_a_plugin_is_told_once() {
    execute(10, &Value::Null).unwrap();
    assert_eq!(messages(&HOST.events("told")), ["told"]);
}

#[test]
fn a_thread_of_the_plugin_logs_and_its_panic_is_logged() {
    assert_eq!(execute(5, &Value::Null).unwrap(), value!(true));
    let events = HOST.events("threads");
    assert_eq!(messages(&events), ["later"]);
    assert_eq!(events[0].fields.get("host"), Some(&value!("HostRef")));
    let panics = HOST.events("panic");
    let of_the_thread = panics
        .iter()
        .find(|event| event.fields.get("message") == Some(&value!("on a thread")));
    assert!(of_the_thread.is_some(), "{panics:?}");
}
