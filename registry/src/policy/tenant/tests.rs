use floe_plugin_api::{ErrorKind, Map, value};
use proptest::prelude::*;

use super::*;

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn paths(texts: &[&str]) -> Vec<DataPath> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn rules(lists: [&[&str]; 4]) -> TenantRules {
    let [allow, deny, allow_kinds, deny_kinds] = lists;
    TenantRules::default()
        .allow(patterns(allow))
        .deny(patterns(deny))
        .allow_kinds(patterns(allow_kinds))
        .deny_kinds(patterns(deny_kinds))
}

/// The tenants `acme`, with these rules, and `globex`.
fn acme(rules: TenantRules) -> Tenants {
    let settings = TenantSettings::default()
        .tenant("acme", rules)
        .tenant("globex", TenantRules::default());
    Tenants::new(&settings, None).unwrap()
}

/// What is put on record of a call of `text.upper`, whose plugin is of the kind `compute`.
#[track_caller]
fn decides(lists: [&[&str]; 4], words: &str) {
    let tenants = acme(rules(lists));
    let said = match tenants.authorize("acme", "text.upper", &Kind::COMPUTE) {
        Ok(words) => words.to_string(),
        Err(denial) => {
            assert_eq!(denial.kind(), ErrorKind::DisabledForTenant);
            denial.decision()
        }
    };
    assert_eq!(said, words, "{lists:?}");
}

#[test]
fn the_table_of_decisions() {
    // Node types alone.
    decides([&["text.upper"], &[], &[], &[]], "allowed: `text.upper`");
    decides([&["text.*"], &[], &[], &[]], "allowed: `text.*`");
    decides([&["*.upper"], &[], &[], &[]], "allowed: `*.upper`");
    decides([&["text.*"], &["text.*"], &[], &[]], "allowed: `text.*`");
    decides([&["*"], &["text.upper"], &[], &[]], "allowed: `*`");
    decides(
        [&[], &["text.*"], &[], &[]],
        "denied: matches `text.*` of `deny`",
    );
    decides(
        [&["jq.*"], &["text.*"], &[], &[]],
        "denied: matches `text.*` of `deny`",
    );
    decides([&["jq.*"], &[], &[], &[]], "denied: not listed in `allow`");
    decides(
        [&["Text.upper"], &[], &[], &[]],
        "denied: not listed in `allow`",
    );
    // Kinds alone.
    decides([&[], &[], &["compute"], &[]], "allowed: kind `compute`");
    decides(
        [&[], &[], &["floe.computes"], &[]],
        "allowed: kind `compute`",
    );
    decides([&[], &[], &["comp*"], &["*"]], "allowed: kind `comp*`");
    decides(
        [&[], &[], &[], &["comp*"]],
        "denied: matches `comp*` of `deny_kinds`",
    );
    decides(
        [&[], &[], &["storage"], &[]],
        "denied: not listed in `allow_kinds`",
    );
    // Both.
    decides([&["text.*"], &[], &["compute"], &[]], "allowed: `text.*`");
    decides([&["text.*"], &[], &[], &["storage"]], "allowed: `text.*`");
    decides(
        [&[], &["jq.*"], &["compute"], &[]],
        "allowed: kind `compute`",
    );
    decides(
        [&["text.*"], &[], &[], &["compute"]],
        "denied: matches `compute` of `deny_kinds`",
    );
    decides(
        [&["text.*"], &[], &["storage"], &[]],
        "denied: not listed in `allow_kinds`",
    );
    decides(
        [&[], &["text.*"], &["compute"], &[]],
        "denied: matches `text.*` of `deny`",
    );
    decides(
        [&["jq.*"], &[], &["compute"], &[]],
        "denied: not listed in `allow`",
    );
    // Neither.
    decides([&[], &[], &[], &[]], "denied: nothing allows it");
    decides(
        [&[], &["jq.*"], &[], &["storage"]],
        "denied: nothing allows it",
    );
}

