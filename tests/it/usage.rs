//! Arguments that do not fit, help, versions and completions.

use crate::sandbox::{Sandbox, assert_seen};

#[test]
fn usage_errors() {
    let sandbox = Sandbox::new();
    assert_seen!(sandbox.floe(["lst"]), @r"
    exit 2
    --- stderr
    error: unrecognized subcommand 'lst'

      tip: a similar subcommand exists: 'list'

    Usage: floe [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_seen!(sandbox.floe(["call"]), @r"
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <NODE_TYPE[@RANGE]>

    Usage: floe call <NODE_TYPE[@RANGE]>

    For more information, try '--help'.
    ");
    assert_seen!(sandbox.floe(["list", "--kind", "A B"]), @r"
    exit 2
    --- stderr
    error: invalid value 'A B' for '--kind <KIND>': `A B` is not a plugin kind, expected lower-case words joined by hyphens such as `alert-channel`

    For more information, try '--help'.
    ");
    assert_seen!(sandbox.floe(["call", "a.b", "--timeout", "5"]), @r"
    exit 2
    --- stderr
    error: invalid value '5' for '--timeout <DURATION>': `5` is not a time, expected a number above 0 and a unit such as `500ms`, `5s`, `2m`, `1h` or `30d`

    For more information, try '--help'.
    ");
    let refused = sandbox.floe(["call", "--json"]).json(2);
    assert_eq!(refused["error"]["kind"], "usage");
}

#[test]
fn json_that_is_none() {
    let sandbox = Sandbox::new();
    sandbox.file("cut.json", "{\n  \"a\": ");
    sandbox.file("latin1.json", b"\"\xe9\"");
    assert_seen!(sandbox.floe(["call", "a.b", "--input", "{name: 1}"]), @r"
    exit 2
    --- stderr
    error: the text of `--input` is not JSON that floe can take
      caused by: key must be a string at line 1 column 2
    ");
    assert_seen!(sandbox.floe(["call", "a.b", "--input", "[18446744073709551616]"]), @r"
    exit 2
    --- stderr
    error: the text of `--input` is not JSON that floe can take
      caused by: the integer `18446744073709551616` does not fit 64 bits at line 1 column 2
    ");
    assert_seen!(sandbox.floe(["call", "a.b", "--config", "@cut.json"]), @r"
    exit 2
    --- stderr
    error: `cut.json` is not JSON that floe can take
      caused by: EOF while parsing a value at line 2 column 7
    ");
    assert_seen!(sandbox.floe(["call", "a.b", "--config", "@nowhere.json"]), @r"
    exit 2
    --- stderr
    error: cannot read `nowhere.json`, which `--config` names
      caused by: No such file or directory (os error 2)
    ");
    assert_seen!(sandbox.floe(["call", "a.b", "--input", "@latin1.json"]), @r"
    exit 2
    --- stderr
    error: `latin1.json` is not JSON
      caused by: invalid utf-8 sequence of [size] from index 1
    ");
    assert_seen!(sandbox.floe_with_input(["call", "a.b", "--input", "-"], "[1,"), @r"
    exit 2
    --- stderr
    error: standard input is not JSON that floe can take
      caused by: EOF while parsing a value at line 1 column 3
    ");
    let refused = sandbox
        .floe(["call", "a.b", "--input", "{", "--json"])
        .json(2);
    assert_eq!(refused["error"]["kind"], "usage");
    let cause = refused["error"]["causes"][0].as_str().unwrap();
    assert!(cause.ends_with("at line 1 column 1"), "{cause}");
}

#[test]
fn a_log_filter_that_is_none() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(["list"]);
    let refused = sandbox.run(command.env("FLOE_LOG", "floe=loud"));
    assert_eq!(refused.code, Some(2));
    assert!(
        refused
            .stderr
            .starts_with("error: `FLOE_LOG` is `floe=loud`"),
        "{}",
        refused.stderr
    );
}

#[test]
fn help_names_every_exit_code() {
    let sandbox = Sandbox::new();
    let nothing: [&str; 0] = [];
    let without = sandbox.floe(nothing);
    assert_eq!(without.code, Some(2));
    assert_eq!(without.stdout(), "");
    for (help, text) in [
        (sandbox.floe(["--help"]), "Examples:"),
        (sandbox.floe(["-h"]), "Usage: floe [OPTIONS] <COMMAND>"),
    ] {
        assert_eq!(help.code, Some(0));
        assert!(help.stdout().contains(text), "{}", help.stdout());
        for code in [
            "  0  done",
            "  1  ",
            "  2  usage",
            "  3  not found",
            "  4  a contained fault",
        ] {
            assert!(help.stdout().contains(code), "{}", help.stdout());
            assert!(without.stderr.contains(code), "{}", without.stderr);
        }
    }
}

#[test]
fn help_of_a_command_tells_all_of_it() {
    let sandbox = Sandbox::new();
    for (command, text) in [
        ("list", "No plugin is loaded."),
        ("inspect", "none of its code runs"),
        ("call", "The log is on standard error."),
        ("doctor", "Problems are listed at the end"),
        ("start", "The exit code is 3 where one could not be started"),
        ("health", "The exit code is 1 where one is unhealthy"),
        ("why", "Nothing is run."),
        ("watch", "Ended by Ctrl-C"),
        ("graph", "Nothing is run"),
        ("lock", "With --check nothing is written"),
        ("store", "A plugin is loaded from a copy"),
        ("quarantine", "It goes by the content of a file"),
    ] {
        let long = sandbox.floe([command, "--help"]);
        assert!(long.stdout().contains(text), "{}", long.stdout());
        let short = sandbox.floe([command, "-h"]);
        assert!(!short.stdout().contains(text), "{}", short.stdout());
    }
}

#[test]
fn versions() {
    let sandbox = Sandbox::new();
    let short = format!("floe {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(sandbox.floe(["-V"]).stdout(), short);
    let long = sandbox.floe(["--version"]);
    assert_eq!(long.code, Some(0));
    let lines: Vec<&str> = long.stdout().lines().collect();
    let [first, commit, target, compiler, api] = lines[..] else {
        panic!("{}", long.stdout());
    };
    assert_eq!(first, short.trim_end());
    assert!(compiler.starts_with("compiler  rustc 1."), "{compiler}");
    assert_eq!(
        api,
        format!("floe api  {}", floe_registry::api::ApiVersion::CURRENT)
    );
    for line in [commit, target] {
        assert_eq!(line.split_whitespace().count(), 2, "{line}");
    }
    let logged = sandbox.floe(["-vv", "list"]);
    let stamp = target.split_whitespace().last().unwrap();
    assert!(logged.stderr.contains(stamp), "{}", logged.stderr);
}

#[test]
fn completions() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = sandbox.floe(["completions", shell]);
        assert_eq!(script.code, Some(0));
        let words = [
            "plugin-dir",
            "lock",
            "check",
            "store",
            "quarantine",
            "doctor",
            "isolation",
            "trust",
        ];
        // The others do not complete what stands for itself.
        let values = ["locked+signed", "gc", "clear", "in-process"];
        let values = values.iter().filter(|_| ["bash", "zsh"].contains(&shell));
        for word in words.iter().chain(values) {
            assert!(script.stdout().contains(word), "{shell}: {word}");
        }
    }
    let refused = sandbox.floe(["completions", "bash", "--json"]).json(2);
    assert_eq!(refused["error"]["kind"], "usage");
}
