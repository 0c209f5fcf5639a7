//! Runs that are put on record, cut off, and gone on with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use floe_registry::api::{Value, value};
use floe_workflow::{
    Document, Journal, JournalError, JournalSettings, JournalSync, Limits, NodeStatus,
    RecordStatus, Run, RunOptions, RunStatus, Runner, Stop, Validator,
};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::fake::{Fake, Known, runner};
use crate::random::{interpret, shapes, text};

const DIAMOND: &str = "
id: diamond
nodes:
  - { id: a, node_type: test.echo, parameters: { v: '{{ input.v }}' } }
  - { id: b, node_type: test.echo, needs: [a], parameters: { v: '{{ steps.a.output.v + 1 }}' } }
  - { id: c, node_type: test.echo, needs: [a], parameters: { v: '{{ steps.a.output.v + 2 }}' } }
  - { id: d, node_type: merge, needs: [b, c] }
";

fn open(directory: &Path) -> Journal {
    Journal::open(&JournalSettings::new(directory)).unwrap()
}

fn named(id: &str) -> RunOptions {
    RunOptions::new().execution_id(id)
}

/// Reads, checks and makes ready what a run was begun with.
fn runner_of(text: &str) -> Runner<Fake> {
    let document = Document::read(text, floe_workflow::Format::Yaml, &Limits::default()).unwrap();
    Runner::new(
        Fake::default(),
        Validator::new(Known).validate(document).unwrap(),
    )
}

/// Goes on with a run of a journal, as another process would; gives what was called for it.
fn resume(directory: &Path, id: &str) -> Result<(Run, BTreeMap<String, usize>), JournalError> {
    let interrupted = open(directory).interrupted(id)?;
    let runner = runner_of(interrupted.text());
    let run = runner.resume(interrupted, &RunOptions::new())?;
    Ok((run, runner.caller().counts()))
}

/// The journal's files as they are at this moment: what is left of it when the process is killed now.
pub(crate) fn snapshot(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// Runs, and has the journal as it was at each moment at which somebody is told something, with the nodes of
/// which was told by then that they have ended.
fn killed_everywhere(
    runner: &Runner<Fake>,
    input: Value,
    options: RunOptions,
) -> (Run, TempDir, Vec<(PathBuf, Vec<String>)>) {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(&directory.path().join("whole"));
    let moments = Arc::new(Mutex::new((Vec::new(), Vec::<String>::new())));
    let (seen, base) = (moments.clone(), directory.path().to_owned());
    let options = options.listener(move |told| {
        let mut seen = seen.lock().unwrap();
        if let floe_workflow::Told::Ended { node, .. } = told {
            seen.1.push(node.to_owned());
        }
        let to = base.join(format!("at-{}", seen.0.len()));
        snapshot(&base.join("whole"), &to);
        let ended = seen.1.clone();
        seen.0.push((to, ended));
    });
    let run = runner.record(input, &options, &journal).unwrap();
    let moments = std::mem::take(&mut moments.lock().unwrap().0);
    (run, directory, moments)
}

#[test]
fn what_a_run_did_is_on_record() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let options = named("r1").tenant("acme").user("ann");
    let runner = runner(&format!(
        "{DIAMOND}  - {{ id: e, node_type: noop, when: 1 > 2, needs: [d] }}
  - {{ id: f, node_type: noop, needs: [e] }}\n"
    ));
    let run = runner.record(value!({"v": 1}), &options, &journal).unwrap();
    assert_eq!(run.status, RunStatus::Success);
    assert_eq!((run.execution_id.as_str(), run.attempt), ("r1", 1));
    assert!(run.ended >= run.started);

    let record = journal.run("r1").unwrap();
    assert_eq!(
        record.summary.status,
        RecordStatus::Ended(RunStatus::Success)
    );
    assert_eq!(record.summary.workflow, "diamond");
    assert_eq!(record.summary.tenant.as_deref(), Some("acme"));
    assert_eq!(record.summary.user, "ann");
    assert_eq!(record.input, value!({"v": 1}));
    let nodes: BTreeMap<_, _> = record
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node.status.unwrap().as_str()))
        .collect();
    assert_eq!(
        nodes,
        BTreeMap::from([
            ("a", "success"),
            ("b", "success"),
            ("c", "success"),
            ("d", "success"),
            ("e", "skipped"),
            ("f", "skipped"),
        ])
    );
    assert_eq!(record.nodes[0].id, "a", "in the order in which they began");
    assert_eq!(record.nodes[0].attempts, 1);
    assert!(record.nodes[0].began <= record.nodes[0].ended);
    assert_eq!(record.nodes.last().unwrap().began, None, "f never began");
    let output = journal.output("r1", "d").unwrap();
    assert_eq!(output, Some(value!({"b": {"v": 2}, "c": {"v": 3}})));
    assert_eq!(journal.output("r1", "e").unwrap(), None);

    // And for who opens it later.
    drop(journal);
    let journal = open(directory.path());
    assert_eq!(journal.runs(10).unwrap().len(), 1);
    assert_eq!(journal.run("r1").unwrap(), record);
}

