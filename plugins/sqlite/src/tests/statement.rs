use super::*;

#[test]
fn a_query_gives_columns_and_rows_in_order() {
    let plugin = in_memory();
    let given = run(
        &plugin,
        query,
        &value!({"sql": "select 2 as z, 'x' as a union all select 3, null order by z"}),
    )
    .unwrap();
    assert_eq!(
        given.to_json().unwrap(),
        r#"{"columns":["z","a"],"rows":[{"z":2,"a":"x"},{"z":3,"a":null}],"row_count":2,"truncated":false}"#
    );
}

#[test]
fn values_pass_unchanged_through_parameters_and_columns() {
    let plugin = in_memory();
    for value in [
        value!(null),
        value!(0),
        value!(i64::MIN),
        value!(i64::MAX),
        value!(9_007_199_254_740_993_i64),
        value!(0.1),
        value!(-1e300),
        value!(f64::INFINITY),
        value!(""),
        value!("å \u{1F327} \u{0} '"),
        Value::Bytes(vec![0, 159, 146, 150].into()),
        Value::Bytes(vec![].into()),
    ] {
        let input = value!({"sql": "select ? as v", "params": [value.clone()]});
        let given = run(&plugin, query, &input).unwrap();
        let given = given.pointer("/rows/0/v").unwrap();
        // As text too: that tells integers from floats.
        assert_eq!(format!("{given:?}"), format!("{value:?}"));
        assert_eq!(*given, value);
    }
    let input =
        value!({"sql": "select ?1 as t, ?2 as f, typeof(?1) as s", "params": [true, false]});
    let given = run(&plugin, query, &input).unwrap();
    assert_eq!(
        given.pointer("/rows/0"),
        Some(&value!({"t": 1, "f": 0, "s": "integer"}))
    );
}

#[test]
fn parameters_by_name() {
    let plugin = in_memory();
    let input = value!({
        "sql": "select :a + @b - $c as sum, :a as again",
        "params": {"c": 1, "a": 10, "b": 5},
    });
    let given = run(&plugin, query, &input).unwrap();
    assert_eq!(
        given.pointer("/rows/0"),
        Some(&value!({"sum": 14, "again": 10}))
    );
}

#[track_caller]
fn not_bound(sql: &str, params: Value, reason: &str) -> Error {
    refused(
        &in_memory(),
        query,
        &value!({"sql": sql, "params": params}),
        ErrorKind::ValidationFailed,
        reason,
    )
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    let error = not_bound(
        "select ? as v",
        value!([u64::MAX]),
        "`params[0]` is `18446744073709551615`, expected an integer up to 9223372036854775807",
    );
    assert_eq!(error.details().get("path"), Some(&"params[0]".into()));
    not_bound("select ? as v", value!([f64::NAN]), "`params[0]`");
    not_bound(
        "select ? as v",
        value!([[1]]),
        "`params[0]` is `[1]`, expected null",
    );
    not_bound("select :v as v", value!({"v": {}}), "`params.v` is `{}`");
    not_bound(
        "select ? as v",
        value!([]),
        "`params` holds `0` values, expected `1`",
    );
    not_bound(
        "select 1 as v",
        value!([1]),
        "holds `1` values, expected `0`",
    );
    not_bound(
        "select ?3 as v",
        value!([1]),
        "holds `1` values, expected `3`",
    );
    not_bound(
        "select :v as v",
        value!({}),
        "holds no `v`, which the sql names",
    );
    not_bound(
        "select :v as v",
        value!({"v": 1, "w": 2}),
        "holds `w`, which the sql does not name",
    );
    not_bound(
        "select ? as v",
        value!({"v": 1}),
        "parameter `1` of the sql has no name",
    );
    not_bound(
        "select 1 as v",
        value!(7),
        "`params` is `7`, expected a list or a map",
    );
}

