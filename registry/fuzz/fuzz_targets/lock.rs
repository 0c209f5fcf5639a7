//! Feeds bytes to the reader of lock files: whatever they are, it must not panic, and what it reads is
//! what it writes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| floe_registry::__fuzz::lock(bytes));
