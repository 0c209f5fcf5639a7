//! Feeds any bytes to the readers of signatures and keys, which must neither panic nor take them for a
//! signature of themselves.
//!
//! `corpus/signature` holds the seeds, and stays as it is; what is found goes elsewhere:
//!
//! ```text
//! mkdir -p target/corpus
//! cargo +nightly fuzz run signature target/corpus corpus/signature
//! ```
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floe_registry::__fuzz::signature(bytes));
