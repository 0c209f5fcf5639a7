//! Each call leaves one record, whatever becomes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use floe_loader_tests::scene::Scene;
use floe_plugin_api::{CallOptions, Error, ErrorKind, ExecutorMetadata, Value, value};
use floe_registry::{
    AuditError, AuditFilter, AuditRules, AuditSettings, AuditStatus, DataRules, Fallback, Policy,
    Recovery, RecoverySettings, Registry, Retry, Substitute, TenantRules, TenantSettings,
    verify_audit,
};
use proptest::prelude::*;

use super::{by, governed, may, record, records, spied, two};

/// Registers an executor that gives its input, or fails where that says so.
fn echo(registry: &Registry, node_type: &str) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let metadata = ExecutorMetadata::new(node_type).unwrap();
    let function = move |input: &Value, _: &floe_plugin_api::CallContext<'_>| {
        counted.fetch_add(1, Ordering::SeqCst);
        match input.get("fails") {
            Some(_) => Err(Error::new(ErrorKind::Transient, "as it was told")),
            None => Ok(input.clone()),
        }
    };
    registry.register(metadata, function).unwrap();
    count
}

#[test]
fn a_record_says_who_called_what_and_what_became_of_it() {
    let scene = spied();
    let registry = governed(&scene, &two(&may(&["spy.*"]))).build().unwrap();
    let options = by("acme").execution_id("run-7");
    registry
        .call_with("spy.whose", &Value::Null, &options)
        .unwrap();
    let [record] = &records(&scene)[..] else {
        panic!("{:?}", records(&scene));
    };
    assert_eq!(record.seq, 1);
    assert_eq!(record.tenant.as_deref(), Some("acme"));
    assert_eq!(record.user.as_deref(), Some("ann"));
    assert_eq!(record.execution_id.as_deref(), Some("run-7"));
    assert_eq!(record.action, "call");
    assert_eq!(record.node_type.as_deref(), Some("spy.whose"));
    assert_eq!(record.plugin.as_deref(), Some("compute/spy"));
    assert_eq!(record.version.as_deref(), Some("1.0.0"));
    assert!(record.digest.is_some());
    assert_eq!(record.status, Some(AuditStatus::Success));
    assert_eq!(record.decision.as_deref(), Some("allowed: `spy.*`"));
    assert_eq!(record.attempts, Some(1));
    assert_eq!((&record.input, &record.output), (&None, &None));
}

#[test]
fn without_tenants_there_is_one() {
    let scene = Scene::new();
    let registry = governed(&scene, &Policy::default()).build().unwrap();
    echo(&registry, "own.echo");
    registry.call("own.echo", &Value::Null).unwrap();
    registry.call("own.nothing", &Value::Null).unwrap_err();
    let told: Vec<_> = records(&scene)
        .iter()
        .map(|record| {
            (
                record.tenant.clone(),
                record.node_type.clone(),
                record.status,
            )
        })
        .collect();
    let said = |node_type: &str, status| {
        let tenant = Some("default".to_owned());
        (tenant, Some(node_type.to_owned()), Some(status))
    };
    assert_eq!(
        told,
        [
            said("own.echo", AuditStatus::Success),
            said("own.nothing", AuditStatus::Failed)
        ]
    );
}

#[test]
fn where_there_are_tenants_there_is_a_record() {
    let scene = Scene::new();
    let state = scene.root().join("state");
    let policy = two(&may(&["own.*"]));
    let registry = scene
        .builder()
        .state(&state)
        .policy(policy)
        .build()
        .unwrap();
    echo(&registry, "own.echo");
    registry
        .call_with("own.echo", &Value::Null, &by("acme"))
        .unwrap();
    drop(registry);
    let report = verify_audit(&state.join("audit.jsonl"), None).unwrap();
    assert_eq!((report.records, report.verdict), (1, None));
}

