//! Runs on record, against those who mean harm and those who have bad luck.

use std::fs;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use floe_registry::api::{Value, value};
use floe_workflow::{Journal, JournalSettings, NodeStatus, RunOptions, RunStatus, Stop, Told};

use crate::called::runner;

const ADD: &str = "
id: add
nodes:
  - { id: one, node_type: test.echo, parameters: { n: '{{ input.n + 1 }}' } }
";
const MAIN: &str = "
id: main
nodes:
  - { id: first, node_type: workflow.call, parameters: { workflow: add, input: { n: '{{ input.n }}' } } }
";

fn open(directory: &Path) -> Journal {
    Journal::open(&JournalSettings::new(directory)).unwrap()
}

/// a run of somebody else, under the name that a called one would have, is taken for it.
#[test]
fn a_strangers_run_is_not_taken_for_a_called_one() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    runner(ADD, &[])
        .record(
            value!({"n": 1000}),
            &RunOptions::new()
                .execution_id("r/first")
                .tenant("mallory")
                .user("mallory"),
            &journal,
        )
        .unwrap();
    let run = runner(MAIN, &[ADD]);
    let done = run
        .record(
            value!({"n": 40}),
            &RunOptions::new().execution_id("r").tenant("acme"),
            &journal,
        )
        .unwrap();
    assert_ne!(
        done.output,
        value!({"n": 1001}),
        "tenant acme got what tenant mallory's run gave"
    );
}

/// node ids may have `/`, so two calls of one family have one name.
#[test]
fn two_calls_have_two_names() {
    let inner = "
id: inner
nodes:
  - { id: c, node_type: workflow.call, parameters: { workflow: add, input: { n: '{{ input.n }}' } } }
";
    let main = "
id: main
nodes:
  - { id: b, node_type: workflow.call, parameters: { workflow: inner, input: { n: 1 } } }
  - { id: b/c, node_type: workflow.call, needs: [b], parameters: { workflow: add, input: { n: 500 } } }
";
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let run = runner(main, &[inner, ADD]);
    let done = run
        .record(Value::Null, &RunOptions::new().execution_id("r"), &journal)
        .unwrap();
    assert_eq!(done.output, value!({"n": 501}), "{done:?}");
}

/// the same with the items of a foreach.
#[test]
fn a_node_is_not_taken_for_an_item() {
    let main = "
id: main
nodes:
  - { id: x, node_type: workflow.call, foreach: { items: [1, 2] }, parameters: { workflow: add, input: { n: '{{ item }}' } } }
  - { id: 'x[0]', node_type: workflow.call, needs: [x], parameters: { workflow: add, input: { n: 500 } } }
";
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let run = runner(main, &[ADD]);
    let done = run
        .record(Value::Null, &RunOptions::new().execution_id("r"), &journal)
        .unwrap();
    assert_eq!(done.output, value!({"n": 501}), "{done:?}");
}

/// a called run that goes on has two inputs, one for the nodes before and one for those after.
#[test]
fn a_called_run_has_one_input() {
    let child = "
id: child
nodes:
  - { id: a, node_type: test.echo, parameters: { n: '{{ input.n }}' } }
  - { id: bad, node_type: fail, needs: [a], when: '{{ context.attempt == 1 }}', parameters: { message: no } }
  - { id: z, node_type: set, needs: [a], parameters: { values: { before: '{{ steps.a.output.n }}', after: '{{ input.n }}' } } }
";
    let main = "
id: main
nodes:
  - { id: call, node_type: workflow.call, parameters: { workflow: child, input: { n: '{{ context.attempt }}' } } }
";
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let failed = runner(main, &[child])
        .record(Value::Null, &RunOptions::new().execution_id("r"), &journal)
        .unwrap();
    assert_eq!(failed.status, RunStatus::Failed);
    // z may have ended in the first attempt; begin such that it did not: bad ranks first.
    let _ = runner(main, &[child])
        .resume(journal.interrupted("r").unwrap(), &RunOptions::new())
        .unwrap();
    let z = journal.output("r/call", "z").unwrap().unwrap();
    assert_eq!(z.get("before"), z.get("after"));
}