#[test]
fn max_rows_cuts_and_says_so() {
    let plugin = in_memory();
    let sql = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select i from n";
    for (max_rows, count, truncated) in [(4, 4, true), (5, 5, false), (6, 5, false)] {
        let given = run(&plugin, query, &value!({"sql": sql, "max_rows": max_rows})).unwrap();
        assert_eq!(given.get("row_count"), Some(&count.into()));
        assert_eq!(given.get("truncated"), Some(&truncated.into()));
        let rows = given.get("rows").and_then(Value::as_list).unwrap();
        assert_eq!(rows.len(), usize::try_from(count).unwrap());
    }
    refused(
        &plugin,
        query,
        &value!({"sql": sql, "max_rows": 0}),
        ErrorKind::InvalidParameters,
        "at `max_rows`",
    );
}

#[test]
fn a_query_does_not_write() {
    let plugin = in_memory();
    set_up(&plugin, &["create table t (x)"]);
    for sql in [
        "insert into t values (1)",
        "insert into t values (1) returning x",
        "delete from t",
        "drop table t",
        "create table u (x)",
        "with n as (select 1) insert into t select * from n",
        "pragma user_version = 3",
    ] {
        refused(
            &plugin,
            query,
            &value!({"sql": sql}),
            ErrorKind::ValidationFailed,
            "use `sqlite.execute`",
        );
    }
    assert_eq!(rows(&plugin, "select count(*) as n from t"), value!([[0]]));
    assert_eq!(rows(&plugin, "pragma user_version"), value!([[0]]));
    // Telling how a statement would run is no writing.
    run(
        &plugin,
        query,
        &value!({"sql": "explain query plan delete from t"}),
    )
    .unwrap();
}

#[test]
fn what_belongs_to_the_plugin_is_refused_to_callers() {
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("other.db");
    let plugin = in_file(&directory.path().join("own.db"));
    set_up(&plugin, &["create table t (x)"]);
    let attach = format!("attach '{}' as other", text(&other));
    let vacuum = format!("vacuum into '{}'", text(&other));
    for sql in [
        "begin",
        "commit",
        "rollback",
        "savepoint s",
        "release s",
        "detach main",
        "pragma journal_mode = delete",
        "pragma query_only = 1",
        "pragma writable_schema = 1",
        attach.as_str(),
    ] {
        for refusal in [
            run(&plugin, query, &value!({"sql": sql})),
            run(&plugin, execute, &value!({"sql": sql})),
        ] {
            is(
                refusal,
                ErrorKind::ValidationFailed,
                "the statement is not allowed",
            );
        }
    }
    // Into a file or not, it goes through another.
    for sql in ["vacuum", vacuum.as_str()] {
        is(
            run(&plugin, execute, &value!({"sql": sql})),
            ErrorKind::ValidationFailed,
            "the statement is not allowed",
        );
    }
    assert!(!other.exists());
    set_up(&plugin, &["analyze", "reindex", "pragma user_version = 7"]);
    assert_eq!(rows(&plugin, "pragma user_version"), value!([[7]]));
    assert_eq!(
        rows(&plugin, "select name from pragma_table_info('t')"),
        value!([["x"]])
    );
}

#[track_caller]
fn not_queried(sql: &str, kind: ErrorKind, reason: &str) -> Error {
    refused(&in_memory(), query, &value!({"sql": sql}), kind, reason)
}

#[test]
fn queries_that_are_wrong_are_refused_in_the_words_of_sqlite() {
    let kind = ErrorKind::InvalidParameters;
    let error = not_queried("select 1 frm t", kind, "near \"t\": syntax error");
    assert_eq!(error.details().get("offset"), Some(&13.into()));
    not_queried("select * from t", kind, "no such table: t");
    not_queried("select", kind, "incomplete input");
    not_queried(
        "select 1 as a; select 2 as b",
        kind,
        "more than one statement",
    );
    not_queried(
        "select json('{') as j",
        ErrorKind::ExecutionError,
        "malformed JSON",
    );
    let kind = ErrorKind::ValidationFailed;
    not_queried(
        "select 1 as id, 2 as id",
        kind,
        "more than one column `id`; name them apart with `as`",
    );
    not_queried("", kind, "gives no columns");
    not_queried("-- nothing", kind, "gives no columns");
    not_queried(
        "select cast(x'ff' as text) as t",
        ErrorKind::ExecutionError,
        "column `t` of row `1` is a text that is not utf-8",
    );
    run(
        &in_memory(),
        query,
        &value!({"sql": "select 1 as a; -- and no more"}),
    )
    .unwrap();
}

