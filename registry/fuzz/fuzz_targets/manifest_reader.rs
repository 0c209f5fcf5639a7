//! Feeds any bytes to the reader of manifests, which must neither panic nor read outside them.
//!
//! `corpus/manifest_reader` holds the seeds, and stays as it is; what is found goes elsewhere:
//!
//! ```text
//! mkdir -p target/corpus
//! cargo +nightly fuzz run manifest_reader target/corpus corpus/manifest_reader
//! ```
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floe_registry::__fuzz::read(bytes));
