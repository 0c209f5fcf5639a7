//! Workflows as diagrams.

use std::collections::{BTreeMap, BTreeSet};

use floe_workflow::{Diagram, Document, Format, NodeStatus};
use proptest::prelude::*;
use serde_json::json;

use crate::outside::read;

/// A node of every sort, left by every port.
const ALL: &str = "
id: w
nodes:
  - { id: fetch, name: 'Fetch \"all\" [1]', node_type: http.get@^1, on_error: error-port }
  - { id: some, node_type: condition, needs: [fetch], parameters: { condition: true } }
  - id: which
    node_type: switch
    needs: [{ node: some, port: 'main:0' }]
    parameters: { value: 1, cases: [north & south, 2, '', { a: [1] }] }
  - { id: values, node_type: set, needs: [{ node: some, port: 'main:1' }], parameters: { values: {} } }
  - { id: each, node_type: sql.write, needs: [{ node: which, port: 'main:0' }], foreach: { items: [1], as: row } }
  - { id: pause, node_type: wait, needs: [{ node: which, port: 'main:1' }], parameters: { duration: 1s } }
  - { id: child, node_type: workflow.call, needs: [{ node: which, port: 'main:2' }], parameters: { workflow: other } }
  - { id: off, node_type: noop, needs: [{ node: which, port: 'main:3' }], disabled: true }
  - { id: broken, node_type: fail, needs: [{ node: fetch, port: error }, { node: which, port: 'main:4' }], parameters: { message: m } }
  - { id: all, node_type: merge, needs: [each, pause, which] }
  - { id: later, node_type: switch, needs: [all], parameters: { value: 1, cases: '{{ variables.cases }}' } }
  - { id: last, node_type: noop }
connections:
  later: { main: [null, [last]] }
  all: { main: [[later, last]] }
";

fn document(text: &str) -> Document {
    read(text, Format::Yaml).unwrap()
}

