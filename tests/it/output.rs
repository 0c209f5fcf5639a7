//! Where output goes, and when it has colour.

use std::fs::File;
use std::process::Stdio;

use crate::elf::{library, manifest};
use crate::sandbox::Sandbox;

#[test]
fn a_reader_that_is_gone_is_no_error() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["--help"],
        &["completions", "zsh"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = sandbox.command(arguments);
        let ended = sandbox.run(command.stdout(writer).stderr(Stdio::piped()));
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let sandbox = Sandbox::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = sandbox.command(["list"]);
    let ended = sandbox.run(command.stdout(full).stderr(Stdio::piped()));
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .stderr
            .starts_with("error: standard output cannot be written"),
        "{}",
        ended.stderr
    );
}

#[test]
fn colour_is_for_terminals() {
    let sandbox = Sandbox::new();
    sandbox.file("plugins/libshelf.so", library(&manifest()));
    let colours = |arguments: &[&str], no_color: bool| {
        let mut command =
            sandbox.command(["list", "--plugin-dir", "plugins"].iter().chain(arguments));
        if no_color {
            command.env("NO_COLOR", "1");
        }
        sandbox.run(&mut command).stdout().contains('\u{1b}')
    };
    assert!(!colours(&[], false));
    assert!(!colours(&["--color", "never"], false));
    assert!(colours(&["--color", "always"], false));
    // What is asked for in words counts more than the environment.
    assert!(colours(&["--color", "always"], true));
    assert!(!colours(&["--color", "auto"], true));
    assert!(!colours(&["--color", "always", "--json"], false));
}
