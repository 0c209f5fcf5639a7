use super::*;
use crate::json::{read, write};

#[test]
fn what_is_written_is_read() {
    let (directory, files) = in_directory();
    let value = value!({"b": [1, 2.5, null, true], "a": u64::MAX});
    run(
        &files,
        write,
        &value!({"path": "a.json", "value": value.clone()}),
    )
    .unwrap();
    assert_eq!(
        fs::read_to_string(directory.path().join("a.json")).unwrap(),
        "{\"b\":[1,2.5,null,true],\"a\":18446744073709551615}\n"
    );
    assert_eq!(
        run(&files, read, &value!({"path": "a.json"})).unwrap(),
        value
    );
    run(
        &files,
        write,
        &value!({"path": "a.json", "value": [1], "pretty": true}),
    )
    .unwrap();
    assert_eq!(
        fs::read_to_string(directory.path().join("a.json")).unwrap(),
        "[\n  1\n]\n"
    );
    fs::write(directory.path().join("bom.json"), "\u{feff}1").unwrap();
    assert_eq!(
        run(&files, read, &value!({"path": "bom.json"})).unwrap(),
        value!(1)
    );
}

#[test]
fn what_is_not_json_is_refused() {
    let (directory, files) = in_directory();
    let invalid = ErrorKind::ValidationFailed;
    let deep = "[".repeat(200);
    for (content, reason) in [
        ("", "EOF"),
        ("{\"a\": }", "line 1 column 7"),
        ("18446744073709551616", "does not fit 64 bits"),
        (deep.as_str(), "recursion limit"),
    ] {
        fs::write(directory.path().join("a"), content).unwrap();
        refused(&files, read, &value!({"path": "a"}), invalid, reason);
    }
    refused(
        &files,
        write,
        &value!({"path": "b", "value": [f64::NAN]}),
        invalid,
        "JSON has no way to write the number",
    );
    assert_eq!(names(directory.path()), ["a"]);
}
