//! What many instances leave behind, in a process of their own: its memory is what is looked at.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;

use floe_loader_tests::scene::Scene;
use floe_plugin_api::value;
use floe_registry::{Registry, Scope};

/// The resident memory of this process in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// Starts 1,000 instances and stops them.
fn thousand(registry: &Registry) {
    let counts = registry.get("good.echo").unwrap();
    for number in 0..1_000 {
        let own = counts.scoped(&Scope::new(&number.to_string()));
        assert_eq!(own.call(&value!(number)).unwrap(), value!(number));
    }
    let stopped = registry.stop();
    assert_eq!(stopped.len(), 1_000);
    assert!(stopped.iter().all(|instance| instance.ended));
}

#[test]
fn a_thousand_instances_leave_nothing_behind() {
    let scene = Scene::new();
    let registry = scene.registry();
    // What is kept once for all: the code, the threads, the allocator's own room.
    thousand(&registry);
    thousand(&registry);
    let before = resident();
    for _ in 0..5 {
        thousand(&registry);
    }
    let grown = resident().saturating_sub(before);
    // 5,000 instances that were forgotten, at a kibibyte each, would be more.
    assert!(grown < 5_000 * 1_024, "{grown} bytes");
    assert_eq!(registry.cache().stats().live, 0);
    scene.check_good(&registry);
}
