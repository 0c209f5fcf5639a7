//! Two tenants and a plugin that tells one of the other by every way that it finds.
//!
//! In process it finds some: what all instances of a library share, and what the process may do, no policy can
//! take away. In a worker with a strict sandbox it finds none.

use floe_loader_tests::scene::Scene;
use floe_plugin_api::{ErrorKind, Value, value};
use floe_registry::{CallError, Isolation, IsolationRule, Profile, Registry, TenantRules, offers};

use super::{by, governed, may, spied, two};

const SECRET: &str = "s3cr3t";

/// The ways by which something may come from one to the other.
const WAYS: [&str; 4] = ["static", "instance", "file", "environment"];

/// Tells the spy of one tenant a secret, and asks that of the other for it.
fn tell(scene: &Scene, registry: &Registry, way: &str) -> Result<Value, CallError> {
    let path = scene.root().join("secret");
    let path = path.to_str().unwrap();
    let keep = value!({"way": way, "path": path, "secret": SECRET});
    // It may not be able to, either.
    let _kept = registry.call_with("spy.tell", &keep, &by("acme"));
    let ask = value!({"way": way, "path": path});
    registry.call_with("spy.tell", &ask, &by("globex"))
}

/// The ways by which the secret came to the other tenant.
fn ways_found(rules: &TenantRules) -> Vec<&'static str> {
    let scene = spied();
    let registry = governed(&scene, &two(rules)).build().unwrap();
    let found =
        |way: &&str| tell(&scene, &registry, way).is_ok_and(|told| told.as_str() == Some(SECRET));
    WAYS.into_iter().filter(found).collect()
}

#[test]
fn in_process_the_instance_is_the_only_thing_that_is_not_shared() {
    // As the README says: an instance is a tenant's own, the process is everybody's.
    assert_eq!(
        ways_found(&may(&["spy.*"])),
        ["static", "file", "environment"]
    );
}

#[test]
fn each_comes_to_its_own_instance_however_often_and_by_whichever_way() {
    let scene = spied();
    let rules = may(&["spy.*"]);
    let registry = governed(&scene, &two(&rules)).build().unwrap();
    let handle = registry.get("spy.tell").unwrap();
    let tenants = ["acme", "globex"];
    for tenant in tenants {
        let keep = value!({"way": "instance", "secret": tenant});
        handle.call_with(&keep, &by(tenant)).unwrap();
    }
    let ask = value!({"way": "instance"});
    let check = || {
        for tenant in tenants.into_iter().cycle().take(8) {
            let told = handle.call_with(&ask, &by(tenant)).unwrap();
            assert_eq!(told, value!(tenant));
            let told = registry.call_with("spy.tell", &ask, &by(tenant)).unwrap();
            assert_eq!(told, value!(tenant));
        }
        assert_eq!(registry.cache().list().len(), 2);
    };
    check();
    // Other rules, under which the instances are held as before.
    registry.set_policy(&two(&rules.max_in_flight(2))).unwrap();
    check();
}

#[test]
fn in_a_worker_only_what_the_system_shares_is_shared() {
    let rules = may(&["spy.*"]).isolation(IsolationRule::new(Isolation::Worker));
    let mut scene = spied();
    scene.isolation(Isolation::InProcess);
    let registry = governed(&scene, &two(&rules)).build().unwrap();
    let found =
        |way: &&str| tell(&scene, &registry, way).is_ok_and(|told| told.as_str() == Some(SECRET));
    assert_eq!(WAYS.into_iter().filter(found).collect::<Vec<_>>(), ["file"]);
}

#[test]
fn in_a_strict_worker_there_is_no_way() {
    let lacking: Vec<_> = offers().into_iter().filter(|offer| !offer.given).collect();
    if let [first, ..] = &lacking[..] {
        println!("not run: no {}: {}", first.name, first.detail);
        return;
    }
    let strict = IsolationRule::new(Isolation::Worker)
        .sandbox(Profile::Strict)
        .required();
    let rules = may(&["spy.*"]).isolation(strict);
    let mut scene = spied();
    scene.isolation(Isolation::InProcess);
    let registry = governed(&scene, &two(&rules)).build().unwrap();
    for way in WAYS {
        let told = tell(&scene, &registry, way);
        let told = told.ok().filter(|told| !told.is_null());
        assert_eq!(told, None, "{way}");
    }
    // Each tenant has a worker of its own.
    let workers = registry.stats().workers.live;
    let whose: std::collections::BTreeSet<_> = workers
        .iter()
        .map(|worker| worker.scope.to_string())
        .collect();
    assert_eq!(whose, ["acme".to_owned(), "globex".to_owned()].into());
}

#[test]
fn nobody_calls_in_anothers_name() {
    let scene = spied();
    let policy = two(&may(&["spy.*"]));
    let registry = governed(&scene, &policy).build().unwrap();
    // The spy may call itself: it is of its own plugin.
    let order = value!({"way": "callback", "tenant": "acme", "node_type": "spy.whose"});
    let whose = registry.call_with("spy.tell", &order, &by("globex"));
    assert_eq!(whose.unwrap(), value!("globex"));
    let records = super::records(&scene);
    let of: Vec<_> = records
        .iter()
        .map(|record| (record.node_type.as_deref(), record.tenant.as_deref()))
        .collect();
    assert_eq!(
        of,
        [
            (Some("spy.whose"), Some("globex")),
            (Some("spy.tell"), Some("globex"))
        ]
    );
}

#[test]
fn what_a_tenant_may_not_call_its_plugins_may_not_call_for_it() {
    let scene = spied();
    let policy = two(&may(&["spy.tell"]));
    let registry = governed(&scene, &policy).build().unwrap();
    let order = value!({"way": "callback", "tenant": "acme", "node_type": "spy.whose"});
    let refused = registry.call_with("spy.tell", &order, &by("globex"));
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DisabledForTenant, "{error}");
}

#[test]
fn an_output_that_names_another_tenant_is_withheld() {
    let scene = spied();
    let registry = governed(&scene, &two(&may(&["spy.*"]))).build().unwrap();
    let keep = value!({"way": "instance", "secret": "globex"});
    let error = registry
        .call_with("spy.tell", &keep, &by("acme"))
        .unwrap_err();
    assert!(matches!(error, CallError::Denied(_)), "{error:?}");
    assert!(!error.to_string().contains("globex"), "{error}");
}
