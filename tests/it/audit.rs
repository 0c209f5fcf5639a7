//! `floe audit`.

use std::fs;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::sandbox::{Sandbox, assert_tabled};

/// A log of three calls, as floe writes it.
fn logged() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", "[audit]\nfile = \"audit.jsonl\"\n");
    let mut prev = "0".repeat(64);
    let mut text = String::new();
    for (seq, rest) in [
        (
            1,
            r#""tenant":"acme","action":"call","node_type":"text.upper","plugin":"compute/text","version":"0.1.0","status":"success","decision":"allowed","attempts":1,"duration_us":120"#,
        ),
        (
            2,
            r#""tenant":"acme","action":"call","node_type":"sqlite.query","status":"denied","decision":"not for this tenant","attempts":0,"duration_us":3"#,
        ),
        (
            3,
            r#""tenant":"o\u001b[31m","action":"call","node_type":"text.upper","status":"failed","error":"execution-timeout","attempts":2,"duration_us":5000"#,
        ),
    ] {
        let line = format!(
            r#"{{"seq":{seq},"prev":"{prev}","time":"2026-11-28T08:17:2{seq}.000123Z",{rest}}}"#
        );
        prev = digest(&line);
        text.push_str(&line);
        text.push('\n');
    }
    sandbox.file("audit.jsonl", text);
    let head = format!("3:{prev}");
    sandbox.file("audit.jsonl.head", format!("{head:<127}\n"));
    sandbox
}

fn digest(line: &str) -> String {
    let bytes = Sha256::digest(line.as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the log anew.
fn edit(sandbox: &Sandbox, edit: impl FnOnce(String) -> String) {
    let path = sandbox.work().join("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, edit(text)).unwrap();
}

#[test]
fn a_whole_log() {
    let sandbox = logged();
    let verified = sandbox.floe(["audit", "verify", "--json"]).json(0);
    assert_eq!(verified["records"], 3);
    assert_eq!(verified["verdict"], json!(null));
    assert_eq!(verified["first_time"], "2026-11-28T08:17:21.000123Z");
    let hash = verified["last"]["hash"].as_str().unwrap();
    let known = format!("3:{hash}");
    let expected = sandbox.floe(["audit", "verify", "audit.jsonl", "--expect", &known]);
    assert_eq!(expected.code, Some(0), "{}", expected.stderr);
    let other = format!("2:{hash}");
    let other = sandbox.floe(["audit", "verify", "--expect", &other, "--json"]);
    assert_eq!(other.json(1)["verdict"], "tampered");
    let wrong = sandbox.floe(["audit", "verify", "--expect", "2"]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("expected `SEQ:HASH`"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn a_log_that_is_cut_and_one_that_was_tampered_with() {
    let sandbox = logged();
    edit(&sandbox, |text| text[..text.len() - 10].to_owned());
    let cut = sandbox.floe(["audit", "verify", "--json"]).json(1);
    assert_eq!(cut["verdict"], "cut");
    assert_eq!(cut["findings"][0]["line"], 3);
    assert_eq!(cut["findings"][1]["seq"], 3);

    let sandbox = logged();
    edit(&sandbox, |text| text.replace("denied", "passed"));
    let tampered = sandbox.floe(["audit", "verify", "--json"]).json(1);
    assert_eq!(tampered["verdict"], "tampered");
    assert_eq!(tampered["flaws"], 1);
    edit(&sandbox, |text| {
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        [lines[0], lines[2]].concat()
    });
    assert_tabled!(sandbox.floe(["audit", "verify"]), @r"
    exit 1
    --- stdout
    log  audit.jsonl
    files  1
    records  2
    from  2026-11-28T08:17:21.000123Z
    to  2026-11-28T08:17:23.000123Z
    last  3:[digest]

              file  line  record  found  expected
    ───
    tampered  audit.jsonl  2  3  record 3  record 2

    tampered: it is not as it was written
    ");
}

#[test]
fn the_last_records() {
    let sandbox = logged();
    assert_tabled!(sandbox.floe(["audit", "tail"]), @r"
    exit 0
    --- stdout
    record  time  tenant  user  what  plugin  status  decision  took
    ───
    1  2026-11-28T08:17:21.000Z  acme  text.upper  compute/text 0.1.0  success  allowed  120.0µs
    2  2026-11-28T08:17:22.000Z  acme  sqlite.query  denied  not for this tenant  3.0µs
    3  2026-11-28T08:17:23.000Z  o\u{1b}[31m  text.upper  failed: execution-timeout  5.0ms
    ");
    let seqs = |arguments: &[&str]| {
        let all = ["audit", "tail", "--json"].iter().chain(arguments);
        let shown = sandbox.floe(all).json(0);
        let records = shown["records"].as_array().unwrap().clone();
        let seqs = records.iter().map(|record| record["seq"].as_u64().unwrap());
        seqs.collect::<Vec<_>>()
    };
    assert_eq!(seqs(&["--lines", "2"]), [2, 3]);
    assert_eq!(seqs(&["--tenant", "acme"]), [1, 2]);
    assert_eq!(seqs(&["--node-type", "text.upper", "audit.jsonl"]), [1, 3]);
    assert_eq!(seqs(&["--status", "denied"]), [2]);
    assert_tabled!(sandbox.floe(["audit", "tail", "--tenant", "nobody"]), @r"
    exit 0
    --- stdout
    No record.
    ");
}

#[test]
fn no_log() {
    let sandbox = Sandbox::new();
    assert_tabled!(sandbox.floe(["audit", "tail"]), @r"
    exit 2
    --- stderr
    error: no audit log is named, and floe.toml has none
    hint: name its file, or add `[audit]` to floe.toml
    ");
    assert_tabled!(sandbox.floe(["audit", "verify", "none.jsonl"]), @r"
    exit 1
    --- stderr
    error: the audit log cannot be read
      caused by: there is no audit log `none.jsonl`; name its file, as `[audit]` of `floe.toml` does
    ");
}

#[test]
fn one_line_that_is_none_hides_no_other() {
    let sandbox = logged();
    edit(&sandbox, |text| text.replacen("\"seq\":2", "\"sek\":2", 1));
    let shown = sandbox.floe(["audit", "tail"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(
        shown.stderr.contains("expected a record"),
        "{}",
        shown.stderr
    );
    assert_eq!(shown.stdout().matches("text.upper").count(), 2);
}
