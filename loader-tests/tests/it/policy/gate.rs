//! No way to a plugin leads around the gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use floe_loader_tests::scene::Scene;
use floe_loader_tests::source::{code_of, rust_files};
use floe_plugin_api::{CallOptions, ErrorKind, ExecutorMetadata, Value, value};
use floe_registry::{CallError, Policy, Registry, Scope, TenantSettings};

use super::{by, governed, may, records, spied, two};

/// An executor of the test's own, with how often it was called.
fn counting(registry: &Registry, node_type: &str) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let metadata = ExecutorMetadata::new(node_type).unwrap();
    let function = move |_: &Value, _: &floe_plugin_api::CallContext<'_>| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(Value::Null)
    };
    registry.register(metadata, function).unwrap();
    count
}

/// Calls by every public function that there is, on behalf of somebody, or of nobody where the function has no
/// place for it.
fn every_way(registry: &Registry, node_type: &str, options: &CallOptions) -> Vec<CallError> {
    let null = Value::Null;
    let handle = registry.get(node_type).unwrap();
    let scoped = handle.scoped(&Scope::new("acme"));
    let configured = handle.configured(value!({}));
    let bounded = options.clone().timeout(Duration::from_secs(60));
    let typed: Result<Value, CallError> = handle.call_typed(&null);
    let mut called = vec![
        registry.call(node_type, &null),
        registry.call_with(node_type, &null, options),
        registry.call_with(node_type, &null, &bounded),
        registry.answer(node_type, &null, options, None).output,
        handle.call(&null),
        handle.call_with(&null, options),
        handle.call_with(&null, &bounded),
        handle.answer(&null, options, None).output,
        typed,
    ];
    for handle in [scoped, configured] {
        called.push(handle.call(&null));
        called.push(handle.call_with(&null, options));
        called.push(handle.answer(&null, &bounded, None).output);
    }
    called.into_iter().filter_map(Result::err).collect()
}

/// How many ways [`every_way`] takes.
const WAYS: usize = 15;

#[test]
fn without_permission_no_public_function_reaches_a_plugin() {
    let scene = Scene::new();
    let registry = governed(&scene, &two(&may(&["other.*"]))).build().unwrap();
    let count = counting(&registry, "own.count");
    for options in [CallOptions::new(), by("acme"), by("nobody")] {
        let errors = every_way(&registry, "own.count", &options);
        assert_eq!(errors.len(), WAYS);
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::DisabledForTenant, "{error}");
            assert!(matches!(error, CallError::Denied(_)), "{error:?}");
        }
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
    let records = records(&scene);
    assert_eq!(records.len(), 3 * WAYS);
    for record in records {
        assert_eq!(record.status.unwrap().as_str(), "denied", "{record:?}");
    }
}

