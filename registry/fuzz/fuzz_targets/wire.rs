//! Feeds any bytes to the reader of frames, and to that of values in mapped memory, after four bytes that say how far
//! it is written: neither must panic, or wait for what does not come. What is taken for a value, it must write so
//! that it reads the same again.
//!
//! `corpus/wire` holds the seeds, and stays as it is; what is found goes elsewhere:
//!
//! ```text
//! mkdir -p target/corpus
//! cargo +nightly fuzz run wire target/corpus corpus/wire
//! ```
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floe_registry::__fuzz::wire(bytes));
