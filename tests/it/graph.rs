//! `floe graph`.

use crate::sandbox::Sandbox;

/// Nobody offers `nobody.knows`, and `end` needs a node that is not there.
const WORKFLOW: &str = "
id: w
nodes:
  - { id: hello, name: Say \"hello\", node_type: nobody.knows, on_error: error-port }
  - { id: sorry, node_type: noop, needs: [{ node: hello, port: error }] }
  - { id: end, node_type: set, needs: [hello, nowhere], parameters: { values: {} } }
";

#[test]
fn a_workflow_is_drawn_though_it_cannot_run() {
    let sandbox = Sandbox::new();
    sandbox.file("w.yaml", WORKFLOW);
    let mermaid = sandbox.floe(["graph", "w.yaml"]);
    assert_eq!(mermaid.code, Some(0), "{}", mermaid.stderr);
    assert_eq!(mermaid.stderr, "");
    insta::assert_snapshot!(mermaid.stdout(), @r#"
    flowchart TD
        n0["Say #34;hello#34;<br/>nobody.knows"]
        n1(("sorry<br/>noop"))
        n2[/"end<br/>set"/]
        n0 -.->|"error"| n1
        n0 --> n2
    "#);
    let dot = sandbox.floe(["graph", "w.yaml", "--format", "dot"]);
    assert_eq!(dot.code, Some(0), "{}", dot.stderr);
    insta::assert_snapshot!(dot.stdout(), @r##"
    digraph workflow {
        graph [bgcolor=transparent]
        node [shape=box style=filled fillcolor="#f8fafc" color="#7a8594" fontcolor="#1c242c" fontname="sans-serif"]
        edge [color="#7a8594" fontcolor="#7a8594" fontname="sans-serif"]
        n0 [label="Say &quot;hello&quot;\nnobody.knows"]
        n1 [label="sorry\nnoop" shape=ellipse]
        n2 [label="end\nset" shape=parallelogram]
        n0 -> n1 [label="error" style=dashed]
        n0 -> n2
    }
    "##);
}

#[test]
fn a_diagram_in_json_is_the_same() {
    let sandbox = Sandbox::new();
    sandbox.file("w.yaml", WORKFLOW);
    for format in ["mermaid", "dot"] {
        let arguments = ["graph", "w.yaml", "--format", format];
        let text = sandbox.floe(arguments);
        let json = sandbox.floe(arguments.iter().chain(&["--json"])).json(0);
        assert_eq!(json["format"], format);
        assert_eq!(json["diagram"], text.stdout());
    }
}

#[test]
fn a_broken_floe_toml_is_not_read() {
    let sandbox = Sandbox::new();
    sandbox.file("floe.toml", "[search");
    sandbox.file("w.yaml", WORKFLOW);
    assert_eq!(sandbox.floe(["graph", "w.yaml"]).code, Some(0));
}

#[test]
fn a_wrong_form_is_told_with_its_place() {
    let sandbox = Sandbox::new();
    sandbox.file("w.yaml", WORKFLOW.replace("needs: [hello", "neds: [hello"));
    let refused = sandbox.floe(["graph", "w.yaml"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let told = refused.stdout();
    for expected in ["w.yaml: line 6,", "did you mean `needs`?", "1 error"] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let refused = sandbox.floe(["graph", "w.yaml", "--json"]).json(2);
    assert_eq!(refused["valid"], false);
    assert_eq!(refused["errors"][0]["line"], 6);

    sandbox.file("w.yaml", "id: [");
    let refused = sandbox.floe(["graph", "w.yaml"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stdout().contains("this is no YAML"),
        "{}",
        refused.stdout()
    );
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let missing = Sandbox::new().floe(["graph", "nowhere.yaml"]);
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.stderr.contains("cannot read `nowhere.yaml`"),
        "{}",
        missing.stderr
    );
}