#[test]
fn killed_at_any_moment_it_goes_on_and_repeats_nothing_that_ended() {
    let runner = runner_of(DIAMOND);
    let (run, _kept, moments) = killed_everywhere(&runner, value!({"v": 1}), named("r1"));
    assert!(moments.len() >= 8, "{}", moments.len());
    for (at, ended) in moments {
        let is_over = match resume(&at, "r1") {
            Ok((resumed, called)) => {
                assert_eq!(resumed.output, run.output);
                assert_eq!(resumed.attempt, 2);
                for node in &ended {
                    assert!(!called.contains_key(node), "{node} again, after {ended:?}");
                }
                assert!(called.values().all(|count| *count == 1), "{called:?}");
                false
            }
            Err(JournalError::Ended { .. }) => true,
            Err(error) => panic!("{error}"),
        };
        assert!(!is_over || ended.len() == 4, "{ended:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn random_graphs_go_on_to_what_they_would_have_given(
        shapes in shapes(),
        concurrency in 1_u32..6,
        moment in any::<prop::sample::Index>(),
    ) {
        let text = text(&shapes, concurrency);
        let runner = runner_of(&text);
        let options = named("r").keep_outputs();
        let (_run, _kept, moments) = killed_everywhere(&runner, Value::Null, options);
        if moments.is_empty() {
            return Ok(());
        }
        let (at, ended) = moment.get(&moments);
        let (run, called) = resume(at, "r").map_or_else(
            |error| match error {
                JournalError::Ended { .. } => Ok(None),
                other => Err(TestCaseError::fail(other.to_string())),
            },
            |done| Ok(Some(done)),
        )?.unzip();
        let (Some(run), Some(called)) = (run, called) else { return Ok(()) };
        for (at, (status, output)) in interpret(&shapes).iter().enumerate() {
            let node = &run.nodes[&format!("n{at}")];
            prop_assert_eq!(node.status.as_str(), *status, "n{}", at);
            prop_assert_eq!(node.output.as_deref(), output.as_ref(), "n{}", at);
        }
        prop_assert!(ended.iter().all(|node| !called.contains_key(node)));
        prop_assert!(called.values().all(|count| *count == 1));
    }
}

/// Has a file be its owner's alone.
fn close(file: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// A journal of small pages, so that there are many places to cut it at, and not too many bytes.
fn small(directory: &Path) -> Journal {
    fs::create_dir_all(directory).unwrap();
    let db = rusqlite::Connection::open(directory.join("journal.db")).unwrap();
    db.execute_batch("PRAGMA page_size = 512; VACUUM;").unwrap();
    drop(db);
    close(&directory.join("journal.db"));
    open(directory)
}

/// A directory in memory where the system has one, so that thousands of journals are opened and closed quickly.
fn quick() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// What comes of a journal that was cut: whether the run went on, was over, or cannot go on, and why.
fn outcome_of_cut(at: &Path, whole: &Value) -> &'static str {
    let read = |directory: &Path| {
        let journal = Journal::open(&JournalSettings::new(directory))?;
        let interrupted = journal.interrupted("r1")?;
        let runner = runner_of(interrupted.text());
        runner.resume(interrupted, &RunOptions::new())
    };
    match read(at) {
        Ok(run) if run.fault.is_some() => "told at the run",
        Ok(run) => {
            assert_eq!(&run.output, whole);
            "went on"
        }
        Err(JournalError::Ended { .. }) => "was over",
        Err(JournalError::Unknown { .. }) => "has no such run",
        Err(error) => {
            assert!(error.to_string().contains("journal.db"), "{error}");
            "cannot be read"
        }
    }
}

#[test]
fn cut_at_every_byte_it_goes_on_or_says_why_not() {
    let directory = quick();
    let (whole, killed) = (
        directory.path().join("whole"),
        directory.path().join("killed"),
    );
    let journal = small(&whole);
    let run = runner_of(DIAMOND)
        .record(value!({"v": 1}), &named("r1"), &journal)
        .unwrap();
    snapshot(&whole, &killed);
    drop(journal);
    for name in ["journal.db-wal", "journal.db"] {
        // The log as it is left by a kill, and the database as it is left by an orderly end.
        let from = if name == "journal.db" {
            &whole
        } else {
            &killed
        };
        let bytes = fs::read(from.join(name)).unwrap();
        assert!(bytes.len() > 4000, "{name} has {} bytes", bytes.len());
        let tally = Mutex::new(BTreeMap::<&str, usize>::new());
        std::thread::scope(|scope| {
            for half in 0..2 {
                let (bytes, tally, run) = (&bytes, &tally, &run);
                let at = directory.path().join(format!("cut-{half}"));
                scope.spawn(move || {
                    for length in (half..=bytes.len()).step_by(2) {
                        let _ = fs::remove_dir_all(&at);
                        snapshot(from, &at);
                        fs::write(at.join(name), &bytes[..length]).unwrap();
                        let outcome = outcome_of_cut(&at, &run.output);
                        *tally.lock().unwrap().entry(outcome).or_default() += 1;
                    }
                });
            }
        });
        let tally = tally.into_inner().unwrap();
        println!("{name}: {tally:?}");
        assert!(tally["was over"] >= 1, "{tally:?}");
        if name == "journal.db-wal" {
            assert!(tally["went on"] > 1000, "{tally:?}");
            assert!(tally["has no such run"] > 1000, "{tally:?}");
            assert!(!tally.contains_key("told at the run"), "{tally:?}");
        } else {
            assert!(tally["cannot be read"] > 1000, "{tally:?}");
        }
    }
}

#[test]
fn what_is_damaged_is_told_and_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{DIAMOND}  - {{ id: e, node_type: test.fail, needs: [d] }}\n");
    let run = runner_of(&text).record(value!({"v": 1}), &named("r1"), &open(directory.path()));
    assert_eq!(run.unwrap().status, RunStatus::Failed);
    let db = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    let change = "UPDATE entries SET output = x'01' WHERE what = 2 AND node = 'b'";
    assert_eq!(db.execute(change, []).unwrap(), 1);
    let (run, called) = resume(directory.path(), "r1").unwrap();
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(
        run.fault.as_deref(),
        Some(
            "what is on record of the run `r1` is damaged: \
             what `b` gave is not what its digest says"
        )
    );
    assert!(called.is_empty(), "{called:?}");
    for (change, expected) in [
        (
            "UPDATE entries SET status = 'splendid' WHERE what = 2 AND node = 'a'",
            "what is on record of the run `r1` is damaged: `splendid` is no status of a node",
        ),
        (
            "UPDATE runs SET format = 'toml'",
            "what is on record of the run `r1` is damaged: `toml` is no format of workflows",
        ),
    ] {
        assert_eq!(db.execute(change, []).unwrap(), 1);
        let error = resume(directory.path(), "r1").unwrap_err();
        assert_eq!(error.to_string(), expected);
        db.execute_batch("UPDATE entries SET status = 'success' WHERE node = 'a'; UPDATE runs SET format = 'yaml'")
            .unwrap();
    }
}