#[test]
fn a_call_that_is_made_thrice_leaves_one_record() {
    let scene = Scene::new();
    let again = Retry::default()
        .attempts(3)
        .initial(std::time::Duration::ZERO);
    let recovery = Recovery::none()
        .then(again)
        .then(Substitute::new("instead").into_skip());
    let policy = two(&may(&["own.*"])).recovery(RecoverySettings::new(recovery));
    let registry = governed(&scene, &policy).build().unwrap();
    let count = echo(&registry, "own.echo");
    let output = registry.call_with("own.echo", &value!({"fails": 1}), &by("acme"));
    assert_eq!(output.unwrap(), value!("instead"));
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let [record] = &records(&scene)[..] else {
        panic!("{:?}", records(&scene));
    };
    assert_eq!(record.status, Some(AuditStatus::Skipped));
    assert_eq!(record.attempts, Some(3));
    assert_eq!(record.answered_by.as_deref(), Some("skip"));
}

#[test]
fn a_record_is_of_what_was_asked_for_and_names_what_answered_for_it() {
    let scene = spied();
    let recovery = Recovery::none()
        .then(Fallback::new("other.do".parse().unwrap()))
        .then(Fallback::new("spy.whose".parse().unwrap()));
    let settings = RecoverySettings::default().executor("own.echo", recovery);
    let policy = two(&may(&["own.*", "spy.*"])).recovery(settings);
    let registry = governed(&scene, &policy).build().unwrap();
    echo(&registry, "own.echo");
    echo(&registry, "other.do");
    let output = registry.call_with("own.echo", &value!({"fails": 1}), &by("acme"));
    assert_eq!(output.unwrap(), value!("acme"));
    let [record] = &records(&scene)[..] else {
        panic!("{:?}", records(&scene));
    };
    assert_eq!(record.status, Some(AuditStatus::Recovered), "{record:?}");
    assert_eq!(record.decision.as_deref(), Some("allowed: `own.*`"));
    assert_eq!(record.node_type.as_deref(), Some("own.echo"));
    assert_eq!(record.plugin.as_deref(), Some("in-process/own-echo"));
    assert_eq!(record.answered_by.as_deref(), Some("fallback `spy.whose`"));
    let [spy] = &record.fallbacks[..] else {
        panic!("{record:?}");
    };
    assert!(spy.starts_with("spy.whose compute/spy 1.0.0 "), "{spy}");
}

#[test]
fn nobody_learns_what_there_is() {
    let scene = spied();
    let tenants = TenantSettings::default()
        .tenant("default", may(&["other.*"]))
        .tenant("acme", may(&["other.*"]));
    let policy = Policy::default().tenants(tenants);
    let registry = governed(&scene, &policy).build().unwrap();
    for (tenant, kind) in [
        ("", ErrorKind::DisabledForTenant),
        ("nobody", ErrorKind::DisabledForTenant),
        ("acme", ErrorKind::NodeTypeNotFound),
    ] {
        let error = registry
            .call_with("spy.whos", &Value::Null, &by(tenant))
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.to_string().contains("spy.whose"), "{error}");
    }
    let whose: Vec<_> = records(&scene)
        .into_iter()
        .map(|record| record.tenant)
        .collect();
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(whose, [None, named("nobody"), named("acme")]);
}

#[test]
fn an_error_is_looked_at_as_an_output_is() {
    let scene = Scene::new();
    let data = DataRules::default().remove(["/ssn".parse().unwrap()]);
    let policy = two(&may(&["own.*"]).data(data));
    let registry = governed(&scene, &policy).build().unwrap();
    let metadata = ExecutorMetadata::new("own.tell").unwrap();
    let tell = |input: &Value, _: &floe_plugin_api::CallContext<'_>| -> Result<Value, Error> {
        let said = input.as_str().unwrap_or_default();
        Err(Error::execution(said)
            .context(format!("of {said}"))
            .with_detail("ssn", 123)
            .with_detail("whose", said))
    };
    registry.register(metadata, tell).unwrap();
    let said = |text: &str| {
        let answer = registry.answer("own.tell", &Value::from(text), &by("acme"), None);
        let told = format!("{answer:?}");
        assert!(!told.contains("123"), "{told}");
        told
    };
    assert!(said("nobody").contains("of nobody"));
    assert!(!said("globex").contains("globex"));
}