#[test]
fn a_denial_says_what_to_do() {
    let say = |tenant: &str, lists| {
        let tenants = acme(rules(lists));
        tenants
            .authorize(tenant, "text.upper", &Kind::COMPUTE)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        say("", [&["*"], &[], &[], &[]]),
        "the call of `text.upper` names no tenant, expected one of those of `[tenants]`: set it with `CallOptions::tenant`, or on the command line with `--tenant`"
    );
    assert_eq!(
        say("initech", [&["*"], &[], &[], &[]]),
        "tenant `initech` is unknown, so it may not call `text.upper`: give it rules in `[tenants.initech]`"
    );
    assert_eq!(
        say("acme", [&[], &["text.*"], &[], &[]]),
        "tenant `acme` may not call `text.upper` of a plugin of kind `compute`: the node type matches `text.*` of `deny`; add it to `allow`, which is stronger"
    );
    assert_eq!(
        say("acme", [&[], &[], &["storage"], &[]]),
        "tenant `acme` may not call `text.upper` of a plugin of kind `compute`: the kind is not listed in `allow_kinds`; add it there"
    );
    assert_eq!(
        say("acme", [&[], &[], &[], &[]]),
        "tenant `acme` may not call `text.upper` of a plugin of kind `compute`: nothing allows it; add the node type to `allow` or the kind to `allow_kinds`"
    );
}

#[test]
fn a_reload_counts_on() {
    let rules = TenantRules::default().max_in_flight(1);
    let first = acme(rules.clone());
    let inside = first.of("acme").unwrap().enter().unwrap();
    let settings = TenantSettings::default().tenant("acme", rules);
    let second = Tenants::new(&settings, Some(&first)).unwrap();
    drop(first);
    let tenant = second.of("acme").unwrap();
    assert_eq!(
        tenant.enter().unwrap_err().decision(),
        "denied: `max_in_flight`"
    );
    drop(inside);
    assert!(tenant.enter().is_ok());
}

#[track_caller]
fn input(data: DataRules, input: &Value, expected: Result<&Value, &str>) {
    let tenants = acme(TenantRules::default().data(data));
    match tenants.of("acme").unwrap().check_input(input) {
        Ok(given) => assert_eq!(Ok(&*given), expected),
        Err(denial) => {
            assert_eq!(denial.kind(), ErrorKind::ValidationFailed);
            assert_eq!(Err(denial.decision().as_str()), expected, "{denial}");
        }
    }
}

#[test]
fn what_an_input_may_hold() {
    let plain = DataRules::default;
    let own = value!({"tenant_id": "acme", "rows": [{"tenantId": "acme"}, "globex"]});
    input(plain(), &own, Ok(&own));
    for (value, words) in [
        (
            value!({"tenant_id": "globex"}),
            "`/tenant_id` names another tenant",
        ),
        (
            value!({"tenant_id": "initech"}),
            "`/tenant_id` names another tenant",
        ),
        (
            value!({"a": [{"tenantId": "x"}]}),
            "`/a/0/tenantId` names another tenant",
        ),
        (
            value!({"tenant_id": null}),
            "`/tenant_id` is no tenant's name",
        ),
        (
            value!({"tenant_id": ["acme"]}),
            "`/tenant_id` is no tenant's name",
        ),
    ] {
        input(plain(), &value, Err(&format!("denied: input at {words}")));
    }
    let value = value!({"owner": "globex"});
    input(
        plain().tenant_fields(["owner"]),
        &value,
        Err("denied: input at `/owner` names another tenant"),
    );
    let value = value!({"tenant_id": "globex"});
    input(plain().tenant_fields([""; 0]), &value, Ok(&value));
}

