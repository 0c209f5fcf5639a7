//! `floe validate` and `floe run`.

use crate::plugins;
use crate::sandbox::Sandbox;

fn sandbox(workflow: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let search = format!("[search]\npaths = [\"{}\"]\n", plugins::directory());
    sandbox.file("floe.toml", search);
    sandbox.file("w.yaml", workflow);
    sandbox
}

const GREET: &str = "
id: greet
nodes:
  - { id: hello, node_type: made.greet, parameters: { name: '{{ input.name }}' } }
  - { id: end, node_type: set, needs: [hello], parameters: { values: { said: '{{ steps.hello.output.text }}' } } }
";

#[test]
fn a_workflow_is_checked_and_run() {
    let sandbox = sandbox(GREET);
    let checked = sandbox.floe(["validate", "w.yaml"]);
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout(),
        checked.stderr
    );
    assert_eq!(checked.stdout(), "`w.yaml` can be run\n");
    let input = r#"{"name":"Ada"}"#;
    let ran = sandbox
        .floe(["run", "w.yaml", "--input", input, "--json"])
        .json(0);
    assert_eq!(ran["status"], "success");
    assert_eq!(ran["output"]["said"], "Hello, Ada!");
    assert_eq!(ran["nodes"]["hello"]["status"], "success");
    assert_eq!(ran["nodes"]["hello"]["attempts"], 1);
    let output = sandbox.floe(["run", "w.yaml", "--input", input]);
    assert!(
        output.stdout().contains("Hello, Ada!"),
        "{}",
        output.stdout()
    );
}

#[test]
fn every_mistake_is_told_with_its_place_and_nothing_runs() {
    let wrong = GREET
        .replace("needs: [hello]", "needs: [helo]")
        .replace("made.greet", "made.gret");
    let sandbox = sandbox(&wrong);
    for arguments in [&["validate", "w.yaml"][..], &["run", "w.yaml"]] {
        let refused = sandbox.floe(arguments);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        let told = refused.stdout();
        for expected in [
            "w.yaml: line 4,",
            "w.yaml: line 5,",
            "did you mean `made.greet`?",
            "did you mean `hello`?",
            "errors",
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
    }
    let refused = sandbox.floe(["validate", "w.yaml", "--json"]).json(2);
    assert_eq!(refused["valid"], false);
    assert_eq!(refused["errors"][0]["line"], 4);
}

#[test]
fn a_run_that_fails_says_where() {
    let sandbox = sandbox(
        "
id: w
nodes:
  - { id: a, node_type: moody.fail }
  - { id: b, node_type: noop, needs: [a] }
",
    );
    let failed = sandbox.floe(["run", "w.yaml"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(
        failed.stdout().contains("failed at `a`"),
        "{}",
        failed.stdout()
    );
    assert!(failed.stdout().contains("not-run"), "{}", failed.stdout());
    let missing = sandbox.floe(["run", "nowhere.yaml"]);
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.stderr.contains("cannot read `nowhere.yaml`"),
        "{}",
        missing.stderr
    );
}

#[test]
fn nodes_are_called_for_the_tenant() {
    let sandbox = sandbox(GREET);
    let search = format!("[search]\npaths = [\"{}\"]\n", plugins::directory());
    sandbox.file(
        "floe.toml",
        format!("{search}[audit]\nfile = \"audit.jsonl\"\n[tenants.acme]\nallow = [\"made.*\"]\n"),
    );
    let input = r#"{"name":"Ada"}"#;
    let nobody = sandbox.floe(["run", "w.yaml", "--input", input]);
    assert_eq!(nobody.code, Some(1), "{}", nobody.stderr);
    let acme = [
        "run",
        "w.yaml",
        "--input",
        input,
        "--tenant",
        "acme",
        "--execution-id",
        "run-7",
    ];
    let acme = sandbox.floe(acme);
    assert_eq!(acme.code, Some(0), "{}", acme.stderr);
    let tail = sandbox
        .floe(["audit", "tail", "--tenant", "acme", "--json"])
        .json(0);
    assert_eq!(tail["records"][0]["execution_id"], "run-7");
    assert_eq!(tail["records"][0]["node_type"], "made.greet");
}