#[test]
fn what_is_recorded_of_inputs_is_masked() {
    let scene = Scene::new();
    let audit = AuditRules::default()
        .inputs()
        .outputs()
        .mask(["/**/password".parse().unwrap()]);
    let rules = may(&["own.*"]).audit(audit);
    let registry = governed(&scene, &two(&rules)).build().unwrap();
    echo(&registry, "own.echo");
    let input = value!({"user": {"password": "hunter2", "name": "ann"}});
    registry.call_with("own.echo", &input, &by("acme")).unwrap();
    let text = std::fs::read_to_string(record(&scene)).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let masked = Some(value!({"user": {"password": "***", "name": "ann"}}));
    let [record] = &records(&scene)[..] else {
        panic!("{text}");
    };
    assert_eq!((&record.input, &record.output), (&masked, &masked));
}

#[test]
fn data_goes_in_and_out_by_the_rules() {
    let scene = Scene::new();
    let data = DataRules::default()
        .bind(["/tenant_id".parse().unwrap()])
        .remove(["/ssn".parse().unwrap()]);
    let rules = may(&["own.*"]).data(data).max_output(100);
    let registry = governed(&scene, &two(&rules)).build().unwrap();
    let count = echo(&registry, "own.echo");
    let call = |input: Value| registry.call_with("own.echo", &input, &by("acme"));
    let output = call(value!({"ssn": 1, "a": 2})).unwrap();
    assert_eq!(output, value!({"a": 2, "tenant_id": "acme"}));
    let refused = call(value!({"rows": [{"tenant_id": "globex"}]})).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ValidationFailed);
    assert_eq!(count.load(Ordering::SeqCst), 1, "it did not get there");
    let large = "x".repeat(200);
    let withheld = call(value!({"a": large})).unwrap_err();
    assert_eq!(withheld.kind(), ErrorKind::ExecutionError);
    let statuses: Vec<_> = records(&scene)
        .iter()
        .filter_map(|record| record.status)
        .collect();
    let denied = AuditStatus::Denied;
    assert_eq!(statuses, [AuditStatus::Success, denied, denied]);
}

#[test]
fn who_may_read_it() {
    let scene = Scene::new();
    let rules = may(&["own.*"]).audit(AuditRules::default().readers(["lead"]));
    let registry = governed(&scene, &two(&rules)).build().unwrap();
    echo(&registry, "own.echo");
    for tenant in ["acme", "globex"] {
        registry
            .call_with("own.echo", &Value::Null, &by(tenant))
            .unwrap();
    }
    let read = |caller: CallOptions, filter: AuditFilter| -> Result<Vec<String>, AuditError> {
        let records = registry.audit(&caller, &filter)?;
        Ok(records
            .map(|record| record.unwrap().tenant.unwrap())
            .collect())
    };
    let all = AuditFilter::default;
    let lead = || CallOptions::new().tenant("acme").role("lead");
    assert_eq!(read(lead(), all()).unwrap(), ["acme"]);
    assert_eq!(read(lead(), all().tenant("globex")).unwrap(), ["acme"]);
    assert_eq!(read(by(""), all()).unwrap(), ["globex", "acme"]);
    for nobody in [
        CallOptions::new().tenant("acme"),
        CallOptions::new().tenant("nobody").role("lead"),
        CallOptions::new().role("lead"),
    ] {
        let error = read(nobody, all()).unwrap_err();
        assert!(matches!(error, AuditError::Unreadable { .. }), "{error}");
    }
}

