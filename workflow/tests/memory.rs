//! What a long run holds at once.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fmt::Write;
use std::fs;

use floe_registry::Recovery;
use floe_registry::api::{CallOptions, Value};
use floe_workflow::{
    Called, Caller, Document, ExecutorFacts, Executors, Format, Journal, JournalSettings, Limits,
    RunOptions, RunStatus, Runner, Unresolved, Validator,
};

/// How many nodes there are, one after the other.
const NODES: usize = 10_000;
/// How many bytes each gives.
const OUTPUT: usize = 64 << 10;

/// Gives many bytes for whatever it is given.
struct Large;

impl Caller for Large {
    fn call(
        &self,
        _reference: &str,
        _config: &Value,
        input: &Value,
        _options: &CallOptions,
        _recovery: Option<&Recovery>,
    ) -> Called {
        let bytes = input.get("before").and_then(Value::as_bytes);
        let first = bytes.map_or(0, |bytes| bytes[0].wrapping_add(1));
        Called::once(Ok(Value::Bytes(vec![first; OUTPUT].into())))
    }
}

struct Known;

impl Executors for Known {
    fn resolve(&self, reference: &str) -> Result<ExecutorFacts, Unresolved> {
        Ok(ExecutorFacts::new(reference, "1.0.0".parse().unwrap()))
    }

    fn nearest(&self, _node_type: &str) -> Option<String> {
        None
    }

    fn authorize(&self, _tenant: &str, _reference: &str) -> Result<(), String> {
        Ok(())
    }
}

/// The most memory that this process has had, in bytes.
fn most() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

#[test]
fn a_long_run_holds_what_is_needed_still() {
    let mut text = "id: long\nnodes:\n  - { id: n0, node_type: test.large }\n".to_owned();
    for at in 1..NODES {
        let before = at - 1;
        writeln!(
            text,
            "  - {{ id: n{at}, node_type: test.large, needs: [n{before}], parameters: {{ before: '{{{{ steps.n{before}.output }}}}' }} }}"
        )
        .unwrap();
    }
    let document = Document::read(&text, Format::Yaml, &Limits::default()).unwrap();
    let runner = Runner::new(Large, Validator::new(Known).validate(document).unwrap());
    let last = u8::try_from((NODES - 1) % 256).unwrap();
    let is_last = |output: &Value| output.as_bytes().is_some_and(|bytes| bytes[0] == last);
    let before = most();

    let run = runner.run(Value::Null, &RunOptions::new());
    assert_eq!(run.status, RunStatus::Success);
    assert!(is_last(&run.output));
    let held = most() - before;
    // All that they gave together is 640 MB.
    assert!(held < 40 << 20, "{held} bytes");

    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(&JournalSettings::new(directory.path())).unwrap();
    let options = RunOptions::new().execution_id("r");
    let run = runner.record(Value::Null, &options, &journal).unwrap();
    assert!(is_last(&run.output));
    let held = most() - before;
    assert!(held < 60 << 20, "{held} bytes");

    // Nor does who reads it all again.
    let db = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    db.execute_batch("DELETE FROM entries WHERE what IN (0, 4) AND attempts IS NOT NULL AND node IS NULL; DELETE FROM entries WHERE node = 'n9999'").unwrap();
    let run = runner
        .resume(journal.interrupted("r").unwrap(), &RunOptions::new())
        .unwrap();
    assert_eq!(
        (run.status, run.fault.as_deref()),
        (RunStatus::Success, None)
    );
    assert!(is_last(&run.output));
    let held = most() - before;
    assert!(held < 80 << 20, "{held} bytes");
}