#[test]
fn a_plugin_that_was_called_before_is_denied_by_the_next_policy() {
    let scene = Scene::new();
    let registry = scene.registry();
    let count = counting(&registry, "own.count");
    let handle = registry.get("own.count").unwrap();
    handle.call(&Value::Null).unwrap();
    registry.set_policy(&two(&may(&["other.*"]))).unwrap();
    assert_eq!(every_way(&registry, "own.count", &by("acme")).len(), WAYS);
    handle.call(&Value::Null).unwrap_err();
    assert_eq!(count.load(Ordering::SeqCst), 1);
    registry.set_policy(&two(&may(&["own.*"]))).unwrap();
    handle.call_with(&Value::Null, &by("acme")).unwrap();
    handle.call(&Value::Null).unwrap_err();
    registry.set_policy(&Policy::default()).unwrap();
    handle.call(&Value::Null).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[test]
fn a_call_ends_under_the_policy_that_it_began_under() {
    let scene = Scene::new();
    let registry = governed(&scene, &two(&may(&["gate"]))).build().unwrap();
    let mut gate = floe_loader_tests::gate::Gate::register(&registry, "gate");
    std::thread::scope(|scope| {
        let called = scope.spawn(|| registry.call_with("gate", &Value::Null, &by("acme")));
        gate.wait_until_entered();
        // The tenant is there no more; not even its output may be.
        let other = TenantSettings::default().tenant("other", may(&["x"]));
        registry
            .set_policy(&Policy::default().tenants(other))
            .unwrap();
        gate.open();
        assert_eq!(called.join().unwrap().unwrap(), value!("through"));
    });
    registry
        .call_with("gate", &Value::Null, &by("acme"))
        .unwrap_err();
}

#[test]
fn a_policy_that_contradicts_itself_leaves_the_one_before() {
    let scene = Scene::new();
    let registry = governed(&scene, &two(&may(&["own.*"]))).build().unwrap();
    let count = counting(&registry, "own.count");
    let circle = floe_registry::Fallback::new("own.count".parse().unwrap());
    let recovery = floe_registry::RecoverySettings::default()
        .executor("own.count", floe_registry::Recovery::none().then(circle));
    let error = registry
        .set_policy(&Policy::default().recovery(recovery))
        .unwrap_err();
    assert!(error.to_string().contains("own.count"), "{error}");
    registry
        .call_with("own.count", &Value::Null, &by("acme"))
        .unwrap();
    registry.call("own.count", &Value::Null).unwrap_err();
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn tenants_have_instances_of_their_own() {
    let scene = spied();
    let registry = governed(&scene, &two(&may(&["spy.*"]))).build().unwrap();
    for tenant in ["acme", "globex", "acme"] {
        registry
            .call_with("spy.whose", &Value::Null, &by(tenant))
            .unwrap();
    }
    let mut whose: Vec<_> = registry
        .cache()
        .list()
        .iter()
        .map(|instance| instance.scope.to_string())
        .collect();
    whose.sort();
    assert_eq!(whose, ["acme", "globex"]);
}

#[test]
fn a_tenants_instances_give_way_to_its_own_alone() {
    let scene = spied();
    let policy = two(&may(&["spy.*"]).max_instances(2));
    let registry = governed(&scene, &policy).build().unwrap();
    let handle = registry.get("spy.whose").unwrap();
    handle.call_with(&Value::Null, &by("globex")).unwrap();
    for run in ["1", "2", "3", "4"] {
        let own = handle.scoped(&Scope::new(run));
        own.call_with(&Value::Null, &by("acme")).unwrap();
    }
    let live = registry.cache().list();
    let of = |tenant: &str| {
        let own = |scope: &str| scope == tenant || scope.starts_with(&format!("{tenant}/"));
        live.iter().filter(|each| own(each.scope.as_str())).count()
    };
    assert_eq!((of("acme"), of("globex")), (2, 1), "{live:?}");
}

/// The types say that whoever calls a plugin was let through. This says that they are asked.
#[test]
fn only_the_gate_lets_through() {
    let source = floe_loader_tests::fixtures::workspace().join("registry/src");
    let mut makes = Vec::new();
    let mut executes = Vec::new();
    for path in rust_files(&source) {
        let code = code_of(&std::fs::read_to_string(&path).unwrap());
        let name = path.strip_prefix(&source).unwrap().display().to_string();
        if code.contains("Permit(") {
            makes.push(name.clone());
        }
        if code.contains("instance.execute(") {
            executes.push(name);
        }
    }
    assert_eq!(makes, ["lifecycle/gate.rs"]);
    // The first is the other end: a worker, which its host alone can ask.
    assert_eq!(executes, ["isolate/serve/mod.rs", "lifecycle/running.rs"]);
}

#[test]
fn another_rule_of_isolation_holds_from_the_next_call_on() {
    let mut scene = spied();
    scene.isolation(floe_registry::Isolation::InProcess);
    let rules = may(&["spy.*"]);
    let registry = governed(&scene, &two(&rules)).build().unwrap();
    let whose = || {
        let called = registry.call_with("spy.whose", &Value::Null, &by("acme"));
        assert_eq!(called.unwrap(), value!("acme"));
        let live = registry.cache().list();
        assert_eq!(live.len(), 1, "{live:?}");
        live[0].isolation
    };
    assert_eq!(whose(), floe_registry::Isolation::InProcess);
    let worker = floe_registry::IsolationRule::new(floe_registry::Isolation::Worker);
    registry
        .set_policy(&two(&rules.clone().isolation(worker)))
        .unwrap();
    assert_eq!(whose(), floe_registry::Isolation::Worker);
    registry.set_policy(&two(&rules)).unwrap();
    assert_eq!(whose(), floe_registry::Isolation::InProcess);
}

#[test]
fn instances_are_shared_where_the_plugin_and_both_tenants_say_so() {
    for (stateless, share, expected) in [
        (false, [true, true], 2),
        (true, [false, false], 2),
        (true, [true, false], 2),
        (true, [true, true], 1),
    ] {
        let scene = Scene::empty();
        let library =
            floe_loader_tests::library::Library::of(floe_loader_tests::fixtures::Fixture::Spy);
        let library = library.with_manifest(|manifest| {
            if stateless {
                manifest["stateless"] = true.into();
            }
        });
        scene.install("spy", &library);
        let rules = |share: bool| match share {
            true => may(&["spy.*"]).share(),
            false => may(&["spy.*"]),
        };
        let tenants = TenantSettings::default()
            .tenant("acme", rules(share[0]))
            .tenant("globex", rules(share[1]));
        let registry = governed(&scene, &Policy::default().tenants(tenants))
            .build()
            .unwrap();
        for tenant in ["acme", "globex"] {
            let whose = registry.call_with("spy.whose", &Value::Null, &by(tenant));
            assert_eq!(whose.unwrap(), value!(tenant));
        }
        let live = registry.cache().list();
        assert_eq!(live.len(), expected, "{stateless} {share:?} {live:?}");
    }
}

#[test]
fn a_thread_that_does_not_come_back_keeps_its_place() {
    let scene = Scene::new();
    let policy = two(&may(&["gate"]).max_in_flight(1));
    let registry = governed(&scene, &policy).build().unwrap();
    let mut gate = floe_loader_tests::gate::Gate::register(&registry, "gate");
    let soon = by("acme").timeout(Duration::from_millis(20));
    let late = registry.call_with("gate", &Value::Null, &soon).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::ExecutionTimeout);
    gate.wait_until_entered();
    let refused = registry.call_with("gate", &Value::Null, &by("acme"));
    assert_eq!(
        refused.unwrap_err().kind(),
        ErrorKind::ResourceExhausted,
        "one is inside still"
    );
    assert_eq!(registry.stats().tenants["acme"].in_flight, 1);
    gate.open();
    floe_loader_tests::wait::until(|| registry.stats().tenants["acme"].in_flight == 0);
    registry
        .call_with("gate", &Value::Null, &by("acme"))
        .unwrap();
}

#[test]
fn what_a_plugin_calls_while_it_starts_is_part_of_the_call() {
    let scene = Scene::empty();
    let probe =
        floe_loader_tests::library::Library::of(floe_loader_tests::fixtures::Fixture::Probe);
    scene.install("probe", &probe);
    let policy = two(&may(&["probe.*", "own.*"]).max_in_flight(1));
    let registry = governed(&scene, &policy)
        .config("probe", value!({"calls": "own.count"}))
        .build()
        .unwrap();
    let count = counting(&registry, "own.count");
    registry
        .call_with("probe.echo", &Value::Null, &by("acme"))
        .unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let told: Vec<_> = records(&scene)
        .iter()
        .map(|record| (record.tenant.clone(), record.user.clone()))
        .collect();
    let acme = (Some("acme".to_owned()), Some("ann".to_owned()));
    assert_eq!(told, [acme.clone(), acme]);
}
