//! `floe call` and `floe describe`, with plugins that run.

use serde_json::json;

use crate::plugins;
use crate::sandbox::{Ended, Sandbox, assert_seen, assert_timed};

fn floe(arguments: &[&str]) -> Ended {
    Sandbox::new().floe(
        ["--plugin-dir", plugins::directory()]
            .iter()
            .chain(arguments),
    )
}

/// A call with JSON output.
fn call(arguments: &[&str]) -> Ended {
    let before = ["--plugin-dir", plugins::directory(), "call", "--json"];
    Sandbox::new().floe(before.iter().chain(arguments))
}

#[test]
fn a_new_plugin_is_admitted_described_and_answers() {
    let file = format!("{}/libfloe_plugin_made.so", plugins::directory());
    let inspected = Sandbox::new().floe(["inspect", &file, "--json"]).json(0);
    assert_eq!(inspected["verdict"]["admitted"], true);
    assert_eq!(inspected["manifest"]["kind"], "compute");
    let greeting = call(&["made.greet", "--input", r#"{"name":"Ada"}"#]).json(0);
    assert_eq!(greeting, json!({"text": "Hello, Ada!", "length": 11}));
    let config = r#"{"greeting":"Hej"}"#;
    let greeting = call(&[
        "made.greet",
        "--input",
        r#"{"name":"Ada"}"#,
        "--config",
        config,
    ])
    .json(0);
    assert_eq!(greeting["text"], "Hej, Ada!");
    assert_seen!(floe(&["describe", "made.greet"]), @r#"
    exit 0
    --- stdout
    made.greet
      Greets somebody by name.

      plugin      compute/made 0.1.0
      tags        example
      idempotent  calling it twice does what calling it once does

    Input
    field  type    required  default  description
    ────── ─────── ───────── ──────── ───────────
    name   string  yes                Their name.

    Output
    field   type                   required  default  description
    ─────── ────────────────────── ───────── ──────── ────────────────────────────
    length  integer of at least 0  yes                How many characters it has.
    text    string                 yes                The greeting, in a sentence.

    Configuration of the plugin
    field     type    required  default  description
    ───────── ─────── ───────── ──────── ───────────────────
    greeting  string            "Hello"  What to greet with.
    "#);
}

#[test]
fn described_as_json() {
    let described = floe(&["describe", "moody.well@^0.1", "--json"]).json(0);
    assert_eq!(described["node_type"], "moody.well");
    assert_eq!(
        described["plugin"],
        json!({"kind": "compute", "name": "moody"})
    );
    assert_eq!(
        (&described["version"], &described["plugin_version"]),
        (&json!("2.0.0"), &json!("0.1.0"))
    );
    assert_eq!(described["category"], "words");
    assert_eq!(described["input"]["properties"]["number"]["minimum"], 1);
    assert_eq!(described["output"]["type"], "string");
    assert!(described["config"]["properties"]["start"].is_object());
    assert_seen!(floe(&["describe", "moody.well"]), @r#"
    exit 0
    --- stdout
    moody.well
      Says a word as often as you wish.

      plugin    compute/moody 0.1.0
      version   2.0.0
      category  words
      tags      example

    Input
    field   type                   required  default  description
    ─────── ────────────────────── ───────── ──────── ────────────────────
    number  integer of at least 1  yes                A number above zero.

    Output
      string

    Configuration of the plugin
    field     type                                      required  default  description
    ───────── ───────────────────────────────────────── ───────── ──────── ─────────────────────────────────
    mood      "good" or "fair" or "bad"                           "good"   How it says it is.
    password  string or null                                      null     Is told nobody, whatever it says.
    start     "well" or "fails" or "panics" or "hangs"            "well"   What its start comes to.
    word      string or null                                      null     Told by `moody.well`.
    "#);
}

#[test]
fn output_for_people() {
    assert_seen!(floe(&["call", "moody.rows"]), @r"
    exit 0
    --- stdout
    city             days  photo
    ──────────────── ───── ───────
    Lund               12  x'01fe'
    Århus\u{1b}[31m     3  null

    row_count: 2
    ");
    // A string and bytes are written as they are, what looks like colour in them too.
    let text = floe(&["call", "moody.echo", "--input", r#""a\u001b[31mb\nc""#]);
    assert_eq!(text.stdout(), "a\u{1b}[31mb\nc\n");
    assert_eq!(
        floe(&["call", "moody.bytes"]).stdout,
        [0, 159, 27, 91, 51, 49, 109]
    );
    // No terminal: JSON on one line.
    let map = floe(&[
        "call",
        "moody.echo",
        "--input",
        r#"{"a": [1, {"b": null}]}"#,
    ]);
    assert_eq!(map.stdout(), "{\"a\":[1,{\"b\":null}]}\n");
    let records = floe(&[
        "call",
        "moody.echo",
        "--input",
        r#"[{"a": 1.50, "b": "x"}, {"a": 10}]"#,
    ]);
    assert_eq!(records.stdout(), "  a  b\n──── ────\n1.5  x\n 10  null\n");
}

#[test]
fn output_for_programs() {
    let rows = call(&["moody.rows"]).json(0);
    assert_eq!(
        rows["rows"][0],
        json!({"city": "Lund", "days": 12, "photo": [1, 254]})
    );
    assert_eq!(call(&["moody.echo"]).json(0), json!({}));
    for number in [
        "18446744073709551615",
        "-9223372036854775808",
        "-5",
        "1e300",
    ] {
        let echoed = call(&["moody.echo", "--input", number]);
        assert_eq!(echoed.stdout().trim().replace("e+", "e"), number);
    }
    let refused = call(&["moody.nan"]).json(1);
    assert_eq!(
        refused["error"]["message"],
        "the output cannot be written as JSON"
    );
}

#[test]
fn inputs_from_files_and_standard_input() {
    let sandbox = Sandbox::new();
    sandbox.file("input.json", "{\"number\": 2}\n");
    sandbox.file("config.json", "{\"word\": \"hej\"}");
    let before = ["call", "moody.well", "--plugin-dir", plugins::directory()];
    let files = ["--input", "@input.json", "--config", "@config.json"];
    assert_eq!(
        sandbox.floe(before.iter().chain(&files)).stdout(),
        "hejhej\n"
    );
    let piped = sandbox.floe_with_input(before.iter().chain(&["--input", "-"]), "{\"number\": 1}");
    assert_eq!(piped.stdout(), "done\n");
}

#[test]
fn the_log_is_on_standard_error() {
    let quiet = floe(&["call", "moody.well", "--input", r#"{"number":1}"#]);
    assert_eq!(quiet.stdout(), "done\n");
    assert!(
        quiet.stderr.contains("but not for ever"),
        "{}",
        quiet.stderr
    );
    assert!(!quiet.stderr.contains("as you wish"), "{}", quiet.stderr);
    let told = floe(&["call", "moody.well", "--input", r#"{"number":1}"#, "-v"]);
    assert!(
        told.stderr.contains("as you wish number=1"),
        "{}",
        told.stderr
    );
    // It is stopped before the program ends.
    assert!(told.stderr.contains("good night"), "{}", told.stderr);
    assert!(
        told.stderr.contains("INFO floe_plugin_moody"),
        "{}",
        told.stderr
    );
    let sandbox = Sandbox::new();
    let arguments = ["call", "moody.well", "--input", r#"{"number":1}"#];
    let mut command = sandbox.command(
        arguments
            .iter()
            .chain(&["--plugin-dir", plugins::directory()]),
    );
    let off = sandbox.run(command.env("FLOE_LOG", "off"));
    assert_eq!(off.stderr, "");
}

#[test]
fn an_input_that_does_not_fit_is_not_called() {
    assert_seen!(floe(&["call", "moody.well", "--input", r#"{"number":0,"more":1}"#]), @r#"
    exit 2
    --- stderr
    error: the input of `moody.well` does not fit
      /number
        found   0
        rule    minimum
        reason  0 is less than the minimum of 1
      /more
        found   1
        rule    additionalProperties
        reason  unknown key `more`, expected one of `number`
    hint: `floe describe moody.well` shows what fits
    "#);
    let refused = call(&["moody.well"]).json(2);
    assert_eq!(refused["error"]["kind"], "invalid-parameters");
    assert_eq!(refused["error"]["violations"][0]["rule"], "required");
    // What only the executor knows.
    let refused = call(&["moody.misfit"]).json(2);
    assert_eq!(
        refused["error"]["message"],
        "`moody.misfit` of plugin `moody 0.1.0`: not like this"
    );
}

#[test]
fn a_configuration_that_does_not_fit() {
    assert_seen!(floe(&["call", "moody.echo", "--config", r#"{"start":"late"}"#]), @r#"
    exit 2
    --- stderr
    error: the configuration of plugin `moody 0.1.0` does not fit
      /start
        found   "late"
        rule    enum
        reason  "late" is not one of "well", "fails" or 2 other candidates
    hint: `floe describe moody.echo` shows what fits
    "#);
    let refused = call(&["moody.echo", "--config", "[]"]).json(2);
    assert_eq!(refused["error"]["kind"], "configuration");
}

#[test]
fn an_error_of_the_executor() {
    assert_seen!(floe(&["call", "moody.fail"]), @r"
    exit 1
    --- stderr
    error: `moody.fail` of plugin `moody 0.1.0`: cannot print
      caused by: the paper is out
    ");
    let failed = call(&["moody.fail"]).json(1);
    let error = &failed["error"];
    assert_eq!(error["kind"], "transient");
    assert_eq!(error["causes"], json!(["the paper is out"]));
    assert_eq!(error["details"], json!({"tray": 2}));
    assert_eq!(error["plugin"], "moody 0.1.0");
    assert_eq!(error["node_type"], "moody.fail");
}

#[test]
fn a_start_that_fails() {
    assert_seen!(floe(&["call", "moody.echo", "--config", r#"{"start":"fails"}"#]), @r"
    exit 1
    --- stderr
    error: cannot start plugin `moody 0.1.0`: cannot wake up
      caused by: the disk is gone
    ");
    let panicked = floe(&["call", "moody.echo", "--config", r#"{"start":"panics"}"#]);
    assert_eq!(panicked.code, Some(4));
    assert!(
        panicked
            .stderr
            .contains("error: cannot start plugin `moody 0.1.0`"),
        "{}",
        panicked.stderr
    );
}

#[test]
fn contained_faults() {
    let panicked = floe(&["call", "moody.panic"]);
    assert_eq!(panicked.code, Some(4));
    assert!(
        panicked.stderr.contains("out of mood"),
        "{}",
        panicked.stderr
    );
    let sandbox = Sandbox::new();
    let arguments = [
        "call",
        "moody.panic",
        "--json",
        "--plugin-dir",
        plugins::directory(),
    ];
    let mut command = sandbox.command(arguments);
    let panicked = sandbox.run(command.env("FLOE_LOG", "off")).json(4);
    assert_eq!(panicked["error"]["kind"], "panicked");

    let late = call(&["moody.wait", "--timeout", "1ms"]).json(4);
    assert_eq!(late["error"]["kind"], "execution-timeout");
    assert_eq!(call(&["moody.wait"]).json(0), "for ever");
}

#[test]
fn a_deadline_ends_a_call_that_does_not_heed_it() {
    let late = call(&["moody.hang", "--timeout", "20ms"]).json(4);
    assert_eq!(late["error"]["kind"], "execution-timeout");
    assert_eq!(late["error"]["plugin"], "moody 0.1.0");
    // The program ends, though the thread in the plugin never does.
    assert_timed!(floe(&["call", "moody.hang", "--timeout", "1s"]), @r"
    exit 4
    --- stderr
    error: the call of `moody.hang` of plugin `moody 0.1.0` had not ended after  [time]; its thread was abandoned, and its instance is replaced at the next use
    hint: more time is allowed by `--timeout` for a call, and by [deadlines] in floe.toml
    ");
    // The settings' deadline is that of calls that say none.
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", "[deadlines]\ncall = \"20ms\"\n");
    let before = ["--plugin-dir", plugins::directory(), "--json", "call"];
    let late = sandbox.floe(before.iter().chain(&["moody.hang"])).json(4);
    assert_eq!(late["error"]["kind"], "execution-timeout");
}

#[test]
fn a_start_that_hangs_ends_at_its_deadline() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "floe.toml",
        "[deadlines]\ncreate = \"2s\"\n[plugins.moody]\nstart = \"hangs\"\n",
    );
    let before = ["--plugin-dir", plugins::directory(), "call"];
    assert_timed!(sandbox.floe(before.iter().chain(&["moody.echo"])), @r"
    exit 4
    --- stderr
    error: the start of plugin `moody 0.1.0` had not ended after  [time]; its thread was abandoned, and its instance is replaced at the next use
    hint: more time is allowed by `--timeout` for a call, and by [deadlines] in floe.toml
    ");
}

#[test]
fn a_plugin_that_needs_what_is_not_there() {
    let before = ["--plugin-dir", plugins::directory_of_needy()];
    let sandbox = Sandbox::new();
    assert_seen!(sandbox.floe(before.iter().chain(&["call", "needy.ask"])), @r"
    exit 3
    --- stderr
    error: plugin `needy 0.1.0` needs plugin `compute/moody` `^0.1`, which is not there; install it in the search path
    hint: `floe why needy` shows what is known of it
    ");
    let failed = sandbox
        .floe(before.iter().chain(&["call", "needy.ask", "--json"]))
        .json(3);
    assert_eq!(failed["error"]["kind"], "dependency-not-loaded");
    assert_eq!(failed["error"]["plugin"], "needy 0.1.0");
    // What it needs is there and does not start: whose fault that is, is told.
    sandbox.file("floe.toml", "[plugins.moody]\nstart = \"fails\"\n");
    let both = ["--plugin-dir", plugins::directory(), "call", "needy.ask"];
    assert_seen!(sandbox.floe(before.iter().chain(&both)), @r"
    exit 1
    --- stderr
    error: plugin `needy 0.1.0` is not started because of `moody 0.1.0`, which it needs
      caused by: cannot start plugin `moody 0.1.0`: cannot wake up
      caused by: the disk is gone
    hint: `floe why moody` shows what is known of it
    ");
    sandbox.file("floe.toml", "[plugins.moody]\nword = \"hello\"\n");
    assert_eq!(sandbox.floe(before.iter().chain(&both)).stdout(), "hello\n");
}

#[test]
fn another_store_is_used_when_it_is_named() {
    let sandbox = Sandbox::new();
    let before = ["call", "moody.echo", "--plugin-dir", plugins::directory()];
    let called = sandbox.floe(before.iter().chain(&["--store", "here"]));
    assert_eq!(called.code, Some(0), "{}", called.stderr);
    assert!(sandbox.work().join("here").is_dir());
    assert!(!sandbox.work().join("../store").exists());
}