/// a run of which nothing is left to be done is not stopped.
#[test]
fn a_run_whose_last_node_ended_is_not_cancelled() {
    let stop = Stop::new();
    let by = stop.clone();
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let options = RunOptions::new()
        .execution_id("r")
        .stop(stop)
        .listener(move |_| by.gracefully());
    let run = runner("id: w\nnodes:\n  - { id: a, node_type: test.echo }\n", &[])
        .record(Value::Null, &options, &journal)
        .unwrap();
    assert_eq!(run.nodes["a"].status, NodeStatus::Success);
    assert_eq!(run.status, RunStatus::Success);
}

/// nor is it late because somebody was told slowly.
#[test]
fn a_run_whose_last_node_ended_in_time_is_not_late() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let options = RunOptions::new().execution_id("r").listener(move |told| {
        if let Told::Ended { .. } = told {
            std::thread::sleep(Duration::from_millis(1100));
        }
    });
    let run = runner(
        "id: w\nsettings: { timeout: 1s }\nnodes:\n  - { id: a, node_type: test.echo }\n",
        &[],
    )
    .record(Value::Null, &options, &journal)
    .unwrap();
    assert_eq!(run.nodes["a"].status, NodeStatus::Success);
    assert_eq!(run.status, RunStatus::Success);
}

/// what is forgotten is gone.
#[test]
fn what_is_forgotten_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let text = "id: w\nnodes:\n  - { id: a, node_type: test.echo, parameters: { v: '{{ input.secret }}' } }\n";
    let secret = "hunter2-".repeat(2000);
    runner(text, &[])
        .record(
            value!({"secret": (secret.as_str())}),
            &RunOptions::new().execution_id("r"),
            &journal,
        )
        .unwrap();
    journal.forget("r").unwrap();
    drop(journal);
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let bytes = fs::read(entry.path()).unwrap();
        let found = bytes.windows(8).filter(|part| part == b"hunter2-").count();
        assert_eq!(found, 0, "the secret is still in {:?}", entry.file_name());
    }
}

/// its files are its owner's alone, as it says.
#[cfg(unix)]
#[test]
fn a_journal_that_others_can_read_is_not_written() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("runs");
    fs::create_dir(&own).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(own.join("journal.db"), b"").unwrap();
    fs::set_permissions(own.join("journal.db"), fs::Permissions::from_mode(0o666)).unwrap();
    let journal = Journal::open(&JournalSettings::new(&own));
    if journal.is_ok() {
        for entry in fs::read_dir(&own).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{:?} is {mode:o}", entry.file_name());
        }
    }
}

/// nor one that is somewhere else.
#[cfg(unix)]
#[test]
fn a_journal_is_not_written_through_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("runs");
    fs::create_dir(&own).unwrap();
    let victim = dir.path().join("victim");
    std::os::unix::fs::symlink(&victim, own.join("journal.db")).unwrap();
    let opened = Journal::open(&JournalSettings::new(&own));
    assert!(opened.is_err() || !victim.exists(), "made {victim:?}");
}

/// nor a lease.
#[cfg(unix)]
#[test]
fn a_lease_is_not_made_through_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("runs");
    let journal = open(&own);
    let victim = dir.path().join("victim");
    std::os::unix::fs::symlink(&victim, own.join("1.run")).unwrap();
    let _ = runner("id: w\nnodes:\n  - { id: a, node_type: noop }\n", &[]).record(
        Value::Null,
        &RunOptions::new().execution_id("r"),
        &journal,
    );
    assert!(!victim.exists(), "made {victim:?}");
}

/// A journal that soon gives up on another process that writes.
fn hasty(directory: &Path) -> Journal {
    let settings = JournalSettings::new(directory).patience(Duration::from_millis(300));
    Journal::open(&settings).unwrap()
}

