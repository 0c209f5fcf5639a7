//! What live instances take of memory, told of a process that has done nothing else yet.

use floe_registry::Handle;
use floe_registry::api::Value;

use crate::{fixture, instances};

/// What this program is run again for.
pub(crate) const ALONE: &str = "memory";

const INSTANCES: usize = 1_000;
const ROUNDS: usize = 20;

/// Prints what an idle instance takes, and whether starts and stops leave anything behind.
pub(crate) fn tell() {
    let (directory, store) = (fixture::directory(), fixture::directory());
    fixture::copy(directory.path());
    let registry = fixture::registry(directory.path(), store.path());
    let handles: [Handle; INSTANCES] = instances::scoped(&registry, "bench.echo");
    // The code, and what the first start of anything takes, is not an instance's.
    registry.call("bench.echo", &Value::Null).unwrap();
    let mut started = Vec::new();
    let Some(before) = fixture::resident() else {
        return;
    };
    for _ in 0..ROUNDS {
        for handle in &handles {
            handle.call(&Value::Null).unwrap();
        }
        started.push(fixture::resident().unwrap());
        assert_eq!(registry.cache().stats().live, INSTANCES);
        let stopped = registry.stop();
        assert!(stopped.iter().all(|stop| stop.ended));
    }
    let stopped = fixture::resident().unwrap();
    let kib = |more: u64| more.saturating_sub(before) as f64 / 1024.0;
    eprintln!(
        "instances/memory: {:.1} KiB for an idle instance, of {INSTANCES}",
        kib(started[0]) / INSTANCES as f64
    );
    let rounds: Vec<String> = started
        .iter()
        .map(|resident| format!("{:.0}", kib(*resident)))
        .collect();
    eprintln!(
        "instances/memory: KiB more while {INSTANCES} are live, round by round: {}; when all are stopped: {:.0}",
        rounds.join(", "),
        kib(stopped)
    );
}
