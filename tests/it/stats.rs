//! `floe stats`.

use serde_json::json;

use crate::plugins;
use crate::sandbox::{Ended, Sandbox, assert_timed};

fn stats(settings: &str, arguments: &[&str]) -> Ended {
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", settings);
    let before = ["--plugin-dir", plugins::directory(), "stats"];
    sandbox.floe(before.iter().chain(arguments))
}

#[test]
fn what_there_is_though_nothing_ran() {
    assert_timed!(stats("", &[]), @r"
    exit 0
    --- stdout
    2 plugins, 13 executors

    kind     plugins  executors  calls  errors
    ───
    compute        2         13      0       0

    category  executors  calls  errors
    ───
    words             1      0       0

    Plugins
    plugin         version  state     circuit  live  calls  errors  load  start
    ───
    compute/made   0.1.0    admitted  closed      0      0       0
    compute/moody  0.1.0    admitted  closed      0      0       0

    instances   0 of 1000 live, weight 0
    found live  none used: 0 found, 0 started, 0 evicted
    mapped      [size]
    retired     0 generations, which alone use [size]
    ");
    let counted = stats("", &["--json"]).json(0);
    assert_eq!(
        counted["there_is"],
        json!({
            "plugins": 2,
            "executors": 13,
            "kinds": {"compute": {"plugins": 2, "executors": 13}},
            "categories": {"words": 1},
        })
    );
    assert_eq!(counted["calls"]["calls"], 0);
    assert_eq!(counted["abandoned"], json!([]));
}

#[test]
fn starts_are_timed() {
    let counted = stats("", &["--start", "--json"]).json(0);
    for plugin in counted["plugins"].as_array().unwrap() {
        assert_eq!(
            (&plugin["state"], &plugin["live"]),
            (&json!("ready"), &json!(1))
        );
        assert!(
            plugin["load_ns"].is_u64() && plugin["start_ns"].is_u64(),
            "{plugin}"
        );
    }
    assert_eq!(counted["instances"]["live"], 2);
    assert!(counted["memory"]["mapped_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn calls_are_counted() {
    let settings = "[instances]\ncapacity = 7\n";
    let arguments = ["--call", "moody.echo", "--input", "[1]", "--repeat", "12"];
    assert_timed!(stats(settings, &arguments), @r"
    exit 0
    --- stdout
    2 plugins, 13 executors

    kind     plugins  executors  calls  errors
    ───
    compute        2         13     12       0

    category  executors  calls  errors
    ───
    words             1      0       0

    Plugins
    plugin         version  state     circuit  live  calls  errors  load  start
    ───
    compute/made   0.1.0    admitted  closed      0      0       0
    compute/moody  0.1.0    ready     closed      1     12       0  [time]  [time]

    Executors that were called
    node type   calls  errors  mean  p50  p95  p99  max
    ───
    moody.echo     12       0  [time]  [time]  [time]  [time]  [time]

    instances   1 of 7 live, weight 1
    found live  91.7 %: 11 found, 1 started, 0 evicted
    mapped      [size]
    retired     0 generations, which alone use [size]
    ");
    let counted = stats(settings, &["--json", "--call", "moody.echo"]).json(0);
    let executor = &counted["executors"][0];
    assert_eq!(executor["node_type"], "moody.echo");
    assert_eq!(executor["calls"]["calls"], 1000);
    assert_eq!(counted["instances"]["misses"], 1);
    assert_eq!(counted["instances"]["capacity"], 7);
}

#[test]
fn calls_that_fail_are_counted_by_kind() {
    assert_timed!(stats("", &["--call", "moody.fail", "--repeat", "3"]), @r"
    exit 1
    --- stdout
    2 plugins, 13 executors

    kind     plugins  executors  calls  errors
    ───
    compute        2         13      3       3

    category  executors  calls  errors
    ───
    words             1      0       0

    Plugins
    plugin         version  state     circuit  live  calls  errors  load  start
    ───
    compute/made   0.1.0    admitted  closed      0      0       0
    compute/moody  0.1.0    ready     closed      1      3       3  [time]  [time]

    Executors that were called
    node type   calls  errors  mean  p50  p95  p99  max
    ───
    moody.fail      3       3  [time]  [time]  [time]  [time]  [time]

    Errors
    node type   errors  kind
    ───
    moody.fail       3  transient

    instances   1 of 1000 live, weight 1
    found live  66.7 %: 2 found, 1 started, 0 evicted
    mapped      [size]
    retired     0 generations, which alone use [size]
    ");
    let refused = stats("", &["--call", "moody.well", "--json"]).json(2);
    assert_eq!(refused["error"]["kind"], "invalid-parameters");
    let refused = stats("", &["--call", "moody.wel", "--json"]).json(3);
    assert_eq!(refused["error"]["nearest"], "moody.well");
    let refused = stats("", &["--repeat", "3"]);
    assert_eq!(refused.code, Some(2));
}

#[test]
fn an_abandoned_thread_is_counted_and_named() {
    let settings = "[deadlines]\ncall = \"1s\"\n";
    let arguments = ["--start", "--call", "moody.hang", "--repeat", "1"];
    let counted = stats(settings, &arguments);
    assert_eq!(counted.code, Some(4), "{}", counted.stderr);
    let (_, told) = counted
        .stdout()
        .split_once("Abandoned threads: 1\n")
        .unwrap();
    assert!(
        told.contains("is in plugin `moody 0.1.0` still, at `call moody.hang`"),
        "{told}"
    );
    let counted = stats(settings, &[&arguments[..], &["--json"]].concat()).json(4);
    let abandoned = &counted["abandoned"][0];
    assert_eq!(abandoned["plugin"], "moody 0.1.0");
    assert_eq!(abandoned["doing"], "call moody.hang");
}

#[test]
fn a_plugin_that_faults_too_often_rests() {
    let settings = "[circuit]\npanics = 2\n";
    let arguments = ["--call", "moody.panic", "--repeat", "5", "--json"];
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", settings);
    let before = ["--plugin-dir", plugins::directory(), "stats"];
    let mut command = sandbox.command(before.iter().chain(&arguments));
    let counted = sandbox.run(command.env("FLOE_LOG", "off")).json(4);
    assert_eq!(counted["calls"]["errors"], json!({"panicked": 2}));
    assert_eq!(counted["plugins"][1]["state"], "resting");
    assert_eq!(counted["plugins"][1]["circuit"], "open");
}

#[test]
fn workers_are_shown_where_there_were_any() {
    let call = ["--call", "moody.echo", "--repeat", "3"];
    let here = stats("", &call);
    assert!(!here.stdout().contains("orkers"), "{}", here.stdout());
    let apart = [&call[..], &["--isolation", "worker"]].concat();
    let shown = stats("", &apart);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let text = shown.stdout();
    for part in [
        "\nWorkers\nplugin         version  process  ",
        "\nworkers       1 live, 1 started, 0 crashed\n",
        "\ngiven back    0 bytes\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let counted = stats("", &[&apart[..], &["--json"]].concat()).json(0);
    let workers = &counted["workers"];
    assert_eq!(
        (&workers["started"], &workers["crashed"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(workers["live"][0]["calls"], 0);
    assert!(workers["live"][0]["process"].as_u64().unwrap() > 1);
}

#[test]
fn workers_that_crashed_are_counted() {
    let sandbox = Sandbox::new();
    let directory = plugins::directory_of_crashy();
    let mut command = sandbox.command(["--plugin-dir", directory, "stats", "--json"]);
    command
        .args([
            "--isolation",
            "worker",
            "--call",
            "crashy.abort",
            "--repeat",
            "1",
        ])
        .env("FLOE_LOG", "off");
    let counted = sandbox.run(&mut command).json(4);
    let workers = &counted["workers"];
    assert_eq!(workers["live"], json!([]));
    assert!(workers["crashed"].as_u64().unwrap() >= 1, "{workers}");
}
