//! Who may call what, what becomes of failures, and the record of it.

mod answers;
mod gate;
mod record;
mod spying;

use std::path::PathBuf;

use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::Scene;
use floe_plugin_api::CallOptions;
use floe_registry::{
    AuditFilter, AuditRecord, AuditSettings, Policy, RegistryBuilder, TenantRules, TenantSettings,
    read_audit,
};

/// A call on behalf of somebody.
fn by(tenant: &str) -> CallOptions {
    CallOptions::new()
        .tenant(tenant)
        .user("ann")
        .role("auditor")
}

/// Rules by which a tenant may call what these patterns match.
#[track_caller]
fn may(patterns: &[&str]) -> TenantRules {
    TenantRules::default().allow(patterns.iter().map(|pattern| pattern.parse().unwrap()))
}

/// A policy of two tenants with the same rules.
fn two(rules: &TenantRules) -> Policy {
    let tenants = TenantSettings::default()
        .tenant("acme", rules.clone())
        .tenant("globex", rules.clone());
    Policy::default().tenants(tenants)
}

/// The file that calls are put on record in.
fn record(scene: &Scene) -> PathBuf {
    scene.root().join("audit.jsonl")
}

/// A builder with a policy, whose calls are put on record in the scene.
fn governed(scene: &Scene, policy: &Policy) -> RegistryBuilder {
    let audit = AuditSettings::default()
        .file(record(scene))
        .reader("auditor");
    scene.builder().policy(policy.clone()).audit(audit)
}

/// What is on record, the oldest first.
#[track_caller]
fn records(scene: &Scene) -> Vec<AuditRecord> {
    let newest_first = read_audit(&record(scene), AuditFilter::default()).unwrap();
    let mut records: Vec<_> = newest_first.map(Result::unwrap).collect();
    records.reverse();
    records
}

/// A scene with a spy in it.
#[track_caller]
fn spied() -> Scene {
    let scene = Scene::new();
    scene.install("spy", &Library::of(Fixture::Spy));
    scene
}