#[test]
fn no_thread_loses_or_doubles_a_record() {
    const CALLS: usize = 100_000;
    const THREADS: usize = 4;
    let scene = Scene::new();
    let audit = AuditSettings::default().file(record(&scene));
    let registry = scene
        .builder()
        .policy(two(&may(&["own.*"])))
        .audit(audit)
        .build()
        .unwrap();
    let count = echo(&registry, "own.echo");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let registry = &registry;
            scope.spawn(move || {
                let options = by(["acme", "globex"][thread % 2]);
                for _ in 0..CALLS {
                    registry
                        .call_with("own.echo", &Value::Null, &options)
                        .unwrap();
                }
            });
        }
    });
    registry.stop();
    let report = verify_audit(&record(&scene), None).unwrap();
    assert_eq!(report.verdict, None, "{:?}", report.findings);
    assert_eq!(report.records, (CALLS * THREADS) as u64);
    assert_eq!(report.last.map(|mark| mark.seq), Some(report.records));
    assert_eq!(count.load(Ordering::SeqCst), CALLS * THREADS);
}

/// What is called: there are these executors, and one more name that nobody answers to.
const NODE_TYPES: [&str; 4] = ["own.a", "own.b", "other.c", "own.none"];

fn rules() -> impl Strategy<Value = TenantRules> {
    let patterns = || {
        let pattern = prop::sample::select(vec!["own.*", "*", "own.a", "other.c", "*.b", "none"]);
        prop::collection::vec(pattern, 0..3)
    };
    (patterns(), patterns(), prop::option::of(1_usize..2)).prop_map(|(allow, deny, limit)| {
        let parsed = |patterns: Vec<&str>| -> Vec<floe_registry::Pattern> {
            let each = patterns.into_iter();
            each.map(|pattern| pattern.parse().unwrap()).collect()
        };
        let rules = TenantRules::default()
            .allow(parsed(allow))
            .deny(parsed(deny));
        match limit {
            Some(limit) => rules.max_in_flight(limit),
            None => rules,
        }
    })
}

/// Whether rules let a call through, told by their words alone.
fn allows(rules: &TenantRules, node_type: &str) -> bool {
    let has = |list: &[floe_registry::Pattern]| list.iter().any(|each| each.matches(node_type));
    has(&rules.allow)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nothing_denied_gets_there_and_each_call_leaves_one_record(
        acme in rules(),
        globex in rules(),
        calls in prop::collection::vec(
            (prop::sample::select(vec!["acme", "globex", "", "nobody"]), 0..NODE_TYPES.len(), any::<bool>()),
            1..12,
        ),
    ) {
        let scene = Scene::empty();
        let tenants = TenantSettings::default()
            .tenant("acme", acme.clone())
            .tenant("globex", globex.clone());
        let registry = governed(&scene, &Policy::default().tenants(tenants)).build().unwrap();
        let counts: Vec<_> = NODE_TYPES[..3].iter().map(|each| echo(&registry, each)).collect();
        let mut expected = [0, 0, 0];
        let mut statuses = Vec::new();
        for (tenant, at, fails) in &calls {
            let node_type = NODE_TYPES[*at];
            let input = if *fails { value!({"fails": 1}) } else { value!({}) };
            let output = registry.call_with(node_type, &input, &by(tenant));
            let allowed = match *tenant {
                "acme" => allows(&acme, node_type),
                "globex" => allows(&globex, node_type),
                _ => false,
            };
            if *at == 3 && matches!(*tenant, "acme" | "globex") {
                prop_assert_eq!(output.unwrap_err().kind(), ErrorKind::NodeTypeNotFound);
                statuses.push(AuditStatus::Failed);
            } else if allowed {
                expected[*at] += 1;
                prop_assert_eq!(output.is_err(), *fails);
                statuses.push(if *fails { AuditStatus::Failed } else { AuditStatus::Success });
            } else {
                prop_assert_eq!(output.unwrap_err().kind(), ErrorKind::DisabledForTenant);
                statuses.push(AuditStatus::Denied);
            }
        }
        let counted: Vec<_> = counts.iter().map(|count| count.load(Ordering::SeqCst)).collect();
        prop_assert_eq!(counted, expected);
        let recorded: Vec<_> = records(&scene).iter().filter_map(|record| record.status).collect();
        prop_assert_eq!(recorded, statuses);
    }
}
