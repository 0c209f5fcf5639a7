//! Feeds any bytes to the examination of libraries, which must not panic, nor tell of them in more
//! than one line.
//!
//! `corpus/preflight` holds the seeds, and stays as it is; what is found goes elsewhere:
//!
//! ```text
//! mkdir -p target/corpus-preflight
//! cargo +nightly fuzz run preflight target/corpus-preflight corpus/preflight
//! ```
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floe_registry::__fuzz::preflight(bytes));
