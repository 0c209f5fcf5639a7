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

mod call;
mod fixture;
mod load;
mod scan;
mod value;
#[path = "plugin/src/work.rs"]
mod work;

use criterion::Criterion;

fn main() {
    if fixture::warm_store_if_asked() {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    scan::benches(&mut criterion);
    load::benches(&mut criterion);
    call::benches(&mut criterion);
    value::benches(&mut criterion);
    criterion.final_summary();
}