#[test]
fn all_sorts_of_nodes_in_mermaid() {
    let document = document(ALL);
    let diagram = Diagram::new(document.workflow());
    insta::assert_snapshot!(diagram.mermaid(), @r##"
    flowchart TD
        n0["Fetch #34;all#34;#32;#91;1#93;<br/>http.get#64;#94;1"]
        n1{"some<br/>condition"}
        n2{"which<br/>switch"}
        n3[/"values<br/>set"/]
        n4["each<br/>sql.write<br/>for each row"]
        n5(["pause<br/>wait"])
        n6[["child<br/>workflow.call"]]
        n7(("off<br/>noop<br/>disabled"))
        n8{{"broken<br/>fail"}}
        n9[\"all<br/>merge"/]
        n10{"later<br/>switch"}
        n11(("last<br/>noop"))
        n0 --> n1
        n1 -->|"true"| n2
        n1 -->|"false"| n3
        n2 -->|"north #38; south"| n4
        n2 -->|"2"| n5
        n2 -->|"#34;#34;"| n6
        n2 -->|"#123;#34;a#34;#58;#91;1#93;#125;"| n7
        n0 -.->|"error"| n8
        n2 -->|"otherwise"| n8
        n4 --> n9
        n5 --> n9
        n2 --> n9
        n9 --> n10
        n10 -->|"main#58;1"| n11
        n9 --> n11
        classDef disabled fill:#f1f3f5,stroke:#949ca6,color:#4b535c
        class n7 disabled
        classDef left-out stroke-dasharray:5 5
        class n7 left-out
    "##);
}

#[test]
fn all_sorts_of_nodes_in_dot() {
    let document = document(ALL);
    let diagram = Diagram::new(document.workflow());
    insta::assert_snapshot!(diagram.dot(), @r##"
    digraph workflow {
        graph [bgcolor=transparent]
        node [shape=box style=filled fillcolor="#f8fafc" color="#7a8594" fontcolor="#1c242c" fontname="sans-serif"]
        edge [color="#7a8594" fontcolor="#7a8594" fontname="sans-serif"]
        n0 [label="Fetch &quot;all&quot; [1]\nhttp.get@^1"]
        n1 [label="some\ncondition" shape=diamond]
        n2 [label="which\nswitch" shape=diamond]
        n3 [label="values\nset" shape=parallelogram]
        n4 [label="each\nsql.write\nfor each row"]
        n5 [label="pause\nwait" style="filled,rounded"]
        n6 [label="child\nworkflow.call" shape=box peripheries=2]
        n7 [label="off\nnoop\ndisabled" shape=ellipse style="filled,dashed" class="disabled" fillcolor="#f1f3f5" color="#949ca6" fontcolor="#4b535c"]
        n8 [label="broken\nfail" shape=octagon]
        n9 [label="all\nmerge" shape=invtrapezium]
        n10 [label="later\nswitch" shape=diamond]
        n11 [label="last\nnoop" shape=ellipse]
        n0 -> n1
        n1 -> n2 [label="true"]
        n1 -> n3 [label="false"]
        n2 -> n4 [label="north &amp; south"]
        n2 -> n5 [label="2"]
        n2 -> n6 [label="&quot;&quot;"]
        n2 -> n7 [label="{&quot;a&quot;:[1]}"]
        n0 -> n8 [label="error" style=dashed]
        n2 -> n8 [label="otherwise"]
        n4 -> n9
        n5 -> n9
        n2 -> n9
        n9 -> n10
        n10 -> n11 [label="main:1"]
        n9 -> n11
    }
    "##);
}

const STATUSES: [(&str, NodeStatus); 7] = [
    ("a", NodeStatus::Success),
    ("b", NodeStatus::Recovered),
    ("c", NodeStatus::Skipped),
    ("d", NodeStatus::Disabled),
    ("e", NodeStatus::Failed),
    ("f", NodeStatus::Cancelled),
    ("g", NodeStatus::NotRun),
];

/// A node of every status, one that is left out and was not reached either, and one without a status.
fn with_statuses() -> (Document, BTreeMap<String, NodeStatus>) {
    let mut text = "id: w\nnodes:\n".to_owned();
    let mut statuses = BTreeMap::new();
    for (id, status) in STATUSES {
        let disabled = status == NodeStatus::Disabled;
        text += &format!("  - {{ id: {id}, node_type: noop, disabled: {disabled} }}\n");
        statuses.insert(id.to_owned(), status);
    }
    text += "  - { id: h, node_type: noop, disabled: true }\n  - { id: i, node_type: noop }\n";
    statuses.insert("h".to_owned(), NodeStatus::Skipped);
    (document(&text), statuses)
}

#[test]
fn statuses_in_mermaid() {
    let (document, statuses) = with_statuses();
    let diagram = Diagram::new(document.workflow()).statuses(&statuses);
    insta::assert_snapshot!(diagram.mermaid(), @r#"
    flowchart TD
        n0(("a<br/>noop<br/>success"))
        n1(("b<br/>noop<br/>recovered"))
        n2(("c<br/>noop<br/>skipped"))
        n3(("d<br/>noop<br/>disabled"))
        n4(("e<br/>noop<br/>failed"))
        n5(("f<br/>noop<br/>cancelled"))
        n6(("g<br/>noop<br/>not-run"))
        n7(("h<br/>noop<br/>disabled<br/>skipped"))
        n8(("i<br/>noop"))
        classDef success fill:#d1f0d8,stroke:#2e8b57,color:#0b3d1f
        class n0 success
        classDef recovered fill:#fdeebf,stroke:#b07d00,color:#4a3200
        class n1 recovered
        classDef skipped fill:#e2e6ea,stroke:#7a8594,color:#2b333c
        class n2,n7 skipped
        classDef disabled fill:#f1f3f5,stroke:#949ca6,color:#4b535c
        class n3 disabled
        classDef failed fill:#fad4d4,stroke:#d03b3b,color:#5c0f0f
        class n4 failed
        classDef cancelled fill:#ead8f6,stroke:#8e55b5,color:#3c1053
        class n5 cancelled
        classDef not-run fill:#dae6fa,stroke:#4c7dc4,color:#12305e
        class n6 not-run
        classDef left-out stroke-dasharray:5 5
        class n3,n7 left-out
    "#);
}

#[test]
fn statuses_in_dot() {
    let (document, statuses) = with_statuses();
    let diagram = Diagram::new(document.workflow()).statuses(&statuses);
    insta::assert_snapshot!(diagram.dot(), @r##"
    digraph workflow {
        graph [bgcolor=transparent]
        node [shape=box style=filled fillcolor="#f8fafc" color="#7a8594" fontcolor="#1c242c" fontname="sans-serif"]
        edge [color="#7a8594" fontcolor="#7a8594" fontname="sans-serif"]
        n0 [label="a\nnoop\nsuccess" shape=ellipse class="success" fillcolor="#d1f0d8" color="#2e8b57" fontcolor="#0b3d1f"]
        n1 [label="b\nnoop\nrecovered" shape=ellipse class="recovered" fillcolor="#fdeebf" color="#b07d00" fontcolor="#4a3200"]
        n2 [label="c\nnoop\nskipped" shape=ellipse class="skipped" fillcolor="#e2e6ea" color="#7a8594" fontcolor="#2b333c"]
        n3 [label="d\nnoop\ndisabled" shape=ellipse style="filled,dashed" class="disabled" fillcolor="#f1f3f5" color="#949ca6" fontcolor="#4b535c"]
        n4 [label="e\nnoop\nfailed" shape=ellipse class="failed" fillcolor="#fad4d4" color="#d03b3b" fontcolor="#5c0f0f"]
        n5 [label="f\nnoop\ncancelled" shape=ellipse class="cancelled" fillcolor="#ead8f6" color="#8e55b5" fontcolor="#3c1053"]
        n6 [label="g\nnoop\nnot-run" shape=ellipse class="not-run" fillcolor="#dae6fa" color="#4c7dc4" fontcolor="#12305e"]
        n7 [label="h\nnoop\ndisabled\nskipped" shape=ellipse style="filled,dashed" class="skipped" fillcolor="#e2e6ea" color="#7a8594" fontcolor="#2b333c"]
        n8 [label="i\nnoop" shape=ellipse]
    }
    "##);
}

#[test]
fn what_cannot_run_is_drawn_as_far_as_it_is_known() {
    let document = document(
        "
id: w
nodes:
  - { id: a, node_type: nobody.knows, needs: [b, nowhere, a] }
  - { id: b, node_type: condition, needs: [a, { node: a, port: 'main:7' }] }
  - { name: nameless }
",
    );
    assert!(!document.problems().is_empty());
    insta::assert_snapshot!(Diagram::new(document.workflow()).mermaid(), @r#"
    flowchart TD
        n0["a<br/>nobody.knows"]
        n1{"b<br/>condition"}
        n2["nameless"]
        n1 --> n0
        n0 --> n1
    "#);
}

/// Pieces of text that mean something in one of the two languages, or to who shows them.
const PIECES: [&str; 50] = [
    "\"",
    "'",
    "`",
    "[",
    "]",
    "]]",
    "((",
    "))",
    "{{",
    "}",
    "/",
    "\\",
    "\\n",
    "\\N",
    "|",
    "-->",
    "-.->",
    "---",
    "--",
    "->",
    "%%",
    "%%{init: {}}%%",
    "#",
    "#35;",
    "#quot;",
    "&",
    "&amp;",
    "&#0;",
    ";",
    ":::",
    "<br/>",
    "<script>",
    "end",
    "graph",
    "subgraph",
    "style a:#b;",
    "classDef x:#y;",
    "click",
    "\n",
    "\r\n",
    "\0",
    "\u{202e}",
    "ﬂ°°",
    "¶ß",
    "www.",
    "$$",
    "fa:fa-bell",
    "1. ",
    "é",
    "😀",
];

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => "[a-z_. ]{1,3}",
    ];
    let text = prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat());
    // A name may not be blank.
    text.prop_filter("blank", |text| !text.trim().is_empty())
}

#[derive(Clone, Debug)]
struct Drawn {
    name: Option<String>,
    node_type: &'static str,
    case: String,
    needs: Vec<(prop::sample::Index, &'static str)>,
    disabled: bool,
    status: Option<NodeStatus>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let node_type = prop::sample::select(vec![
        "condition",
        "switch",
        "set",
        "merge",
        "wait",
        "fail",
        "noop",
        "workflow.call",
        "a\"]-->b",
    ]);
    let port = prop::sample::select(vec!["main", "error", "main:0"]);
    let needs = prop::collection::vec((any::<prop::sample::Index>(), port), 0..4);
    let status = prop::option::of(prop::sample::select(&STATUSES[..]));
    let name = prop::option::of(hostile());
    (name, node_type, hostile(), needs, any::<bool>(), status).prop_map(
        |(name, node_type, case, needs, disabled, status)| Drawn {
            name,
            node_type,
            case,
            needs,
            disabled,
            status: status.map(|(_, status)| status),
        },
    )
}

/// What a text becomes in a label.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        match c {
            _ if at == 60 => return shown + "…",
            '\0' | '\r' | '\n' | '\u{202e}' => shown.extend(c.escape_default()),
            _ => shown.push(c),
        }
    }
    shown
}