#[test]
fn what_cannot_be_written_ends_the_run_and_is_done_later() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let db = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    db.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.node = 'd' \
         BEGIN SELECT RAISE(FAIL, 'the disk is full'); END",
    )
    .unwrap();
    let text = DIAMOND.replace("merge", "test.echo");
    let runner = runner_of(&text);
    let run = runner
        .record(value!({"v": 1}), &named("r1"), &journal)
        .unwrap();
    assert_eq!(run.status, RunStatus::Failed);
    let fault = run.fault.unwrap();
    assert!(
        fault.contains("journal.db` cannot be written: the disk is full"),
        "{fault}"
    );
    assert_eq!(run.nodes["d"].status, NodeStatus::Cancelled);
    assert!(
        !runner.caller().counts().contains_key("d"),
        "what is not on record is not begun"
    );
    // Another run of the same journal is not held up.
    let other = runner_of("id: w\nnodes:\n  - { id: x, node_type: noop }\n");
    let run = other.record(Value::Null, &named("r2"), &journal).unwrap();
    assert_eq!((run.status, run.fault), (RunStatus::Success, None));

    db.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(
        journal.run("r1").unwrap().summary.status,
        RecordStatus::Interrupted
    );
    drop(journal);
    let (run, called) = resume(directory.path(), "r1").unwrap();
    assert_eq!(run.status, RunStatus::Success);
    assert_eq!(called, BTreeMap::from([("d".to_owned(), 1)]));
}

