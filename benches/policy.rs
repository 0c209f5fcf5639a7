//! What it costs to ask whether a tenant may make a call, to make it so and put it on record, and to have a
//! way to recover that is not taken.

use std::hint::black_box;

use criterion::Criterion;
use floe_registry::__bench::BenchPolicy;
use floe_registry::api::{CallOptions, Kind, Value};
use floe_registry::{
    AuditSettings, Pattern, Policy, Recovery, RecoverySettings, Retry, TenantRules, TenantSettings,
};

use crate::fixture;

/// Ten tenants with twenty patterns each.
fn policy() -> BenchPolicy {
    let patterns = |texts: Vec<String>| {
        let patterns = texts.iter().map(|text| text.parse::<Pattern>());
        patterns.collect::<Result<Vec<_>, _>>().unwrap()
    };
    let settings = (0..10).fold(TenantSettings::default(), |settings, tenant| {
        let allow = (0..5).flat_map(|n| [format!("plugin-{n}.read"), format!("vendor-{n}.*")]);
        let deny = (0..5).flat_map(|n| [format!("secret-{n}.read"), format!("hidden-{n}.*")]);
        let rules = TenantRules::default()
            .allow(patterns(allow.collect()))
            .deny(patterns(deny.collect()));
        settings.tenant(format!("tenant-{tenant}"), rules)
    });
    BenchPolicy::new(&settings).unwrap()
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let policy = policy();
    let mut group = criterion.benchmark_group("policy");
    for (name, node_type, is_allowed) in [
        ("authorize", "plugin-3.read", true),
        ("authorize_prefix", "vendor-3.write", true),
        ("authorize_denied", "hidden-3.write", false),
    ] {
        let ask = || {
            let (tenant, node_type) = (black_box("tenant-7"), black_box(node_type));
            policy.allows(tenant, node_type, black_box(&Kind::COMPUTE))
        };
        assert_eq!(ask(), is_allowed);
        group.bench_function(name, |bencher| bencher.iter(ask));
    }
    group.finish();
    calls(criterion);
}

/// What a call costs that is let through for a tenant and put on record, beside one that is neither; and what
/// it costs to have a way to recover that is not taken.
fn calls(criterion: &mut Criterion) {
    let (directory, store) = (fixture::directory(), fixture::directory());
    fixture::copy(directory.path());
    let input = Value::from(7);
    let plain = fixture::registry(directory.path(), store.path());
    let plain_echo = plain.get("bench.echo").unwrap();
    plain_echo.call(&input).unwrap();

    let tenants = TenantSettings::default().tenant(
        "acme",
        TenantRules::default().allow(["bench.*".parse().unwrap()]),
    );
    let audit = AuditSettings::default().file(store.path().join("audit.jsonl"));
    let governed = fixture::builder(directory.path(), store.path())
        .policy(Policy::default().tenants(tenants))
        .audit(audit)
        .build()
        .unwrap();
    let governed_echo = governed.get("bench.echo").unwrap();
    let acme = CallOptions::new().tenant("acme").user("ann");
    governed_echo.call_with(&input, &acme).unwrap();

    let mut group = criterion.benchmark_group("policy");
    let options = CallOptions::new();
    group.bench_function("call_with_neither", |bencher| {
        bencher.iter(|| plain_echo.call_with(black_box(&input), &options).unwrap());
    });
    group.bench_function("call_with_tenant_and_audit", |bencher| {
        bencher.iter(|| governed_echo.call_with(black_box(&input), &acme).unwrap());
    });
    group.finish();

    let recovery = RecoverySettings::new(Recovery::none().then(Retry::default()));
    let recovering = fixture::builder(directory.path(), store.path())
        .policy(Policy::default().recovery(recovery))
        .build()
        .unwrap();
    let recovering_echo = recovering.get("bench.echo").unwrap();
    recovering_echo.call(&input).unwrap();
    let mut group = criterion.benchmark_group("recovery");
    group.bench_function("without", |bencher| {
        bencher.iter(|| plain_echo.call(black_box(&input)).unwrap());
    });
    group.bench_function("no_error_overhead", |bencher| {
        bencher.iter(|| recovering_echo.call(black_box(&input)).unwrap());
    });
    group.finish();
}