/// What a label of Mermaid's says; nothing may stand in it but what means nothing there.
fn from_mermaid(label: &str) -> Vec<String> {
    let line = |line: &str| {
        // What keeps apart is not seen.
        let line = line.replace("#8288;", "");
        let mut parts = line.split('#');
        let mut said = parts.next().unwrap().to_owned();
        for part in parts {
            let (code, rest) = part.split_once(';').unwrap();
            said.extend(char::from_u32(code.parse().unwrap()));
            assert!(
                rest.chars()
                    .all(|c| c.is_alphanumeric() || " _-.".contains(c)),
                "{line}"
            );
            said += rest;
        }
        said
    };
    label.split("<br/>").map(line).collect()
}

/// What a label of Graphviz's says.
fn from_dot(label: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut rest = label;
    while let Some(c) = rest.chars().next() {
        let known = [
            ("\\\\", '\\'),
            ("&quot;", '"'),
            ("&amp;", '&'),
            ("&lt;", '<'),
            ("&gt;", '>'),
        ];
        let known = known.iter().find(|(written, _)| rest.starts_with(written));
        let (length, c) = known.map_or((c.len_utf8(), c), |(written, c)| (written.len(), *c));
        if let Some(after) = rest.strip_prefix("\\n") {
            lines.push(String::new());
            rest = after;
            continue;
        }
        let is_escaped = length > c.len_utf8();
        assert!(is_escaped || !"\"&<>\\".contains(c), "{label}");
        lines.last_mut().unwrap().push(c);
        rest = &rest[length..];
    }
    lines
}