#[test]
fn execute_tells_what_it_changed() {
    let plugin = in_memory();
    for (sql, changes, last_insert_id) in [
        ("create table t (id integer primary key, x)", 0, None),
        ("insert into t (x) values ('a'), ('b')", 2, Some(2)),
        ("create index i on t (x)", 0, None),
        ("update t set x = x || '!'", 2, None),
        ("update t set x = 1 where id = 9", 0, None),
        ("insert into t select 9, 'c' where 0", 0, None),
        ("insert into t values (7, 'c')", 1, Some(7)),
        (
            "insert into t values (7, 'd') on conflict (id) do nothing",
            0,
            None,
        ),
        ("delete from t where id = 1", 1, None),
        ("create table u as select * from t", 0, None),
        ("drop table u", 0, None),
    ] {
        let given = run(&plugin, execute, &value!({"sql": sql})).unwrap();
        let expected = value!({"changes": changes, "last_insert_id": last_insert_id});
        assert_eq!(given, expected, "{sql}");
    }
    assert_eq!(
        rows(&plugin, "select id, x from t order by id"),
        value!([[2, "b!"], [7, "c"]])
    );
}

#[test]
fn execute_binds_as_query_does() {
    let plugin = in_memory();
    set_up(&plugin, &["create table t (a, b)"]);
    run(
        &plugin,
        execute,
        &value!({"sql": "insert into t values (?, ?)", "params": [1, "x"]}),
    )
    .unwrap();
    run(
        &plugin,
        execute,
        &value!({"sql": "update t set b = :b where a = :a", "params": {"a": 1, "b": "y"}}),
    )
    .unwrap();
    assert_eq!(rows(&plugin, "select * from t"), value!([[1, "y"]]));
}

#[test]
fn execute_refuses_what_gives_rows_and_what_breaks_a_rule() {
    let plugin = in_memory();
    set_up(
        &plugin,
        &[
            "create table t (x integer primary key, y text not null check (y <> ''))",
            "insert into t values (1, 'a')",
        ],
    );
    let kind = ErrorKind::ValidationFailed;
    for (sql, reason) in [
        ("select 1", "use `sqlite.query`"),
        (
            "insert into t values (2, 'b') returning x",
            "leave out `returning`",
        ),
        (
            "insert into t values (1, 'b')",
            "UNIQUE constraint failed: t.x",
        ),
        (
            "insert into t values (2, null)",
            "NOT NULL constraint failed: t.y",
        ),
        (
            "insert into t values (2, 'b'), (3, '')",
            "CHECK constraint failed",
        ),
        ("insert into t values ('x', 'b')", "datatype mismatch"),
    ] {
        refused(&plugin, execute, &value!({"sql": sql}), kind, reason);
    }
    let kind = ErrorKind::InvalidParameters;
    for (sql, reason) in [
        (
            "insert into t values (1, 'b'); drop table t",
            "more than one statement",
        ),
        (
            "insrt into t values (1, 'b')",
            "near \"insrt\": syntax error",
        ),
        ("insert into u values (1)", "no such table: u"),
        ("", "no statement"),
    ] {
        refused(&plugin, execute, &value!({"sql": sql}), kind, reason);
    }
    assert_eq!(rows(&plugin, "select * from t"), value!([[1, "a"]]));
}

#[test]
fn the_schemas_say_what_the_fields_are() {
    let (input, output) = Executor::<Sqlite, _>::schemas(query);
    let [input, output] = [input, output].map(|schema| Value::from_serialize(&schema).unwrap());
    for (schema, pointer, expected) in [
        (&input, "/required", value!(["sql"])),
        (&input, "/additionalProperties", value!(false)),
        (&input, "/properties/max_rows/minimum", value!(1)),
        (&input, "/properties/max_rows/default", value!(10_000)),
        (
            &input,
            "/properties/params/type",
            value!(["array", "object"]),
        ),
        (&output, "/properties/rows/items/type", value!("object")),
    ] {
        assert_eq!(schema.pointer(pointer), Some(&expected), "{pointer}");
    }
}
