//! `floe call` where there are tenants and ways to recover.

use crate::plugins;
use crate::sandbox::Sandbox;

fn governed(text: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let search = format!("[search]\npaths = [\"{}\"]\n", plugins::directory());
    let settings = format!("{search}[audit]\nfile = \"audit.jsonl\"\n{text}");
    sandbox.file("floe.toml", settings);
    sandbox
}

const ACME: &str = "[tenants.acme]\nallow = [\"made.greet\", \"none.*\"]\n";

#[test]
fn a_tenant_calls_what_it_may() {
    let sandbox = governed(ACME);
    let input = ["--input", r#"{"name":"Ada"}"#];
    let call = |node_type: &str, more: &[&str]| {
        let arguments = [&["call", node_type], &input[..], more].concat();
        sandbox.floe(arguments)
    };
    let answered = call("made.greet", &["--tenant", "acme", "--user", "ada"]);
    assert_eq!(answered.code, Some(0), "{}", answered.stderr);
    assert!(answered.stdout().contains("Ada"), "{}", answered.stdout());
    for (node_type, more, expected) in [
        ("made.greet", &[][..], "names no tenant"),
        ("made.greet", &["--tenant", "globex"][..], "is unknown"),
        (
            "moody.well",
            &["--tenant", "acme"][..],
            "is not listed in `allow`",
        ),
    ] {
        let denied = call(node_type, more);
        assert_eq!(denied.code, Some(3), "{}", denied.stderr);
        assert!(denied.stderr.contains(expected), "{}", denied.stderr);
        assert_eq!(denied.stdout(), "");
    }
    let tail = sandbox.floe(["audit", "tail", "--json"]).json(0);
    let records = tail["records"].as_array().unwrap();
    let told: Vec<_> = records
        .iter()
        .map(|record| (record["status"].as_str().unwrap(), record["user"].as_str()))
        .collect();
    let denied = ("denied", None);
    assert_eq!(told.len(), 4, "{tail}");
    assert_eq!(told.iter().filter(|each| **each == denied).count(), 3);
    assert!(told.contains(&("success", Some("ada"))), "{tail}");
    let verified = sandbox.floe(["audit", "verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout());
}

#[test]
fn a_policy_that_contradicts_itself_is_refused_with_its_place() {
    for (text, expected) in [
        ("[tenants.acme]\nalow = [\"a\"]\n", "line 6, column 1"),
        ("[tenants.acme]\nburst = 3\n", "line 6"),
        (
            "[recovery.executors]\n\"a.b\" = [{ fallback = { node_type = \"a.b\" } }]\n",
            "line 6",
        ),
    ] {
        let sandbox = governed(text);
        let refused = sandbox.floe(["list"]);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
}

#[test]
fn what_was_done_about_a_failure_is_told() {
    let sandbox = governed(
        "[recovery.executors]\n\"moody.fail\" = [{ skip = { output = [\"instead\"] } }]\n",
    );
    let skipped = sandbox.floe(["call", "moody.fail"]);
    assert_eq!(skipped.code, Some(0), "{}", skipped.stderr);
    assert!(skipped.stdout().contains("instead"), "{}", skipped.stdout());
    assert!(
        skipped.stderr.contains("skipped by skip"),
        "{}",
        skipped.stderr
    );
}

#[test]
fn what_calls_nothing_asks_nobody_and_records_nothing() {
    let sandbox = governed("[tenants.acme]\nallow = [\"made.gret\"]\n");
    for arguments in [
        &["list"][..],
        &["describe", "made.greet"],
        &["why", "made.greet"],
    ] {
        let done = sandbox.floe(arguments);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert_eq!(done.stderr, "");
    }
    assert!(!sandbox.work().join("audit.jsonl").exists());
    // The slip is told where it matters.
    let doctor = sandbox.floe(["doctor"]);
    assert!(
        doctor.stdout().contains("did you mean `made.greet`?"),
        "{}",
        doctor.stdout()
    );
    assert!(!sandbox.work().join("audit.jsonl").exists());
    let call = sandbox.floe(["call", "made.greet", "--tenant", "acme"]);
    assert!(
        call.stderr.contains("did you mean `made.greet`?"),
        "{}",
        call.stderr
    );
}