#[test]
fn where_a_name_is_bound() {
    let bind = |texts: &[&str]| DataRules::default().bind(paths(texts));
    let bound = value!({"a": 1, "tenant_id": "acme"});
    input(bind(&["/tenant_id"]), &value!({"a": 1}), Ok(&bound));
    input(bind(&["/tenant_id"]), &bound, Ok(&bound));
    let deep = value!({"rows": [{"who": {"id": "acme"}}]});
    input(
        bind(&["/rows/0/who/id"]),
        &value!({"rows": [{"who": {"id": null}}]}),
        Ok(&deep),
    );
    for (path, value, words) in [
        ("/who/id", value!({}), "`/who` is not there"),
        ("/who/id", value!({"who": 1}), "`/who` is not there"),
        ("/id", value!([]), "`/id` is not there"),
        ("/id", value!({"id": "globex"}), "`/id` is taken"),
        ("/id", value!({"id": {}}), "`/id` is taken"),
        (
            "/tenant_id",
            value!({"tenant_id": "globex"}),
            "`/tenant_id` names another tenant",
        ),
    ] {
        input(
            bind(&[path]),
            &value,
            Err(&format!("denied: input at {words}")),
        );
    }
    let mut twice = Map::new();
    twice.push("id", Value::Null);
    twice.push("id", "globex");
    input(
        bind(&["/id"]),
        &twice.into(),
        Err("denied: input at `/id` is there twice"),
    );
}

#[track_caller]
fn output(data: DataRules, output: Value, expected: Result<Value, &str>) {
    let tenants = acme(TenantRules::default().data(data).max_output(1000));
    match tenants.of("acme").unwrap().check_output(&tenants, output) {
        Ok(given) => assert_eq!(Ok(given), expected),
        Err(denial) => {
            assert_eq!(denial.kind(), ErrorKind::ExecutionError);
            assert!(!denial.to_string().contains("globex"), "{denial}");
            assert_eq!(
                Err(denial.decision().as_str()),
                expected.as_ref().map_err(|words| *words),
                "{denial}"
            );
        }
    }
}

#[test]
fn what_an_output_may_hold() {
    let own = value!({"tenant_id": "acme", "acme": ["globex!", {"tenantId": null}]});
    output(DataRules::default(), own.clone(), Ok(own));
    let fields = || DataRules::default().foreign(Foreign::Fields);
    let elsewhere = value!({"a": "globex"});
    output(fields(), elsewhere.clone(), Ok(elsewhere.clone()));
    for (data, value, words) in [
        (DataRules::default(), elsewhere, "`/a`"),
        (
            DataRules::default(),
            value!({"a": [1, {"globex": 1}]}),
            "`/a/1/***`",
        ),
        (DataRules::default(), value!("globex"), "`/`"),
        (
            DataRules::default(),
            Value::Bytes(b"globex"[..].into()),
            "`/`",
        ),
        (
            DataRules::default(),
            value!({"tenant_id": "initech"}),
            "`/tenant_id`",
        ),
        (
            fields(),
            value!({"globex": {"tenant_id": "globex"}}),
            "`/***/tenant_id`",
        ),
        (
            fields(),
            value!({"tenant_id": ["acme", "initech"]}),
            "`/tenant_id/1`",
        ),
        (fields(), value!({"tenant_id": 7}), "`/tenant_id`"),
    ] {
        output(
            data,
            value,
            Err(&format!("denied: output at {words} names another tenant")),
        );
    }
    output(
        DataRules::default(),
        value!("x".repeat(997)),
        Err("denied: `max_output`"),
    );
    output(
        DataRules::default(),
        value!("x".repeat(996)),
        Ok(value!("x".repeat(996))),
    );
}

#[test]
fn an_output_is_filtered_first() {
    let data = DataRules::default()
        .remove(paths(&["/rows/*/ssn", "/other", "/both"]))
        .mask(paths(&["/**/password", "/both"]));
    output(
        data,
        value!({"other": "globex", "both": 1, "rows": [{"ssn": 1, "n": 2}, {"password": {"a": 1}}], "password": 1}),
        Ok(value!({"rows": [{"n": 2}, {"password": "***"}], "password": "***"})),
    );
}