#[test]
fn what_a_run_failed_at_is_done_again_and_what_it_dealt_with_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let text = "
id: w
nodes:
  - { id: a, node_type: test.echo, parameters: { v: 1 } }
  - { id: b, node_type: test.fail, on_error: continue }
  - { id: c, node_type: test.fail, on_error: error-port }
  - { id: d, node_type: test.echo, needs: [{ node: c, port: error }], parameters: { why: '{{ steps.c.error.details.code }}' } }
  - { id: e, node_type: test.fail, needs: [a, b, d] }
";
    let run = runner_of(text)
        .record(Value::Null, &named("r"), &open(directory.path()))
        .unwrap();
    assert_eq!(
        (run.status, run.failed.as_deref()),
        (RunStatus::Failed, Some("e"))
    );
    for attempt in 2..4 {
        let (run, called) = resume(directory.path(), "r").unwrap();
        assert_eq!(
            (run.status, run.failed.as_deref()),
            (RunStatus::Failed, Some("e"))
        );
        assert_eq!(called, BTreeMap::from([("e".to_owned(), 1)]));
        assert_eq!(run.attempt, attempt);
        assert_eq!(run.nodes["c"].status, NodeStatus::Failed);
        assert_eq!(
            run.nodes["c"].error.as_ref().unwrap().details,
            value!({"code": 7})
        );
    }
    let record = open(directory.path()).run("r").unwrap();
    assert_eq!(record.summary.attempt, 3);
    assert_eq!(
        record.summary.status,
        RecordStatus::Ended(RunStatus::Failed)
    );
}

#[test]
fn what_was_stopped_or_late_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let stop = Stop::new();
    let switch = stop.clone();
    let options = named("stopped")
        .stop(stop)
        .listener(move |_| switch.gracefully());
    let text = "
id: w
nodes:
  - { id: a, node_type: test.echo }
  - { id: b, node_type: test.echo, needs: [a] }
";
    let run = runner_of(text)
        .record(Value::Null, &options, &journal)
        .unwrap();
    assert_eq!(run.status, RunStatus::Cancelled);
    let late = "
