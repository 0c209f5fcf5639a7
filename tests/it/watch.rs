//! `floe watch`.

use std::fs;

use serde_json::{Value as Json, json};

use crate::elf::{library, manifest, manifest_with};
use crate::plugins;
use crate::sandbox::{Begun, Sandbox};

/// The program, watching a directory that is there; its first line is read.
fn watching(sandbox: &Sandbox) -> Begun {
    fs::create_dir(sandbox.work().join("plugins")).unwrap();
    let mut watching = sandbox.begin(["watch", "--json", "--plugin-dir", "plugins"]);
    let first: Json = serde_json::from_str(&watching.line()).unwrap();
    assert_eq!(
        (&first["event"], &first["plugins"], &first["rejected"]),
        (&json!("watching"), &json!(0), &json!(0))
    );
    watching
}

/// The next event of a name.
#[track_caller]
fn next(watching: &mut Begun, name: &str) -> Json {
    loop {
        let line: Json = serde_json::from_str(&watching.line()).unwrap();
        if line["event"] == name {
            return line;
        }
    }
}

/// Puts a library in the directory at once, as a copy that is renamed is.
fn install(sandbox: &Sandbox, content: &Json) {
    sandbox.file("copy", library(content));
    let work = sandbox.work();
    fs::rename(work.join("copy"), work.join("plugins/libshelf.so")).unwrap();
}

#[test]
fn plugins_come_change_and_go() {
    let sandbox = Sandbox::new();
    let mut watching = watching(&sandbox);
    install(&sandbox, &manifest());
    let admitted = next(&mut watching, "admitted");
    assert_eq!(admitted["build"]["name"], "shelf");
    assert_eq!(admitted["build"]["version"], "1.2.0");
    assert_eq!(admitted["path"], "plugins/libshelf.so");
    let time = admitted["time"].as_str().unwrap();
    assert!(
        time.ends_with('Z') && time.len() == "2000-01-01T00:00:00.000Z".len(),
        "{time}"
    );
    install(&sandbox, &manifest_with(&json!({"version": "1.3.0"})));
    let newer = next(&mut watching, "admitted");
    assert_eq!(newer["build"]["version"], "1.3.0");
    assert!(newer["number"].as_u64() > admitted["number"].as_u64());
    let published = next(&mut watching, "published");
    assert_eq!(published["build"]["version"], "1.3.0");
    assert_eq!(published["replaces"]["version"], "1.2.0");
    fs::remove_file(sandbox.work().join("plugins/libshelf.so")).unwrap();
    let removed = next(&mut watching, "removed");
    assert_eq!(removed["build"]["version"], "1.3.0");
    sandbox.file("plugins/notes.so", "remember the milk");
    let rejected = next(&mut watching, "rejected");
    assert_eq!(rejected["rejection"]["check"], "not-a-library");
    // Nobody reads any more: there is nothing left to do.
    watching.close();
    let ended = watching.ended();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
#[cfg(unix)]
fn a_signal_ends_it() {
    use rustix::process::Signal;

    for signal in [Signal::INT, Signal::TERM] {
        let sandbox = Sandbox::new();
        let watching = watching(&sandbox);
        watching.signal(signal);
        let ended = watching.ended();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn what_was_started_is_stopped_at_the_end() {
    let sandbox = Sandbox::new();
    let arguments = [
        "watch",
        "--start",
        "--plugin-dir",
        plugins::directory(),
        "--for",
    ];
    let ended = sandbox.floe(arguments.iter().chain(&["1ms"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let lines: Vec<&str> = ended.stdout().lines().collect();
    let first = lines[0].split_once("  ").unwrap().1;
    assert_eq!(first, "watching 2 plugins; 0 files refused");
    for (event, plugin) in [
        ("started", "made"),
        ("started", "moody"),
        ("stopped", "made"),
        ("stopped", "moody"),
    ] {
        let said = format!("compute/{plugin} 0.1.0 (generation ");
        let is_it = |line: &&&str| line.contains(&said) && line.contains(event);
        assert_eq!(
            lines.iter().filter(is_it).count(),
            1,
            "{event} {plugin} in {lines:?}"
        );
    }
}

#[test]
fn a_strict_search_path_is_not_watched_where_it_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.file("plugins/notes.so", "remember the milk");
    let arguments = ["watch", "--strict", "--json", "--plugin-dir", "plugins"];
    let refused = sandbox.floe(arguments).json(3);
    assert_eq!(refused["error"]["kind"], "rejected");
}