/// What cannot be put on record of a called run is not dealt with as if the node had failed.
#[test]
fn what_cannot_be_put_on_record_is_no_failure_of_a_node() {
    let main = "
id: main
nodes:
  - { id: first, node_type: workflow.call, on_error: continue, parameters: { workflow: add, input: { n: '{{ input.n }}' } } }
  - { id: last, node_type: noop, needs: [first] }
";
    let dir = tempfile::tempdir().unwrap();
    let journal = hasty(dir.path());
    let db = dir.path().join("journal.db");
    let holder = Arc::new(std::sync::Mutex::new(None));
    let held = holder.clone();
    let options = RunOptions::new().execution_id("r").listener(move |told| {
        if let Told::Began { node: "first/one" } = told {
            let db = rusqlite::Connection::open(&db).unwrap();
            db.execute_batch("BEGIN IMMEDIATE").unwrap();
            *held.lock().unwrap() = Some(db);
        }
    });
    let run = runner(main, &[ADD]);
    let done = run.record(value!({"n": 40}), &options, &journal).unwrap();
    drop(holder.lock().unwrap().take());
    assert_eq!(done.status, RunStatus::Failed);
    let fault = done.fault.unwrap();
    assert!(
        fault.contains("cannot be written: database is locked"),
        "{fault}"
    );
    assert_eq!(done.nodes["last"].status, NodeStatus::NotRun);
    let interrupted = journal.interrupted("r").unwrap();
    let again = run.resume(interrupted, &RunOptions::new()).unwrap();
    assert_eq!((again.status, again.fault), (RunStatus::Success, None));
    assert_eq!(again.nodes["first"].status, NodeStatus::Success);
}

/// As many runs as there are wait together, once.
#[test]
fn a_busy_database_is_waited_for_once() {
    let dir = tempfile::tempdir().unwrap();
    let settings = JournalSettings::new(dir.path()).patience(Duration::from_secs(2));
    let journal = Journal::open(&settings).unwrap();
    let db = dir.path().join("journal.db");
    let text = "id: w\nnodes:\n  - { id: a, node_type: wait, parameters: { duration: 1s } }\n";
    let (begun, begins) = mpsc::channel();
    let faults = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|n| {
                let (journal, begun) = (&journal, begun.clone());
                scope.spawn(move || {
                    let listener = move |told: Told<'_>| {
                        if let Told::Began { .. } = told {
                            begun.send(()).unwrap();
                        }
                    };
                    let options = RunOptions::new()
                        .execution_id(format!("r{n}"))
                        .listener(listener);
                    let run = runner(text, &[]).record(Value::Null, &options, journal);
                    run.unwrap().fault
                })
            })
            .collect();
        for _ in 0..4 {
            begins.recv().unwrap();
        }
        assert_eq!(journal.runs(9).unwrap().len(), 4);
        let db = rusqlite::Connection::open(db).unwrap();
        // Within the second that they wait.
        db.busy_timeout(Duration::from_secs(5)).unwrap();
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        let faults: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
        drop(db);
        faults
    });
    for fault in faults {
        assert!(fault.unwrap().contains("database is locked"));
    }
    for run in journal.runs(9).unwrap() {
        assert_eq!(run.status, floe_workflow::RecordStatus::Interrupted);
    }
}

/// A chain of nodes that put what came before into one more map each.
fn nested(depth: usize, node: impl Fn(usize) -> String) -> String {
    let mut text =
        "id: deep\nnodes:\n  - { id: n0, node_type: set, parameters: { values: { v: 1 } } }\n"
            .to_owned();
    for n in 1..depth {
        text += &format!("  - {{ id: n{n}, needs: [n{}], {} }}\n", n - 1, node(n - 1));
    }
    text
}

