//! What plugins are configured with: the settings file, the environment, the arguments.

use serde_json::json;

use crate::plugins;
use crate::sandbox::{Sandbox, assert_seen};

const SECRET: &str = "correct-horse-7";

/// Every way to run a plugin that was told a secret.
const COMMANDS: &[&[&str]] = &[
    &["list"],
    &["describe", "moody.echo"],
    &["call", "moody.echo"],
    &["call", "moody.blab"],
    &["call", "moody.panic"],
    &["start"],
    &["health"],
    &["stats", "--start"],
    &["stats", "--call", "moody.blab", "--repeat", "3"],
    &["watch", "--start", "--for", "1ms"],
    &["why", "moody"],
    &["why", "moody.echo"],
];

#[test]
fn arguments_count_before_the_environment_and_that_before_the_file() {
    let sandbox = Sandbox::new();
    let arguments = [
        "--plugin-dir",
        plugins::directory(),
        "call",
        "moody.well",
        "--input",
        r#"{"number":1}"#,
    ];
    let said = |environment: Option<&str>, config: Option<&str>| {
        let config = config.map(|config| ["--config", config]);
        let mut command =
            sandbox.command(arguments.into_iter().chain(config.into_iter().flatten()));
        command.env("FLOE_LOG", "off");
        if let Some(word) = environment {
            command.env("FLOE_PLUGINS__MOODY__WORD", word);
        }
        let ended = sandbox.run(&mut command);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout().trim_end().to_owned()
    };
    assert_eq!(said(None, None), "done");
    sandbox.file("floe.toml", "[plugins.moody]\nword = \"file\"\n");
    assert_eq!(said(None, None), "file");
    assert_eq!(said(Some("environment"), None), "environment");
    let argument = r#"{"word":"argument"}"#;
    assert_eq!(said(Some("environment"), Some(argument)), "argument");
    // Key by key: what the arguments do not say is as it was.
    assert_eq!(said(None, Some(r#"{"mood":"fair"}"#)), "file");
}

#[test]
fn directories_of_the_settings_are_searched_once() {
    let sandbox = Sandbox::new();
    let directory = plugins::directory();
    sandbox.file(
        "floe.toml",
        format!("[search]\npaths = [\"{directory}\"]\n"),
    );
    let listed = sandbox.floe(["list", "--json"]).json(0);
    assert_eq!(listed["plugins"].as_array().unwrap().len(), 2);
    let searched = listed["searched"].as_array().unwrap().iter();
    let paths: Vec<_> = searched.map(|place| &place["path"]).collect();
    let there = paths.iter().filter(|path| ***path == json!(directory));
    assert_eq!(there.count(), 1, "{paths:?}");
}

#[test]
fn an_unknown_key_is_told_with_the_nearest() {
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", "[plugins.moody]\nwrod = \"x\"\n");
    let before = ["--plugin-dir", plugins::directory()];
    assert_seen!(sandbox.floe(before.iter().chain(&["call", "moody.echo"])), @r"
    exit 2
    --- stderr
    error: the configuration of plugin `moody 0.1.0` does not fit
      /wrod
        found   ***
        rule    additionalProperties
        reason  unknown key `wrod`; did you mean `word`?
    hint: `floe describe moody.echo` shows what fits
    ");
    let failed = sandbox
        .floe(before.iter().chain(&["start", "--json"]))
        .json(3);
    let error = failed["waves"][0][1]["error"].as_str().unwrap();
    assert!(error.contains("did you mean `word`?"), "{error}");
    sandbox.file("floe.toml", "");
    let mut command = sandbox.command(before.iter().chain(&["call", "moody.echo", "--json"]));
    let refused = sandbox
        .run(command.env("FLOE_PLUGINS__MOODY__WRD", "x"))
        .json(2);
    assert_eq!(refused["error"]["kind"], "configuration");
    assert_eq!(refused["error"]["violations"][0]["nearest"], "word");
}

/// Runs commands in every form, and gives all that they said.
fn said(sandbox: &Sandbox, commands: &[&[&str]], environment: Option<&str>) -> String {
    let mut said = String::new();
    for command in commands {
        for form in [&[][..], &["--json"], &["-vvv"]] {
            let arguments = ["--plugin-dir", plugins::directory()];
            let mut command = sandbox.command(arguments.iter().chain(*command).chain(form));
            if let Some(secret) = environment {
                command.env("FLOE_PLUGINS__MOODY__PASSWORD", secret);
            }
            let ended = sandbox.run(&mut command);
            said.push_str(ended.stdout());
            said.push_str(&ended.stderr);
        }
    }
    said
}

#[test]
fn a_secret_is_never_told() {
    let sandbox = Sandbox::new();
    let file = format!("[plugins.moody]\nmood = \"bad\"\npassword = \"{SECRET}\"\n");
    sandbox.file("floe.toml", file);
    let told = said(&sandbox, COMMANDS, None);
    assert!(!told.contains(SECRET), "{told}");
    // It was known, and masked.
    for masked in ["tried ***", "no entry with ***", r#""password":"***""#] {
        assert!(told.contains(masked), "{masked} in {told}");
    }
    sandbox.file("floe.toml", "");
    let blab = &["call", "moody.blab"];
    let told = said(&sandbox, &[blab, &["why", "moody"]], Some(SECRET));
    assert!(told.contains("tried ***"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
    let config = json!({"password": SECRET}).to_string();
    let told = said(
        &sandbox,
        &[&["call", "moody.blab", "--config", &config]],
        None,
    );
    assert!(told.contains("tried ***"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
}

#[test]
fn a_secret_that_does_not_fit_is_not_told_either() {
    let sandbox = Sandbox::new();
    let commands: &[&[&str]] = &[
        &["call", "moody.echo"],
        &["start"],
        &["health"],
        &["why", "moody"],
    ];
    for file in [
        format!("[plugins.moody]\npassword = [\"{SECRET}\"]\n"),
        format!("[plugins.moody]\npasswrod = \"{SECRET}\"\n"),
        format!("[plugins.moody]\npassword = \"{SECRET}\n"),
    ] {
        sandbox.file("floe.toml", &file);
        let told = said(&sandbox, commands, None);
        assert!(!told.contains(SECRET), "{file}: {told}");
    }
}