#[test]
fn what_is_deep_is_refused() {
    fn nested(depth: usize) -> Value {
        (0..depth).fold(Value::Null, |value, _| Value::List(vec![value].into()))
    }
    let deep = nested(100_000);
    input(
        DataRules::default(),
        &deep,
        Err("denied: input at `/` is too deep"),
    );
    data::dismantle(deep);
    let tenants = acme(TenantRules::default());
    let tenant = tenants.of("acme").unwrap();
    let denial = tenant.check_output(&tenants, nested(100_000)).unwrap_err();
    assert_eq!(denial.decision(), "denied: output at `/` is too deep");
    assert!(tenant.check_output(&tenants, nested(512)).is_ok());
    assert!(tenant.check_output(&tenants, nested(513)).is_err());
}

#[track_caller]
fn cannot_hold(name: &str, rules: TenantRules, reason: &str) {
    let settings = TenantSettings::default().tenant(name, rules);
    assert_eq!(
        Tenants::new(&settings, None).unwrap_err().to_string(),
        reason
    );
}

#[test]
fn what_contradicts_itself_is_refused() {
    let rules = TenantRules::default;
    cannot_hold(
        "acme",
        rules().burst(3),
        "`burst` of tenant `acme` is `3` without `calls_per_second`, expected both or neither: set that too",
    );
    cannot_hold(
        "acme",
        rules().max_output(0),
        "`max_output` of tenant `acme` is `0`, expected at least 1 byte: deny the node types that may answer nothing",
    );
    cannot_hold(
        "acme",
        rules()
            .worker_memory(1 << 30)
            .isolation(Isolation::InProcess),
        "`worker_memory` of tenant `acme` is set and `isolation` is `in-process`, expected `worker`: a limit of memory holds for workers alone",
    );
    cannot_hold(
        "acme",
        rules().data(DataRules::default().bind(paths(&["/*/id"]))),
        "`data.bind` of tenant `acme` has `/*/id`, expected names alone: `*` and `**` may be many places",
    );
    for name in ["", " a", "a\n", &"a".repeat(129)] {
        assert!(
            matches!(check_name(name), Err(TenantError::Name { .. })),
            "{name:?}"
        );
    }
}

#[test]
fn what_is_odd_is_told() {
    let settings = TenantSettings::default().tenant(
        "acme",
        rules([
            &["text.uper", "jq.*", "sqlte.*"],
            &["jq.*", "nothing"],
            &["floe.computes"],
            &[],
        ]),
    );
    let known = ["text.upper", "jq.run", "sqlite.read"];
    let told: Vec<_> = warnings(&settings, known.into_iter(), ["compute"].into_iter())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "`jq.*` in `deny` of tenant `acme` is in `allow` too, which is stronger: take it out of one of them",
            "`text.uper` in `allow` of tenant `acme` matches no known node type; did you mean `text.upper`?",
            "`sqlte.*` in `allow` of tenant `acme` matches no known node type; did you mean `sqlite.read`?",
            "`nothing` in `deny` of tenant `acme` matches no known node type: mend or remove it",
        ]
    );
}

proptest! {
    #[test]
    fn compiled_rules_say_what_the_lists_say(
        lists in prop::array::uniform4(prop::collection::vec("[ab*.]{1,4}", 0..5)),
        node_type in "[ab.]{1,5}",
        kind in "[ab]{1,3}",
    ) {
        let Ok(kind) = kind.parse::<Kind>() else { return Ok(()) };
        let [allow, deny, allow_kinds, deny_kinds] = lists.each_ref().map(|texts| {
            patterns(&texts.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let say = |allow: &[Pattern], deny: &[Pattern], name: &str| {
            let has = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
            match (has(allow), has(deny)) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ if !allow.is_empty() => Some(false),
                _ => None,
            }
        };
        let said = [say(&allow, &deny, &node_type), say(&allow_kinds, &deny_kinds, kind.as_str())];
        let expected = !said.contains(&Some(false)) && said.contains(&Some(true));
        let rules = TenantRules::default()
            .allow(allow).deny(deny).allow_kinds(allow_kinds).deny_kinds(deny_kinds);
        let tenants = acme(rules);
        prop_assert_eq!(tenants.authorize("acme", &node_type, &kind).is_ok(), expected);
    }
}