id: late
settings: { timeout: 30ms }
nodes:
  - { id: a, node_type: wait, on_error: continue, parameters: { duration: '{{ \"10s\" if context.attempt == 1 else \"1ms\" }}' } }
  - { id: b, node_type: test.echo, needs: [a], parameters: { attempt: '{{ context.attempt }}' } }
";
    let run = runner_of(late)
        .record(Value::Null, &named("late"), &journal)
        .unwrap();
    assert_eq!(run.status, RunStatus::TimedOut);
    drop(journal);
    let (run, called) = resume(directory.path(), "stopped").unwrap();
    assert_eq!(run.status, RunStatus::Success);
    assert_eq!(called, BTreeMap::from([("b".to_owned(), 1)]));
    let (run, _) = resume(directory.path(), "late").unwrap();
    assert_eq!(run.status, RunStatus::Success, "{run:?}");
    assert_eq!(
        run.nodes["a"].status,
        NodeStatus::Success,
        "that the time was over was not its fault"
    );
    assert_eq!(run.output, value!({"attempt": 2}));
}

#[test]
fn one_at_a_time_runs_a_run() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let inner = journal.clone();
    let refused = Arc::new(Mutex::new(Vec::new()));
    let seen = refused.clone();
    let options = named("r").listener(move |_| {
        let mut seen = seen.lock().unwrap();
        seen.push(inner.interrupted("r").unwrap_err().to_string());
        seen.push(inner.forget("r").unwrap_err().to_string());
        assert_eq!(inner.forget_before(jiff::Timestamp::MAX).unwrap(), 0);
        assert_eq!(inner.runs(1).unwrap()[0].status, RecordStatus::Running);
    });
    let one = runner_of("id: w\nnodes:\n  - { id: a, node_type: noop }\n");
    one.record(Value::Null, &options, &journal).unwrap();
    let refused = refused.lock().unwrap();
    assert_eq!(refused.len(), 4);
    for why in &*refused {
        assert_eq!(
            why,
            "the run `r` is being run, by this process or another one"
        );
    }
    let again = one.record(Value::Null, &named("r"), &journal).unwrap_err();
    assert_eq!(
        again.to_string(),
        "there is a run called `r` already: resume it, or choose another execution id"
    );
    assert_eq!(
        journal.interrupted("r").unwrap_err().to_string(),
        "the run `r` ended well: nothing of it is left to be done"
    );
    assert_eq!(
        journal.run("rr").unwrap_err().to_string(),
        "no run is called `rr`; did you mean `r`?"
    );
}

#[test]
fn a_run_goes_on_with_its_own_workflow_only() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let text = "id: w\nnodes:\n  - { id: a, node_type: test.fail }\n";
    runner_of(text)
        .record(Value::Null, &named("r"), &journal)
        .unwrap();
    let other = runner_of(&text.replace("fail", "echo"));
    let error = other
        .resume(journal.interrupted("r").unwrap(), &RunOptions::new())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the run `r` was begun with another text of the workflow `w`: what ended of it may mean something else here"
    );
}

#[test]
fn runs_can_be_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let one = runner_of("id: w\nnodes:\n  - { id: a, node_type: noop }\n");
    for id in ["r1", "r2", "r3"] {
        one.record(Value::Null, &named(id), &journal).unwrap();
    }
    assert_eq!(journal.forget("r2").unwrap(), 1);
    let left: Vec<String> = journal
        .runs(9)
        .unwrap()
        .into_iter()
        .map(|run| run.execution_id)
        .collect();
    assert_eq!(left, ["r3", "r1"]);
    assert!(matches!(
        journal.forget("r2"),
        Err(JournalError::Unknown { .. })
    ));
    assert_eq!(journal.forget_before(jiff::Timestamp::MAX).unwrap(), 2);
    assert!(journal.runs(9).unwrap().is_empty());
    let left: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| name.to_str().unwrap().starts_with("journal.db")),
        "{left:?}"
    );
}

