//! What floe costs, beside what the same would cost without it.
//!
//! `cargo bench -p floe` builds the plugin that is loaded and called, and compares in one run. The
//! figures that matter are ratios: the machine's load is in both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a bench that cannot be set up ends, and says where; what criterion does not measure is printed"
)]

mod audit;
mod call;
mod events;
mod fixture;
mod instances;
#[cfg(target_os = "linux")]
mod isolate;
mod load;
mod memory;
mod policy;
mod scan;
mod start;
mod trust;
mod upgrade;
mod value;
mod watch;
#[path = "plugin/src/work.rs"]
mod work;
mod workflow;

use criterion::Criterion;

fn main() {
    // Plugins that are isolated run in this program, too.
    #[cfg(target_os = "linux")]
    {
        floe_registry::worker::enter();
        if isolate::pong_if_asked() {
            return;
        }
    }
    if fixture::warm_store_if_asked() {
        return;
    }
    if fixture::is_alone_for().as_deref() == Some(memory::ALONE) {
        memory::tell();
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    scan::benches(&mut criterion);
    load::benches(&mut criterion);
    trust::benches(&mut criterion);
    call::benches(&mut criterion);
    policy::benches(&mut criterion);
    workflow::benches(&mut criterion);
    instances::benches(&mut criterion);
    #[cfg(target_os = "linux")]
    isolate::benches(&mut criterion);
    upgrade::benches(&mut criterion);
    events::benches(&mut criterion);
    audit::benches(&mut criterion);
    start::benches(&mut criterion);
    watch::benches(&mut criterion);
    value::benches(&mut criterion);
    criterion.final_summary();
}