#[test]
fn what_grows_from_node_to_node_fails_a_node_and_not_the_process() {
    let merged = nested(6000, |_| "node_type: merge".to_owned());
    let set = nested(600, |before| {
        format!(
            "node_type: set, parameters: {{ values: {{ v: '{{{{ steps.n{before}.output }}}}' }} }}"
        )
    });
    let mut doubled = "id: wide\nnodes:\n  - { id: n0, node_type: set, parameters: { values: { v: abcdefghijklmnop } } }\n".to_owned();
    for n in 1..60 {
        let before = n - 1;
        doubled += &format!(
            "  - {{ id: n{n}, node_type: set, needs: [n{before}], parameters: {{ values: {{ a: '{{{{ steps.n{before}.output }}}}', b: '{{{{ steps.n{before}.output }}}}' }} }} }}\n"
        );
    }
    let listed = "
id: wide
nodes:
  - { id: n0, node_type: set, parameters: { values: { v: abcdefghijklmnop } } }
".to_owned() + &(1..40).map(|n| {
        let before = if n == 1 { "n0".to_owned() } else { format!("m{}", n - 1) };
        format!("  - {{ id: a{n}, node_type: wait, needs: [{before}], parameters: {{ duration: 0ms }} }}\n  - {{ id: b{n}, node_type: wait, needs: [{before}], parameters: {{ duration: 0ms }} }}\n  - {{ id: m{n}, node_type: merge, needs: [a{n}, b{n}], parameters: {{ mode: list }} }}\n")
    }).collect::<String>();
    let long = "x".repeat(1 << 20);
    let [doubled, listed] = [doubled, listed].map(|text| text.replace("abcdefghijklmnop", &long));
    for text in [merged, set, doubled, listed] {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        let options = RunOptions::new().execution_id("r");
        let run = runner(&text, &[])
            .record(Value::Null, &options, &journal)
            .unwrap();
        assert_eq!((run.status, run.fault), (RunStatus::Failed, None));
        let failed = &run.nodes[run.failed.as_ref().unwrap()];
        let message = &failed.error.as_ref().unwrap().message;
        assert!(
            [
                "nested deeper",
                "larger than",
                "too deep",
                "too large",
                "deeper",
                "too much"
            ]
            .iter()
            .any(|part| message.contains(part)),
            "{message}"
        );
        // What is on record of it can be read.
        let again =
            runner(&text, &[]).resume(journal.interrupted("r").unwrap(), &RunOptions::new());
        assert_eq!(again.unwrap().fault, None);
    }
}

/// What was called off within a node, of which nobody knows what it did, is told before it is called again.
#[test]
fn what_is_called_again_is_told_before() {
    let each = "
id: w
nodes:
  - { id: pay, node_type: test.echo, foreach: { items: [1, 2, 3, 4], concurrency: 1 }, parameters: { n: '{{ item }}' } }
  - { id: end, node_type: noop, needs: [pay] }
";
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let stop = Stop::new();
    let by = stop.clone();
    let options = RunOptions::new()
        .execution_id("r")
        .stop(stop)
        .listener(move |_| by.gracefully());
    let first = runner(each, &[]);
    assert_eq!(
        first
            .record(Value::Null, &options, &journal)
            .unwrap()
            .status,
        RunStatus::Cancelled
    );
    let interrupted = journal.interrupted("r").unwrap();
    let repeated = interrupted.repeated(first.checked()).unwrap();
    assert_eq!(repeated.len(), 1);
    assert_eq!(
        (repeated[0].node.as_str(), repeated[0].node_type.as_str()),
        ("pay", "test.echo")
    );
    drop(interrupted);

    // Also in what was called: a copy of the journal as it is when the process is killed in it.
    let whole = dir.path().join("whole");
    let at = dir.path().join("at");
    let journal = open(&whole);
    let (from, to) = (whole.clone(), at.clone());
    let options = RunOptions::new().execution_id("r").listener(move |told| {
        if let Told::Began { node: "first/one" } = told {
            crate::journal::snapshot(&from, &to);
        }
    });
    let main = runner(MAIN, &[ADD]);
    main.record(value!({"n": 1}), &options, &journal).unwrap();
    let interrupted = open(&at).interrupted("r").unwrap();
    let repeated = interrupted.repeated(main.checked()).unwrap();
    let told: Vec<_> = repeated
        .iter()
        .map(|node| (node.execution_id.as_str(), node.node.as_str()))
        .collect();
    assert_eq!(told, [("r/first", "one")]);
}