#[test]
fn many_runs_at_once_share_a_journal() {
    let directory = tempfile::tempdir().unwrap();
    // Two that have it open, as two processes would.
    let journals = [open(directory.path()), open(directory.path())];
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let journal = &journals[thread % 2];
            scope.spawn(move || {
                for round in 0..10 {
                    let id = format!("{thread}-{round}");
                    let run = runner_of(DIAMOND)
                        .record(value!({"v": round}), &named(&id), journal)
                        .unwrap();
                    assert_eq!(run.status, RunStatus::Success);
                    assert_eq!(run.fault, None);
                }
            });
        }
    });
    let runs = journals[0].runs(100).unwrap();
    assert_eq!(runs.len(), 40);
    for run in runs {
        let record = journals[1].run(&run.execution_id).unwrap();
        assert_eq!(record.nodes.len(), 4);
        assert!(
            record
                .nodes
                .iter()
                .all(|node| node.status == Some(NodeStatus::Success))
        );
    }
}

#[test]
fn what_is_no_journal_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("journal.db");
    let settings = JournalSettings::new(directory.path());
    assert!(Journal::find(&settings).unwrap().is_none());
    assert!(!file.exists(), "who only looks begins none");

    fs::write(&file, "this is a diary, and none of a program's").unwrap();
    close(&file);
    let error = Journal::open(&settings).unwrap_err().to_string();
    let expected =
        "journal.db` is no database, expected a journal of version 1: choose another directory";
    assert!(error.ends_with(expected), "{error}");
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "this is a diary, and none of a program's"
    );

    fs::remove_file(&file).unwrap();
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute_batch("CREATE TABLE recipes (name TEXT)")
        .unwrap();
    close(&file);
    let error = Journal::open(&settings).unwrap_err().to_string();
    assert!(
        error.contains("is a database of another program, expected a journal"),
        "{error}"
    );
    drop(db);

    fs::remove_file(&file).unwrap();
    drop(Journal::open(&settings).unwrap());
    let db = rusqlite::Connection::open(&file).unwrap();
    db.pragma_update(None, "user_version", 2).unwrap();
    let error = Journal::open(&settings).unwrap_err().to_string();
    assert!(
        error.contains("is a journal of version 2, expected a journal of version 1"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn what_is_on_record_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("runs");
    let journal = open(&inner);
    runner_of(DIAMOND)
        .record(value!({"v": 1}), &named("r"), &journal)
        .unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for entry in fs::read_dir(&inner).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn with_each_entry_on_the_disk_it_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let settings = JournalSettings::new(directory.path()).sync(JournalSync::Always);
    let journal = Journal::open(&settings).unwrap();
    let run = runner_of(DIAMOND)
        .record(value!({"v": 1}), &named("r"), &journal)
        .unwrap();
    assert_eq!((run.status, run.fault), (RunStatus::Success, None));
    assert!(run.duration < Duration::from_secs(60));
}

#[test]
fn what_a_node_says_of_one_before_it_is_the_same_when_the_run_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let text = "
id: w
nodes:
  - { id: a, node_type: test.echo, parameters: { v: 1 } }
  - { id: b, node_type: test.fail, on_error: continue, needs: [a] }
  - { id: stop, node_type: fail, needs: [b], when: context.attempt == 1, parameters: { message: no } }
  - id: c
    node_type: set
    needs: [a, b, stop]
    parameters: { values: { a: '{{ steps.a.attempts }}', b: '{{ steps.b.status }}', why: '{{ steps.b.error.message }}' } }
";
    let journal = open(directory.path());
    let run = runner_of(text).record(Value::Null, &named("r"), &journal);
    assert_eq!(run.unwrap().status, RunStatus::Failed);
    drop(journal);
    let (run, called) = resume(directory.path(), "r").unwrap();
    assert!(called.is_empty(), "{called:?}");
    let node = run.nodes["c"].output.as_deref().unwrap();
    assert_eq!(
        *node,
        value!({"a": 1, "b": "failed", "why": "as it was told"})
    );
}
