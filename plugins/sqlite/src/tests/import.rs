use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use floe_plugin_api::Cancellation;
use tempfile::NamedTempFile;

use super::*;
use crate::csv_file::Field;

const WEATHER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/weather/seattle-weather.csv"
);

fn file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

fn import(plugin: &Sqlite, content: impl AsRef<[u8]>, more: &Value) -> Result<Value> {
    let file = file(content);
    let mut input = value!({"path": text(file.path()), "table": "t"});
    if let (Value::Map(input), Some(more)) = (&mut input, more.as_map()) {
        for entry in more {
            input.insert(entry.key.as_str(), entry.value.clone());
        }
    }
    run(plugin, import_csv, &input)
}

#[test]
fn the_weather_of_seattle() {
    let plugin = in_memory();
    let given = run(
        &plugin,
        import_csv,
        &value!({"path": WEATHER, "table": "weather"}),
    )
    .unwrap();
    assert_eq!(
        given,
        value!({
            "table": "weather",
            "rows": 1461,
            "columns": [
                {"name": "date", "type": "TEXT"},
                {"name": "precipitation", "type": "REAL"},
                {"name": "temp_max", "type": "REAL"},
                {"name": "temp_min", "type": "REAL"},
                {"name": "wind", "type": "REAL"},
                {"name": "weather", "type": "TEXT"},
            ],
        })
    );

    // The same again, without a line of the plugin's.
    let content = std::fs::read_to_string(WEATHER).unwrap();
    let mut expected: BTreeMap<&str, (i64, f64)> = BTreeMap::new();
    for line in content.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        let (days, sum) = expected.entry(fields[5]).or_default();
        *days += 1;
        *sum += fields[2].parse::<f64>().unwrap();
    }
    assert_eq!(expected.values().map(|(days, _)| days).sum::<i64>(), 1461);

    let found = rows(
        &plugin,
        "select weather, count(*) as days, avg(temp_max) as mean from weather group by weather order by weather",
    );
    let found = found.as_list().unwrap();
    assert_eq!(found.len(), expected.len());
    for (found, (weather, (days, sum))) in found.iter().zip(expected) {
        let found = found.as_list().unwrap();
        assert_eq!(found[0].as_str(), Some(weather));
        assert_eq!(found[1].as_i64(), Some(days));
        #[expect(clippy::cast_precision_loss, reason = "a few hundred days")]
        let mean = sum / days as f64;
        assert!(
            (found[2].as_f64().unwrap() - mean).abs() < 1e-9,
            "{weather}"
        );
    }
}

#[test]
fn fields_are_numbers_only_where_nothing_is_lost() {
    for (text, expected) in [
        ("", Field::Empty),
        ("0", Field::Integer(0)),
        ("-12", Field::Integer(-12)),
        ("9223372036854775807", Field::Integer(i64::MAX)),
        ("-9223372036854775808", Field::Integer(i64::MIN)),
        ("0.5", Field::Real(0.5)),
        ("-0.5", Field::Real(-0.5)),
        ("1.5e-3", Field::Real(0.0015)),
    ] {
        assert_eq!(Field::read(text), expected);
    }
    for text in [
        "9223372036854775808",
        "007",
        "-01",
        "00.5",
        "-0",
        "+1",
        "1e5",
        "1.",
        ".5",
        "1.e5",
        "1.0e999",
        "1.5e",
        "1.5x",
        " 1",
        "1 ",
        "1,5",
        "-",
        "1.2.3",
        "NaN",
        "inf",
        "0x10",
        "１",
    ] {
        assert_eq!(Field::read(text), Field::Text(text));
    }
}

