//! What it costs to ask whether a tenant may make a call.

use std::hint::black_box;

use criterion::Criterion;
use floe_registry::__bench::BenchPolicy;
use floe_registry::api::Kind;
use floe_registry::{Pattern, TenantRules, TenantSettings};

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
    let mut group = criterion.benchmark_group("policy/authorize");
    for (name, node_type, is_allowed) in [
        ("exact", "plugin-3.read", true),
        ("prefix", "vendor-3.write", true),
        ("denied", "hidden-3.write", false),
    ] {
        let ask = || {
            let (tenant, node_type) = (black_box("tenant-7"), black_box(node_type));
            policy.allows(tenant, node_type, black_box(&Kind::COMPUTE))
        };
        assert_eq!(ask(), is_allowed);
        group.bench_function(name, |bencher| bencher.iter(ask));
    }
    group.finish();
}