/// A line of a diagram: what is in its first quotes, and what is around them.
fn quoted(line: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = line.split_once('"')?;
    let (within, after) = rest.split_once('"')?;
    Some((before, within, after))
}

/// What a diagram has to have: the labels of its nodes, and its arrows with theirs.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    nodes: Vec<Vec<String>>,
    arrows: Vec<(usize, usize, Option<String>)>,
}

/// The same as it is read from a diagram, and the lines that are neither.
#[derive(Debug, Default)]
struct Found {
    drawn: Expected,
    others: Vec<String>,
}

fn found(diagram: &str, decode: fn(&str) -> Vec<String>) -> Found {
    let mut found = Found::default();
    for line in diagram.split('\n') {
        let number = |text: &str| text.strip_prefix('n')?.parse::<usize>().ok();
        let (before, label, after) = match quoted(line) {
            Some((before, label, after)) => (before, Some(decode(label)), after),
            None => (line, None, ""),
        };
        let bare = format!("{before}{after}");
        let ends: Vec<usize> = bare
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter_map(number)
            .collect();
        match (bare.contains("->"), label, ends.as_slice()) {
            (true, label, [from, to]) => {
                let label = label.map(|lines| lines.concat());
                found.drawn.arrows.push((*from, *to, label));
            }
            (false, Some(label), [node]) => {
                assert_eq!(*node, found.drawn.nodes.len(), "{line}");
                found.drawn.nodes.push(label);
            }
            _ => found.others.push(line.to_owned()),
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_text_alters_a_diagram(
        ids in prop::collection::hash_set(hostile(), 1..8),
        drawn in prop::collection::vec(drawn(), 8),
    ) {
        let ids: Vec<String> = ids.into_iter().collect();
        let mut statuses = BTreeMap::new();
        let mut classes = BTreeSet::new();
        let mut expected = Expected::default();
        let mut nodes = Vec::new();
        for (at, (id, node)) in ids.iter().zip(&drawn).enumerate() {
            let name = node.name.as_ref().unwrap_or(id);
            let mut label = vec![shown(name), shown(node.node_type)];
            let is_told = node.status == Some(NodeStatus::Disabled);
            label.extend((node.disabled && !is_told).then(|| "disabled".to_owned()));
            label.extend(node.status.map(|status| status.to_string()));
            expected.nodes.push(label);
            classes.extend(node.disabled.then_some("left-out"));
            match node.status {
                Some(status) => {
                    classes.insert(status.as_str());
                    statuses.insert(id.clone(), status);
                }
                None => classes.extend(node.disabled.then_some("disabled")),
            }
            let mut needs = Vec::new();
            for (index, port) in node.needs.iter().filter(|_| at > 0) {
                let from = index.index(at);
                let way = match (*port, drawn[from].node_type) {
                    ("error", _) => Some("error".to_owned()),
                    ("main:0", "condition") => Some("true".to_owned()),
                    ("main:0", "switch") => Some(shown(&drawn[from].case)),
                    _ => None,
                };
                // `main` and the only output are the same way, and so is what is said twice.
                let arrow = (from, at, way);
                if !expected.arrows.contains(&arrow) {
                    expected.arrows.push(arrow);
                }
                needs.push(json!({ "node": ids[from], "port": port }));
            }
            nodes.push(json!({
                "id": id,
                "name": name,
                "node_type": node.node_type,
                "needs": needs,
                "disabled": node.disabled,
                "parameters": { "cases": [node.case] },
            }));
        }
        let text = json!({ "id": "w", "nodes": nodes }).to_string();
        let document = read(&text, Format::Json).unwrap();
        prop_assert_eq!(document.problems(), []);
        let diagram = Diagram::new(document.workflow()).statuses(&statuses);

        let mermaid = found(&diagram.mermaid().to_string(), from_mermaid);
        prop_assert_eq!(&mermaid.drawn, &expected);
        // The first line, two for each class, and nothing after the last line break.
        prop_assert_eq!(mermaid.others.len(), 1 + 2 * classes.len() + 1, "{:?}", mermaid.others);

        let dot = found(&diagram.dot().to_string(), from_dot);
        prop_assert_eq!(&dot.drawn, &expected);
        prop_assert_eq!(dot.others.len(), 6, "{:?}", dot.others);
    }
}