/// Runs that another one called go with that one, and with nothing else.
#[test]
fn what_a_running_run_called_stays() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let inner = journal.clone();
    let main = format!("{MAIN}  - {{ id: end, node_type: noop, needs: [first] }}\n");
    let options = RunOptions::new().execution_id("r").listener(move |told| {
        if let Told::Began { node: "end" } = told {
            assert_eq!(inner.forget_before(jiff::Timestamp::MAX).unwrap(), 0);
            let refused = inner.forget("r/first").unwrap_err().to_string();
            assert_eq!(
                refused,
                "the run `r/first` was called by `r`, and goes with that one"
            );
        }
    });
    let run = runner(&main, &[ADD])
        .record(value!({"n": 1}), &options, &journal)
        .unwrap();
    assert_eq!(run.status, RunStatus::Success, "{run:?}");
    let refused = journal.interrupted("r/first").unwrap_err().to_string();
    assert_eq!(
        refused,
        "the run `r/first` was called by `r`, and goes with that one"
    );
    assert_eq!(journal.runs(9).unwrap().len(), 1);
    assert_eq!(journal.all_runs(9).unwrap().len(), 2);
    assert_eq!(journal.forget_before(jiff::Timestamp::MAX).unwrap(), 2);
}

/// A database that somebody has written to does not bring it down, nor does one run hide the others.
#[test]
fn a_hostile_database_is_stood() {
    let text = "id: w\nnodes:\n  - { id: a, node_type: fail, parameters: { message: no } }\n";
    for sql in [
        "UPDATE entries SET place = (place | 4294967295) WHERE place = (SELECT max(place) FROM entries)",
        "UPDATE runs SET number = 9223372036854775807 WHERE execution_id = 'r'",
        "UPDATE runs SET number = 2147483648 WHERE execution_id = 'r'",
        "UPDATE runs SET number = -1 WHERE execution_id = 'r'",
        "UPDATE entries SET attempts = 4294967295",
        "UPDATE entries SET took = -9223372036854775808",
        "UPDATE entries SET at = 9223372036854775807",
        "UPDATE runs SET began = -9223372036854775808",
        "UPDATE runs SET called_by = execution_id WHERE execution_id = 'r'",
        "UPDATE runs SET input = x'c1' WHERE execution_id = 'r'",
        "UPDATE entries SET status = 'splendid'",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        for id in ["r", "s"] {
            let options = RunOptions::new().execution_id(id);
            runner(text, &[])
                .record(Value::Null, &options, &journal)
                .unwrap();
        }
        drop(journal);
        let db = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
        assert!(db.execute(sql, []).unwrap() > 0, "{sql}");
        drop(db);
        let journal = open(dir.path());
        assert!(!journal.runs(10).unwrap().is_empty(), "{sql}");
        let _ = journal.run("r");
        if let Ok(interrupted) = journal.interrupted("r") {
            let _ = runner(text, &[]).resume(interrupted, &RunOptions::new());
        }
        let _ = journal.forget("r");
    }
}

#[test]
fn names_that_would_do_harm_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let one = runner("id: w\nnodes:\n  - { id: a, node_type: noop }\n", &[]);
    for name in ["a\u{1b}[2J".to_owned(), "x".repeat(257)] {
        let options = RunOptions::new().execution_id(name);
        let refused = one
            .record(Value::Null, &options, &journal)
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("expected a name of 1 to 256 bytes"),
            "{refused}"
        );
        assert!(
            !refused.contains('\u{1b}') && refused.len() < 200,
            "{refused}"
        );
    }
    assert!(journal.runs(9).unwrap().is_empty());
}

/// Several processes may begin a journal at once.
#[test]
fn a_journal_is_begun_once() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("runs");
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| Journal::open(&JournalSettings::new(&at)).unwrap());
            }
        });
    }
}