#[track_caller]
fn inferred(fields: &[&str], expected: &str) {
    let content = format!(
        "n,x\n{}\n",
        fields
            .iter()
            .map(|f| format!("1,{f}"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    let given = import(&in_memory(), content, &value!({})).unwrap();
    assert_eq!(
        given.pointer("/columns/1/type").and_then(Value::as_str),
        Some(expected),
        "{fields:?}"
    );
}

#[test]
fn types_are_those_of_the_whole_file() {
    inferred(&["1", "", "-3"], "INTEGER");
    inferred(&["1", "2.5", ""], "REAL");
    inferred(&["1", "2.5", "x"], "TEXT");
    inferred(&["", ""], "TEXT");
    inferred(&["98101", "01234"], "TEXT");
    inferred(&["1", "9223372036854775808"], "TEXT");
    // As a float, the integer would be another.
    inferred(&["9007199254740993", "0.5"], "TEXT");
    inferred(&["9007199254740992", "0.5"], "REAL");
    inferred(&["9007199254740993", "5"], "INTEGER");
}

#[test]
fn values_arrive_as_they_stand_in_the_file() {
    let plugin = in_memory();
    let content =
        "\u{feff}id,zip,big,note,mm\n1,01234,9223372036854775808,\"a \"\"b\"\",\nc\",\n2,,1,,0.5\n";
    let given = import(&plugin, content, &value!({})).unwrap();
    assert_eq!(given.get("rows"), Some(&2.into()));
    assert_eq!(
        rows(&plugin, "select * from t order by id"),
        value!([
            [1, "01234", "9223372036854775808", "a \"b\",\nc", null],
            [2, null, "1", null, 0.5],
        ])
    );
}

#[test]
fn without_a_header_and_with_another_delimiter() {
    let plugin = in_memory();
    let more = value!({"has_header": false, "delimiter": ";"});
    import(&plugin, "1;a,b\n2;c\n", &more).unwrap();
    let given = run(&plugin, query, &value!({"sql": "select * from t"})).unwrap();
    assert_eq!(
        given.get("columns"),
        Some(&value!(["column_1", "column_2"]))
    );
    assert_eq!(
        rows(&plugin, "select * from t"),
        value!([[1, "a,b"], [2, "c"]])
    );
}

#[test]
fn names_are_quoted_whatever_is_in_them() {
    let plugin = in_memory();
    let table = "we\"at; drop table x --";
    let content = "\"select\",\"a \"\"b\"\"\",c d\n1,2,3\n";
    let given = import(&plugin, content, &value!({"table": table})).unwrap();
    assert_eq!(given.get("table"), Some(&table.into()));
    let sql = "select \"select\", \"a \"\"b\"\"\", \"c d\" from \"we\"\"at; drop table x --\"";
    assert_eq!(rows(&plugin, sql), value!([[1, 2, 3]]));
}

#[test]
fn a_header_alone_makes_an_empty_table() {
    let plugin = in_memory();
    let given = import(&plugin, "a,b\n", &value!({})).unwrap();
    assert_eq!(given.get("rows"), Some(&0.into()));
    assert_eq!(rows(&plugin, "select * from t"), value!([]));
}

#[test]
fn a_table_that_is_there_is_refused_replaced_or_added_to() {
    let plugin = in_memory();
    import(&plugin, "a,b\n1,x\n", &value!({})).unwrap();
    let kind = ErrorKind::ValidationFailed;
    is(
        import(&plugin, "a,b\n2,y\n", &value!({"table": "T"})),
        kind,
        "the table `T` is there already; set `if_exists`",
    );

    let append = value!({"if_exists": "append"});
    let given = import(&plugin, "B,a\n7,2\n", &append).unwrap();
    assert_eq!(given.get("rows"), Some(&1.into()));
    // A text where the table has texts, although the file alone would be read as numbers.
    assert_eq!(
        rows(&plugin, "select a, b from t order by a"),
        value!([[1, "x"], [2, "7"]])
    );
    let error = is(
        import(&plugin, "a,b\n3,x\n04,y\n", &append),
        kind,
        "`04` in line `3` does not fit the column `a`, which is `INTEGER`",
    );
    assert_eq!(error.details().get("line"), Some(&3.into()));
    is(
        import(&plugin, "a,c\n3,x\n", &append),
        kind,
        "the table `t` has no column `c`",
    );
    assert_eq!(rows(&plugin, "select count(*) as n from t"), value!([[2]]));

    let replace = value!({"if_exists": "replace"});
    is(import(&plugin, "c\n1\n2,3\n", &replace), kind, "line `3`");
    assert_eq!(rows(&plugin, "select count(*) as n from t"), value!([[2]]));
    import(&plugin, "c\n1\n", &replace).unwrap();
    assert_eq!(rows(&plugin, "select * from t"), value!([[1]]));

    set_up(&plugin, &["create view v as select 1 as one"]);
    let more = value!({"table": "v", "if_exists": "replace"});
    is(import(&plugin, "c\n1\n", &more), kind, "`v` is a view");
    is(
        import(&plugin, "c\n1\n", &value!({"if_exists": "ignore"})),
        ErrorKind::InvalidParameters,
        "at `if_exists`",
    );
}

#[test]
fn a_row_that_breaks_a_rule_of_the_table_takes_all_back() {
    let plugin = in_memory();
    set_up(&plugin, &["create table t (a integer unique, b text)"]);
    let error = is(
        import(
            &plugin,
            "a,b\n1,x\n2,y\n1,z\n",
            &value!({"if_exists": "append"}),
        ),
        ErrorKind::ValidationFailed,
        "UNIQUE constraint failed: t.a",
    );
    assert_eq!(error.message(), "line `4` cannot be inserted");
    assert_eq!(rows(&plugin, "select count(*) as n from t"), value!([[0]]));
}

#[track_caller]
fn not_imported(content: impl AsRef<[u8]>, more: &Value, reason: &str) {
    let plugin = in_memory();
    is(
        import(&plugin, content, more),
        ErrorKind::ValidationFailed,
        reason,
    );
    assert_eq!(
        rows(&plugin, "select name from sqlite_schema"),
        value!([]),
        "something was left behind"
    );
}

#[test]
fn files_that_are_wrong_are_refused_with_their_line() {
    let none = value!({});
    not_imported("", &none, "is empty");
    not_imported("a,b\n1,2\n\"x\ny\",2\n1\n", &none, "line `5`");
    not_imported("a,b\n1,2,3\n", &none, "has `3` fields, expected `2`");
    not_imported(b"a,b\n1,2\n\xff,2\n", &none, "line `3`");
    not_imported(b"a,\xff\n1,2\n", &none, "line `1`");
    not_imported(
        "a,b,A\n1,2,3\n",
        &none,
        "column `3` in line `1` is named `A`, as one before it",
    );
    not_imported(
        "a, ,c\n1,2,3\n",
        &none,
        "column `2` in line `1` has no name",
    );
    not_imported("a\0\n1\n", &none, "has a name with a nul in it");
    not_imported(
        "a\n1\n",
        &value!({"table": ""}),
        "`table` is `\"\"`, expected a name",
    );
    not_imported("a\n1\n", &value!({"table": "a\0b"}), "expected a name");
    for delimiter in ["\"", "\n", "é"] {
        not_imported("a\n1\n", &value!({"delimiter": delimiter}), "`delimiter`");
    }
    let kind = ErrorKind::ValidationFailed;
    for (path, reason) in [
        ("/no/such/file.csv", "No such file"),
        (env!("CARGO_MANIFEST_DIR"), "is not a file"),
        ("/dev/null", "is not a file"),
    ] {
        let input = value!({"path": path, "table": "t"});
        refused(&in_memory(), import_csv, &input, kind, reason);
    }
    is(
        import(&in_memory(), "a\n1\n", &value!({"table": "sqlite_t"})),
        ErrorKind::ExecutionError,
        "object name reserved for internal use: sqlite_t",
    );
    is(
        import(&in_memory(), "a\n1\n", &value!({"delimiter": "::"})),
        ErrorKind::InvalidParameters,
        "at `delimiter`",
    );
}

#[test]
fn progress_is_told_and_a_cancelled_import_leaves_nothing() {
    let plugin = in_memory();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let options = CallOptions::new().on_progress(move |progress| {
        listener.lock().unwrap().extend(progress.fraction);
    });
    let input = value!({"path": WEATHER, "table": "t"});
    import_csv
        .execute(&plugin, &input, &options.context())
        .unwrap();
    let told = told.lock().unwrap().clone();
    assert!(told.len() >= 4 && told.is_sorted(), "{told:?}");
    assert!(told.iter().all(|f| (0.0..=1.0).contains(f)), "{told:?}");

    let switch = Cancellation::new();
    let cancel = switch.clone();
    let options = CallOptions::new()
        .cancellation(switch)
        .on_progress(move |progress| {
            if progress.fraction > Some(0.5) {
                cancel.cancel();
            }
        });
    let input = value!({"path": WEATHER, "table": "t", "if_exists": "replace"});
    set_up(&plugin, &["delete from t where rowid > 3"]);
    let ended = import_csv.execute(&plugin, &input, &options.context());
    is(ended, ErrorKind::Cancelled, "");
    assert_eq!(rows(&plugin, "select count(*) as n from t"), value!([[3]]));
}
