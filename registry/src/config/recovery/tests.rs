use std::path::Path;
use std::time::Duration;

use floe_plugin_api::value;

use super::*;
use crate::config::Settings;

fn parse(text: &str) -> Result<RecoverySettings, String> {
    Settings::parse(Path::new("/etc/floe.toml"), text).map(|settings| settings.recovery)
}

#[test]
fn where_nothing_is_said() {
    assert_eq!(parse("").unwrap(), RecoverySettings::default());
    assert_eq!(parse("[recovery]").unwrap(), RecoverySettings::default());
}

#[test]
fn every_table_is_read() {
    let read = parse(
        r#"
        [recovery]
        default = [{ retry = {} }]
        [recovery.plugins]
        http = [
            { retry = { attempts = 5, initial = "200ms", factor = 3, longest = "2s", jitter = "none", on = ["transient"], not_idempotent = true } },
            { fallback = { node_type = "cache.get@^1", input = { key = { from = "/url" }, mode = "stale" }, on = ["crashed"] } },
            { skip = { output = {} } },
        ]
        "data/sqlite" = ["retry", { value = { output = { rows = [] }, on = ["not-ready"] } }]
        [recovery.executors]
        "http.request" = ["fail"]
        "#,
    )
    .unwrap();
    let http = Recovery::none()
        .then(
            Retry::default()
                .attempts(5)
                .initial(Duration::from_millis(200))
                .factor(3.0)
                .longest(Duration::from_secs(2))
                .jitter(Jitter::None)
                .on([ErrorKind::Transient])
                .not_idempotent(),
        )
        .then(
            Fallback::new("cache.get@^1".parse().unwrap())
                .input(
                    Mapping::new()
                        .from_input("key", "/url")
                        .literal("mode", "stale"),
                )
                .on([ErrorKind::Crashed]),
        )
        .then(Substitute::new(value!({})).into_skip());
    let sqlite = Recovery::none().then(Retry::default()).then(
        Substitute::new(value!({"rows": []}))
            .on([ErrorKind::NotReady])
            .into_value(),
    );
    assert_eq!(read.plugins["http"], http);
    assert!(read.plugins.values().any(|each| *each == sqlite));
    let expected = Recovery::none().then(Retry::default());
    assert_eq!(read.default, expected);
    let expected = Recovery::none().then(Strategy::Fail);
    assert_eq!(read.executors["http.request"], expected);
}

#[test]
fn what_is_refused_is_told_by_its_place() {
    let told: Vec<String> = [
        "default = [\"retri\"]",
        "default = [\"skip\"]",
        "default = [\"fallback\"]",
        "default = [{}]",
        "default = [{ retry = {}, skip = { output = 1 } }]",
        "default = [{ fail = {} }]",
        "default = [{ retry = { attempt = 5 } }]",
        "default = [{ retry = { on = [\"transiant\"] } }]",
        "default = [{ retry = { jitter = \"some\" } }]",
        "default = [{ retry = { initial = \"0s\" } }]",
        "default = [{ fallback = { node_type = \"no..such\" } }]",
        "executors = { \"a b\" = [\"fail\"] }",
        "plugins = { \"A\" = [\"fail\"] }",
        "default = [{ retry = { attempts = 0 } }]",
        "default = [{ retry = { factor = 0.5 } }]",
        "default = [{ retry = { factor = nan } }]",
        "default = [{ retry = { initial = \"10s\" } }]",
        "default = [{ retry = { on = [\"validation-failed\"] } }]",
        "default = [{ retry = { on = [] } }]",
        "default = [{ skip = { output = 1, on = [\"cancelled\"] } }]",
        "default = [\"fail\",\n  \"retry\"]",
        "default = [{ skip = { output = 1 } }, \"fail\"]",
        "default = [{ fallback = { node_type = \"a.x\" } }, \"retry\"]",
        "default = [{ fallback = { node_type = \"a.x\" } }]",
        "plugins.http = [{ fallback = { node_type = \"a.x\", input = { key = { from = \"url\" } } } }]",
        "[recovery.executors]\n\"a.x\" = [\n  \"retry\",\n  { fallback = { node_type = \"b.y\" } },\n]\n\"b.y\" = [{ fallback = { node_type = \"a.x@^1\" } }]",
    ]
    .iter()
    .map(|text| {
        let refused = parse(&format!("[recovery]\n{text}")).unwrap_err();
        assert!(refused.contains("line"), "{refused}");
        format!("{text}\n---\n{refused}\n")
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}
