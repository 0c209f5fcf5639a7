use std::time::Duration;

use floe_plugin_api::{Cancellation, HealthState};

use super::*;

const ENDLESS: &str =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n";
const ENDLESS_COUNT: &str =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) as c from n";

#[test]
fn configurations_that_cannot_work_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&directory.path().join(name)).to_owned();
    std::fs::write(path("notes.txt"), "no database\n".repeat(200)).unwrap();
    for (config, reason) in [
        (value!({"path": ""}), "`path` is empty"),
        (
            value!({"path": ":memory:", "read_only": true}),
            "always empty",
        ),
        (
            value!({"path": path("none.db"), "read_only": true}),
            "unable to open database file",
        ),
        (
            value!({"path": path("no/such/directory.db")}),
            "unable to open database file",
        ),
        (
            value!({"path": path("notes.txt")}),
            "file is not a database",
        ),
    ] {
        is(
            start(&config).map(|_plugin| ()),
            ErrorKind::Configuration,
            reason,
        );
    }
    assert!(!directory.path().join("none.db").exists());
    for config in [value!({}), value!({"path": "a.db", "mode": "ro"})] {
        assert!(config.to_typed::<Config>().is_err(), "{config:?}");
    }
}

#[test]
fn a_path_is_a_path_and_no_uri() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file:x?mode=memory");
    in_file(&path).stop().unwrap();
    assert!(path.exists());
}

#[test]
fn what_was_written_is_there_after_a_stop() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("w.db");
    let plugin = in_file(&path);
    set_up(&plugin, &["create table t (x)", "insert into t values (1)"]);
    assert_eq!(rows(&plugin, "select x from t"), value!([[1]]));
    plugin.stop().unwrap();
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    let plugin = start(&value!({"path": text(&path), "read_only": true})).unwrap();
    assert_eq!(rows(&plugin, "select x from t"), value!([[1]]));
    let kind = ErrorKind::ValidationFailed;
    let reason = "`read_only` is set in the configuration";
    refused(
        &plugin,
        execute,
        &value!({"sql": "delete from t"}),
        kind,
        reason,
    );
    let csv = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/weather/seattle-weather.csv"
    );
    let input = value!({"path": csv, "table": "w"});
    refused(&plugin, import_csv, &input, kind, reason);
}

#[test]
fn a_query_ends_at_the_deadline_and_the_connection_lives_on() {
    let directory = tempfile::tempdir().unwrap();
    for plugin in [in_memory(), in_file(&directory.path().join("w.db"))] {
        let options = CallOptions::new().timeout(Duration::from_millis(20));
        let input = value!({"sql": ENDLESS_COUNT});
        let ended = query.execute(&plugin, &input, &options.context());
        is(ended, ErrorKind::ExecutionTimeout, "");
        assert_eq!(rows(&plugin, "select 1 as one"), value!([[1]]));
    }
}

#[test]
fn a_statement_that_writes_ends_at_the_deadline_without_a_trace() {
    let plugin = in_memory();
    set_up(&plugin, &["create table t (x)"]);
    let options = CallOptions::new().timeout(Duration::from_millis(20));
    let input = value!({"sql": format!("insert into t {ENDLESS}")});
    let ended = execute.execute(&plugin, &input, &options.context());
    is(ended, ErrorKind::ExecutionTimeout, "");
    assert_eq!(rows(&plugin, "select count(*) as n from t"), value!([[0]]));
}

#[test]
fn a_query_ends_when_it_is_cancelled() {
    let plugin = in_memory();
    let switch = Cancellation::new();
    let options = CallOptions::new().cancellation(switch.clone());
    let input = value!({"sql": ENDLESS_COUNT});
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| switch.cancel());
        query.execute(&plugin, &input, &options.context())
    });
    is(ended, ErrorKind::Cancelled, "");
}

#[test]
fn a_call_waits_for_the_writer_no_longer_than_its_deadline() {
    let plugin = in_memory();
    let outer = CallOptions::new();
    let inner = CallOptions::new().timeout(Duration::from_millis(20));
    let input = value!({"sql": "select 1 as one"});
    let ended = plugin.database.write(&outer.context(), |_session| {
        query.execute(&plugin, &input, &inner.context())
    });
    is(ended, ErrorKind::ExecutionTimeout, "");
    assert_eq!(rows(&plugin, "select 1 as one"), value!([[1]]));
}

#[test]
fn a_file_that_another_has_locked_is_worth_another_attempt() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("w.db");
    let plugin = in_file(&path);
    set_up(&plugin, &["create table t (x)"]);
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("begin immediate; insert into t values (1)")
        .unwrap();

    let options = CallOptions::new().timeout(Duration::from_millis(20));
    let input = value!({"sql": "insert into t values (2)"});
    let ended = execute.execute(&plugin, &input, &options.context());
    let error = is(ended, ErrorKind::Transient, "database is locked");
    assert_eq!(error.details().get("retry_after_ms"), Some(&200.into()));

    // Who reads is not kept from it, and sees what was there before.
    assert_eq!(rows(&plugin, "select count(*) as n from t"), value!([[0]]));
    other.execute_batch("commit").unwrap();
    assert_eq!(rows(&plugin, "select count(*) as n from t"), value!([[1]]));
}

#[test]
fn a_full_disk_is_a_resource_that_ran_out() {
    let plugin = in_memory();
    set_up(&plugin, &["create table t (x)"]);
    let options = CallOptions::new();
    plugin
        .database
        .write(&options.context(), |session| {
            session.own(|connection| Ok(connection.pragma_update(None, "max_page_count", 3)?))
        })
        .unwrap();
    refused(
        &plugin,
        execute,
        &value!({"sql": "insert into t values (zeroblob(100000))"}),
        ErrorKind::ResourceExhausted,
        "database or disk is full",
    );
}

#[test]
fn threads_read_and_write_at_once() {
    const THREADS: i64 = 4;
    const EACH: i64 = 25;
    let directory = tempfile::tempdir().unwrap();
    for plugin in [in_memory(), in_file(&directory.path().join("w.db"))] {
        set_up(&plugin, &["create table t (x)"]);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for number in 0..EACH {
                        let input = value!({"sql": "insert into t values (?)", "params": [number]});
                        run(&plugin, execute, &input).unwrap();
                        rows(&plugin, "select count(*) as n from t");
                    }
                });
            }
        });
        assert_eq!(
            rows(&plugin, "select count(*) as n, sum(x) as s from t"),
            value!([[THREADS * EACH, THREADS * (0..EACH).sum::<i64>()]])
        );
        plugin.stop().unwrap();
    }
}

#[test]
fn health_is_whether_the_database_answers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("w.db");
    for plugin in [in_memory(), in_file(&path)] {
        assert_eq!(plugin.health().state, HealthState::Healthy);
    }
    let plugin = start(&value!({"path": text(&path), "read_only": true})).unwrap();
    assert_eq!(plugin.health().state, HealthState::Healthy);
    std::fs::write(&path, "overwritten by something else".repeat(300)).unwrap();
    let health = plugin.health();
    assert_eq!(health.state, HealthState::Unhealthy);
    assert!(
        health.message.contains("not a database"),
        "{}",
        health.message
    );
}
