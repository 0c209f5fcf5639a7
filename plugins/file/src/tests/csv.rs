use super::*;
use crate::csv_read::read;
use crate::csv_write::write;

#[test]
fn rows_are_maps_with_types_that_lose_nothing() {
    let (directory, files) = in_directory();
    fs::write(
        directory.path().join("w.csv"),
        "\u{feff}city,mm,wet,code,n\r\nLund,1.5,true,007,1\r\n\"Å, re\",0,,1,\r\n",
    )
    .unwrap();
    assert_eq!(
        run(&files, read, &value!({"path": "w.csv"})).unwrap(),
        value!({
            "columns": [
                {"name": "city", "type": "text"},
                {"name": "mm", "type": "number"},
                {"name": "wet", "type": "boolean"},
                {"name": "code", "type": "text"},
                {"name": "n", "type": "integer"},
            ],
            "rows": [
                {"city": "Lund", "mm": 1.5, "wet": true, "code": "007", "n": 1},
                {"city": "Å, re", "mm": 0, "wet": null, "code": "1", "n": null},
            ],
            "row_count": 2,
            "truncated": false,
        })
    );
}

#[test]
fn lists_texts_delimiters_and_no_header() {
    let (directory, files) = in_directory();
    fs::write(directory.path().join("a"), "1;true\n2;\"a\"\"b\n\"\n").unwrap();
    let given = run(
        &files,
        read,
        &value!({"path": "a", "delimiter": ";", "header": false, "rows": "lists", "types": "text"}),
    )
    .unwrap();
    assert_eq!(
        given.get("rows"),
        Some(&value!([["1", "true"], ["2", "a\"b\n"]]))
    );
    assert_eq!(given.pointer("/columns/1/name"), Some(&"column_2".into()));
}

#[test]
fn a_limit_gives_fewer_rows_of_the_same_types() {
    let (directory, files) = in_directory();
    fs::write(directory.path().join("a"), "n\n1\n2\nx\n").unwrap();
    let given = run(&files, read, &value!({"path": "a", "limit": 2})).unwrap();
    assert_eq!(given.get("rows"), Some(&value!([{"n": "1"}, {"n": "2"}])));
    assert_eq!(given.get("truncated"), Some(&true.into()));
    let given = run(&files, read, &value!({"path": "a", "limit": 3})).unwrap();
    assert_eq!(given.get("truncated"), Some(&false.into()));
    let given = run(&files, read, &value!({"path": "a", "limit": 0})).unwrap();
    assert_eq!(given.get("rows"), Some(&value!([])));
}

#[test]
fn what_is_no_table_is_refused() {
    let (directory, files) = in_directory();
    let invalid = ErrorKind::ValidationFailed;
    for (content, reason) in [
        ("a,b\n1,2\n1\n", "has `1` fields in line `3`, expected `2`"),
        ("a,\n", "has no name in column `2`"),
        ("a,a\n", "has the name `a` once more in column `2`"),
    ] {
        fs::write(directory.path().join("a"), content).unwrap();
        refused(&files, read, &value!({"path": "a"}), invalid, reason);
    }
    for delimiter in ["\"", "\n", "é"] {
        refused(
            &files,
            read,
            &value!({"path": "a", "delimiter": delimiter}),
            invalid,
            "`delimiter` is",
        );
    }
    fs::write(directory.path().join("a"), "").unwrap();
    let given = run(&files, read, &value!({"path": "a"})).unwrap();
    assert_eq!(given.get("columns"), Some(&value!([])));
    // Small on disk, large in memory.
    let wide = format!("{}\n{}", "n".repeat(400), "1\n".repeat(250));
    fs::write(directory.path().join("a"), wide).unwrap();
    refused(
        &files,
        read,
        &value!({"path": "a"}),
        ErrorKind::ResourceExhausted,
        "set `limit` to fewer rows, or `rows` to `lists`",
    );
    run(&files, read, &value!({"path": "a", "rows": "lists"})).unwrap();
}

#[test]
fn rows_are_written_and_read_back() {
    let (directory, files) = in_directory();
    let rows = value!([
        {"a": "x,\"y\"\r\n", "b": 1.0, "c": null},
        {"c": true, "b": -3, "a": " "},
    ]);
    let written = run(
        &files,
        write,
        &value!({"path": "a.csv", "rows": rows.clone()}),
    )
    .unwrap();
    assert_eq!(
        written,
        value!({"root": "data", "path": "a.csv", "bytes": 33, "rows": 2})
    );
    assert_eq!(
        fs::read_to_string(directory.path().join("a.csv")).unwrap(),
        "a,b,c\n\"x,\"\"y\"\"\r\n\",1.0,\n ,-3,true\n"
    );
    let given = run(&files, read, &value!({"path": "a.csv"})).unwrap();
    assert_eq!(given.pointer("/rows/0"), rows.pointer("/0"));
    assert_eq!(given.pointer("/rows/1/b"), Some(&(-3).into()));
}

#[test]
fn columns_headers_and_line_ends() {
    let (directory, files) = in_directory();
    let check = |input: Value, expected: &str| {
        run(&files, write, &input).unwrap();
        assert_eq!(
            fs::read_to_string(directory.path().join("a")).unwrap(),
            expected
        );
    };
    check(
        value!({"path": "a", "rows": [{"a": 1, "b": 2}, {"b": 3, "x": 4}], "columns": ["b", "a"]}),
        "b,a\n2,1\n3,\n",
    );
    check(
        value!({"path": "a", "rows": [[1, "x;y"]], "columns": ["n", "t"], "delimiter": ";", "line_end": "crlf"}),
        "n;t\r\n1;\"x;y\"\r\n",
    );
    check(
        value!({"path": "a", "rows": [[1, 2], [3, 4]]}),
        "1,2\n3,4\n",
    );
    check(
        value!({"path": "a", "rows": [{"a": 1}], "header": false}),
        "1\n",
    );
    check(value!({"path": "a", "rows": [], "columns": ["a"]}), "a\n");
    check(value!({"path": "a", "rows": []}), "");
    check(value!({"path": "a", "rows": [[null], ["x"]]}), "\"\"\nx\n");
}

#[test]
fn rows_that_do_not_fit_are_refused_and_nothing_is_written() {
    let (directory, files) = in_directory();
    for (rows, reason) in [
        (
            value!([[1, 2], [3]]),
            "row `2` has `1` fields, expected `2`",
        ),
        (
            value!([{"a": 1}, {"a": 1, "b": 2}]),
            "row `2` has `b`, which the first row has not",
        ),
        (value!([[1], {"a": 1}]), "row `2` is a map, expected a list"),
        (value!([7]), "row `1` is of type `integer`"),
        (value!([[]]), "row `1` has no field"),
        (value!([{}]), "row `1` has no field"),
        (
            value!([{"a": [1]}]),
            "row `1` holds a list in the column `a`",
        ),
        (
            value!([["x", f64::NAN]]),
            "row `1` holds `NaN` in the column `2`",
        ),
    ] {
        refused(
            &files,
            write,
            &value!({"path": "a", "rows": rows}),
            ErrorKind::ValidationFailed,
            reason,
        );
    }
    refused(
        &files,
        write,
        &value!({"path": "a", "rows": [], "columns": ["a", "a"]}),
        ErrorKind::ValidationFailed,
        "`columns[1]` is `\"a\"`",
    );
    let many: Value = (0..1000).map(|number| value!([number])).collect();
    refused(
        &files,
        write,
        &value!({"path": "a", "rows": many}),
        ErrorKind::ResourceExhausted,
        "more than `1000`",
    );
    assert!(names(directory.path()).is_empty());
}
