//! Feeds any bytes to the reader of `quarantine.json`, which must not panic; what it takes, it must
//! write so that it reads the same again.
//!
//! `corpus/state` holds the seeds, and stays as it is; what is found goes elsewhere:
//!
//! ```text
//! mkdir -p target/corpus
//! cargo +nightly fuzz run state target/corpus corpus/state
//! ```
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floe_registry::__fuzz::read_quarantine(bytes));
