//! Workflows that call others: how those are found, and what is told of them.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use floe_workflow::{
    Checked, Document, ExecutorFacts, Executors, Format, Library, LibraryError, Limits, NoLibrary,
    Problems, Rule, Unresolved, Validator, WorkflowDirectories,
};
use semver::VersionReq;
use tempfile::TempDir;

use crate::outside::{Outside, read};

/// Workflows by their ids; what was asked for.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    texts: BTreeMap<String, String>,
    asked: Mutex<Vec<String>>,
}

impl Shelf {
    pub(crate) fn new(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let texts = texts.into_iter().collect();
        let asked = Mutex::default();
        Self { texts, asked }
    }

    /// Workflows `id` that each call others.
    fn of_calls(calls: &[(&str, &[&str])]) -> Self {
        let text = |(id, called): &(&str, &[&str])| ((*id).to_owned(), calling(id, called));
        Self::new(calls.iter().map(text))
    }
}

impl Library for Shelf {
    fn find(&self, id: &str, _version: Option<&VersionReq>) -> Result<Document, LibraryError> {
        self.asked.lock().unwrap().push(id.to_owned());
        let text = self.texts.get(id);
        let text = text.ok_or_else(|| LibraryError::NotFound { id: id.to_owned() })?;
        Ok(read(text, Format::Yaml).unwrap())
    }

    fn nearest(&self, id: &str) -> Option<String> {
        let like = |known: &&String| strsim::jaro_winkler(known, id) > 0.8;
        self.texts.keys().find(like).cloned()
    }
}

/// A workflow that calls others, one on each line from 4.
fn calling(id: &str, called: &[&str]) -> String {
    let mut text = format!(
        "id: {id}\nnodes:\n- {{ id: get, node_type: http.get, parameters: {{ url: x }} }}\n"
    );
    for (index, called) in called.iter().enumerate() {
        text.push_str(&format!(
            "- {{ id: c{index}, node_type: workflow.call, parameters: {{ workflow: {called} }} }}\n"
        ));
    }
    text
}

fn validate(library: impl Library + 'static, text: &str) -> Result<Checked, Problems> {
    let validator = Validator::new(Outside).library(library);
    validator.validate(read(text, Format::Yaml)?)
}

fn main(parameters: &str) -> String {
    format!(
        "id: main\nnodes:\n- id: c\n  node_type: workflow.call\n  parameters: {{ {parameters} }}\n"
    )
}

/// What is told of the node `c` of `main`; each begins after its place.
#[track_caller]
fn refused(library: impl Library + 'static, text: &str, expected: &str) {
    let problems = validate(library, text).unwrap_err();
    let start = "error in node `c` at `/nodes/0/parameters/workflow`: ";
    let told = problems.to_string();
    let told = told.split_once(start).map(|(_, told)| told);
    assert_eq!(told, Some(expected), "{problems}");
    assert_eq!(problems.errors.len(), 1, "{problems}");
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

fn library(directory: &TempDir) -> WorkflowDirectories {
    WorkflowDirectories::new().directory(directory.path())
}

/// A message without the directory that is another one each time.
fn told(directory: &TempDir, text: impl ToString) -> String {
    let path = directory.path().display().to_string();
    let text = text.to_string().replace(&path, "DIR");
    text.replace("DIR\\", "DIR/")
}

#[track_caller]
fn found(library: &impl Library, id: &str, range: Option<&str>) -> Option<String> {
    let range = range.map(|range| range.parse().unwrap());
    let document = library.find(id, range.as_ref());
    let document = document.unwrap_or_else(|error| panic!("{error}"));
    document.workflow().version.clone()
}

fn missing(library: &impl Library, id: &str, range: Option<&str>) -> LibraryError {
    let range = range.map(|range| range.parse().unwrap());
    library.find(id, range.as_ref()).unwrap_err()
}

const EMPTY: &str = "nodes: [{ id: a, node_type: noop }] }";

#[test]
fn a_workflow_that_is_called_is_checked_with_its_caller() {
    let directory = directory(&[("any name.yaml", &calling("sub", &[]))]);
    let text = main("workflow: sub, input: { a: '{{ input.x }}' }");
    let checked = validate(library(&directory), &text).unwrap();
    assert_eq!(**checked.text(), *text);
    assert_eq!(checked.format(), Format::Yaml);
    assert_eq!(checked.file(), None);
    let calls: Vec<usize> = checked.calls().keys().copied().collect();
    assert_eq!(calls, [0]);
    let sub = &checked.calls()[&0];
    assert_eq!(sub.workflow().id, "sub");
    assert_eq!(**sub.text(), *calling("sub", &[]));
    assert_eq!(sub.file(), Some(&*directory.path().join("any name.yaml")));
    assert!(sub.calls().is_empty());
    // Without a way to the whole of it.
    let shown = format!("{checked:?}");
    assert!(shown.contains("calls: {0: \"sub\"}"), "{shown}");
}

#[test]
fn what_is_not_there() {
    let shelf = || Shelf::of_calls(&[("shout", &[])]);
    refused(
        NoLibrary,
        &main("workflow: sub"),
        "there is no library to find workflow `sub` in; say where workflows are",
    );
    refused(
        shelf(),
        &main("workflow: shuot"),
        "no workflow has the id `shuot`; did you mean `shout`?",
    );
    refused(
        shelf(),
        &main("workflow: else"),
        "no workflow has the id `else`; write it, or call another one",
    );
    let problems = validate(shelf(), &main("workflow: else")).unwrap_err();
    let problem = &problems.errors[0];
    assert_eq!((problem.line, problem.column), (5, 27));
    assert_eq!(problem.rule, Rule::Call);
}

#[test]
fn parameters_that_are_no_constants() {
    let shelf = || Shelf::of_calls(&[("sub", &[])]);
    let told = |parameters: &str| {
        validate(shelf(), &main(parameters))
            .unwrap_err()
            .to_string()
    };
    let workflow = "line 5, column 27: error in node `c` at `/nodes/0/parameters/workflow`: found an expression, expected the id of a workflow; write the id itself, as what is called is checked before a run begins; to choose between workflows, call each in a node of its own after a `switch`";
    assert_eq!(told("workflow: '{{ input.which }}'"), workflow);
    assert_eq!(told("workflow: 'sub{# x #}'"), workflow);
    assert_eq!(
        told("workflow: sub, version: '{{ input.which }}'"),
        "line 5, column 41: error in node `c` at `/nodes/0/parameters/version`: found an expression, expected a range of versions; write the range itself, such as `^1.2`, as what is called is checked before a run begins"
    );
    assert_eq!(
        told("workflow: sub, version: new"),
        "line 5, column 41: error in node `c` at `/nodes/0/parameters/version`: `new` is no range of versions: unexpected character 'n' while parsing major version number; write one such as `^1.2`, or take it out"
    );
    assert_eq!(
        told("workflow: 5, version: 1.2"),
        "line 5, column 27: error in node `c` at `/nodes/0/parameters/workflow`: found `5`, expected a text\n\
         line 5, column 39: error in node `c` at `/nodes/0/parameters/version`: found `1.2`, expected a text"
    );
    // Both are told.
    assert_eq!(
        told("workflow: '{{ input.which }}', version: new")
            .lines()
            .count(),
        2
    );
}

#[test]
fn what_is_wrong_with_a_workflow_that_is_called() {
    let sub = "id: sub\nnodes:\n- { id: b, node_type: http.gte }\n";
    let directory = directory(&[("sub.yaml", sub)]);
    let text = main("workflow: sub");
    let problems = validate(library(&directory), &text).unwrap_err();
    assert_eq!(
        told(&directory, problems),
        "line 5, column 27: error in node `c` at `/nodes/0/parameters/workflow`: workflow `sub` has 1 error, in `DIR/sub.yaml`: line 3, column 23: error in node `b` at `/nodes/0/node_type`: no plugin offers the node type `http.gte`; did you mean `http.get`?"
    );
    // Its form too, and however deep.
    let sub = "id: sub\nnods: []\nnodes:\n- { id: b, node_type: zip.pack }\n";
    let shelf = || {
        let sub = ("sub".to_owned(), sub.to_owned());
        Shelf::new([sub, ("via".to_owned(), calling("via", &["sub"]))])
    };
    refused(
        shelf(),
        &text,
        "workflow `sub` has 2 errors, the first: line 2, column 1: error at `/nods`: a workflow has no field `nods`; did you mean `nodes`?",
    );
    refused(
        shelf(),
        &main("workflow: via"),
        "workflow `via` has 1 error: line 4, column 63: error in node `c0` at `/nodes/1/parameters/workflow`: workflow `sub` has 2 errors, the first: line 2, column 1: error at `/nods`: a workflow has no field `nods`; did you mean `nodes`?",
    );
}

#[test]
fn tenants() {
    let write = "nodes: [{ id: b, node_type: sql.write, parameters: { rows: [{}] } }]";
    let shelf = || {
        Shelf::new([
            (
                "acme".to_owned(),
                "{ id: acme, tenant: acme, nodes: [] }".to_owned(),
            ),
            ("write".to_owned(), format!("id: write\n{write}\n")),
        ])
    };
    let of = |tenant: &str, called: &str| {
        format!("{}tenant: {tenant}\n", main(&format!("workflow: {called}")))
    };
    validate(shelf(), &of("acme", "acme")).unwrap();
    validate(shelf(), &of("acme", "write")).unwrap();
    refused(
        shelf(),
        &of("guest", "acme"),
        "workflow `acme` is for tenant `acme`, expected one for tenant `guest`, on whose behalf it is called; take its tenant out, or call it for `acme`",
    );
    refused(
        shelf(),
        &main("workflow: acme"),
        "workflow `acme` is for tenant `acme`, expected one for no tenant, as its caller names none; take its tenant out, or call it for `acme`",
    );
    // Who calls counts for what names no tenant.
    refused(
        shelf(),
        &of("guest", "write"),
        "workflow `write` has 1 error: line 2, column 29: error in node `b` at `/nodes/0/node_type`: tenant `guest` may not call `sql.write`; allow it to tenant `guest`, or call something else",
    );
    let problems = validate(shelf(), &main("workflow: acme")).unwrap_err();
    assert_eq!(problems.errors[0].rule, Rule::Tenant);
}

#[test]
fn circles() {
    let circle = |spelt: &str| {
        format!("workflows call each other in a circle: {spelt}; take one of these calls out")
    };
    let shelf = || {
        Shelf::of_calls(&[
            ("a", &["b"]),
            ("b", &["a"]),
            ("own", &["own"]),
            ("via", &["main"]),
        ])
    };
    refused(
        shelf(),
        &main("workflow: a"),
        &circle("`a` calls `b` calls `a`"),
    );
    refused(
        shelf(),
        &main("workflow: own"),
        &circle("`own` calls `own`"),
    );
    // The first one is in no library.
    refused(
        shelf(),
        &main("workflow: main"),
        &circle("`main` calls `main`"),
    );
    refused(
        shelf(),
        &main("workflow: via"),
        &circle("`main` calls `via` calls `main`"),
    );
    // And where it is in one.
    let text = shelf().texts["a"].clone();
    let problems = validate(shelf(), &text).unwrap_err();
    let expected = circle("`a` calls `b` calls `a`");
    assert!(problems.to_string().ends_with(&expected), "{problems}");
}

#[test]
fn another_version_of_itself_is_no_circle() {
    let call =
        "nodes: [{ id: c, node_type: workflow.call, parameters: { workflow: w, version: ^1 } }]";
    let old = format!("{{ id: w, version: 1.0.0, {EMPTY}");
    let new = format!("{{ id: w, version: 2.0.0, {call} }}");
    let directory = directory(&[("old.yaml", &old), ("new.yaml", &new)]);
    let checked = validate(library(&directory), &new).unwrap();
    let called = &checked.calls()[&0];
    assert_eq!(called.workflow().version.as_deref(), Some("1.0.0"));
}

/// `w1` calls `w2`, and so on.
fn chain(length: usize) -> Shelf {
    let link = |at: usize| {
        let next = format!("w{}", at + 1);
        let called: &[&str] = if at < length { &[&next] } else { &[] };
        (format!("w{at}"), calling(&format!("w{at}"), called))
    };
    Shelf::new((1..=length).map(link))
}

#[test]
fn depth() {
    validate(chain(16), &main("workflow: w1")).unwrap();
    let deep = "workflows call each other more than 16 deep, from `main` on; make one workflow of several of them";
    refused(chain(17), &main("workflow: w1"), deep);
    refused(chain(200), &main("workflow: w1"), deep);
    // What was checked nearer to the start is deeper from elsewhere.
    let mut shelf = chain(10);
    for at in 1..=10 {
        let next = if at < 10 {
            format!("v{}", at + 1)
        } else {
            "w1".to_owned()
        };
        let id = format!("v{at}");
        shelf.texts.insert(id.clone(), calling(&id, &[&next]));
    }
    let problems = validate(shelf, &calling("main", &["w1", "v1"])).unwrap_err();
    assert_eq!(
        problems.to_string(),
        format!("line 5, column 63: error in node `c1` at `/nodes/2/parameters/workflow`: {deep}")
    );
}

/// Counts what is looked up: once for each workflow that has a node of it.
#[derive(Debug, Default)]
struct Counted(AtomicUsize);

impl Executors for Counted {
    fn resolve(&self, reference: &str) -> Result<ExecutorFacts, Unresolved> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Outside.resolve(reference)
    }

    fn nearest(&self, node_type: &str) -> Option<String> {
        Outside.nearest(node_type)
    }

    fn authorize(&self, tenant: &str, reference: &str) -> Result<(), String> {
        Outside.authorize(tenant, reference)
    }
}

#[test]
fn each_workflow_is_checked_once() {
    // Sixteen floors of two, each of which calls both of the floor below: 65,536 ways down.
    let mut texts = Vec::new();
    for floor in 1..=16 {
        for side in ["l", "r"] {
            let id = format!("{side}{floor}");
            let below = [format!("l{}", floor + 1), format!("r{}", floor + 1)];
            let below = below.each_ref().map(String::as_str);
            let called: &[&str] = if floor < 16 { &below } else { &[] };
            texts.push((id.clone(), calling(&id, called)));
        }
    }
    let shelf = Arc::new(Shelf::new(texts));
    let validator = Validator::new(Counted::default()).library(shelf.clone());
    let document = read(&calling("main", &["l1", "r1", "l1"]), Format::Yaml).unwrap();
    let checked = validator.validate(document).unwrap();
    assert_eq!(validator.executors().0.load(Ordering::SeqCst), 33);
    assert_eq!(shelf.asked.lock().unwrap().len(), 32);
    // And is there once.
    assert!(Arc::ptr_eq(&checked.calls()[&1], &checked.calls()[&3]));
    let [left, right] = [1, 2].map(|node| &checked.calls()[&node].calls()[&1]);
    assert!(Arc::ptr_eq(left, right));
    assert!(format!("{checked:?}").len() < 10_000);
}

#[test]
fn versions() {
    let of = |version: &str| format!("{{ id: w, version: {version}, {EMPTY}");
    let directory = directory(&[
        ("a.yaml", &of("1.2.0")),
        (
            "b.json",
            "{\"id\": \"w\", \"version\": \"1.10.0\", \"nodes\": []}",
        ),
        ("c.yml", &of("2.0.0")),
        ("d.YAML", &of("3.0.0-rc.1")),
        ("e.yaml", &of("draft")),
        ("f.yaml", &format!("{{ id: loose, version: draft, {EMPTY}")),
        ("g.yaml", &format!("{{ id: bare, {EMPTY}")),
        (
            "h.yaml",
            &format!("{{ id: early, version: 1.0.0-rc.1, {EMPTY}"),
        ),
        ("i.txt", &format!("{{ id: text, {EMPTY}")),
    ]);
    fs::create_dir(directory.path().join("below.yaml")).unwrap();
    fs::write(directory.path().join("below.yaml/w.yaml"), of("9.0.0")).unwrap();
    let library = library(&directory);
    let of = |id: &str, range| found(&library, id, range);
    assert_eq!(of("w", None).as_deref(), Some("2.0.0"));
    assert_eq!(of("w", Some("*")).as_deref(), Some("2.0.0"));
    assert_eq!(of("w", Some("^1")).as_deref(), Some("1.10.0"));
    assert_eq!(of("w", Some("~1.2")).as_deref(), Some("1.2.0"));
    assert_eq!(of("w", Some("3.0.0-rc.1")).as_deref(), Some("3.0.0-rc.1"));
    assert_eq!(of("loose", None).as_deref(), Some("draft"));
    assert_eq!(of("bare", None), None);
    assert_eq!(of("early", None).as_deref(), Some("1.0.0-rc.1"));
    let table = [
        (
            missing(&library, "w", Some("^4")),
            "workflow `w` is there in no version of `^4`, only in `2.0.0`, `1.10.0`, `1.2.0`, `3.0.0-rc.1`, `draft`; ask for one that is there, or write another",
        ),
        (
            missing(&library, "loose", Some("*")),
            "workflow `loose` is there in no version of `*`, only in `draft`; ask for one that is there, or write another",
        ),
        (
            missing(&library, "bare", Some("^1")),
            "workflow `bare` is there in no version of `^1`, only without one; ask for one that is there, or write another",
        ),
        (
            missing(&library, "text", None),
            "no workflow has the id `text`; write it, or call another one",
        ),
    ];
    for (error, expected) in table {
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(library.nearest("losse").as_deref(), Some("loose"));
    assert!(library.left_out().is_empty(), "{:?}", library.left_out());
    refused(
        self::library(&directory),
        &main("workflow: bare, version: ^1"),
        "workflow `bare` is there in no version of `^1`, only without one; ask for one that is there, or write another",
    );
}

#[test]
fn two_files_of_one_workflow() {
    let of = |version: &str| format!("{{ id: w, version: {version}, {EMPTY}");
    let directory = directory(&[
        ("1.yaml", &of("1.0.0")),
        ("2.yaml", &of("1.0.0")),
        ("3.yaml", &of("2.0.0")),
        ("4.yaml", &format!("{{ id: loose, {EMPTY}")),
        ("5.yaml", &format!("{{ id: loose, version: draft, {EMPTY}")),
    ]);
    // Each is looked at once, however often its directory is named.
    let library = library(&directory).directory(directory.path().join("."));
    assert_eq!(found(&library, "w", None).as_deref(), Some("2.0.0"));
    let twice = missing(&library, "w", Some("^1"));
    assert_eq!(
        told(&directory, twice),
        "`DIR/1.yaml` and `DIR/2.yaml` are both workflow `w`, in version `1.0.0`; take one of them out, or give it a version of its own"
    );
    let loose = missing(&library, "loose", None);
    assert_eq!(
        told(&directory, loose),
        "`DIR/4.yaml` and `DIR/5.yaml` are both workflow `loose`, in no version that can be compared; take one of them out, or give it a version of its own"
    );
}

#[test]
fn a_broken_file_hides_no_other() {
    let directory = directory(&[
        ("bad.yaml", "id: [\n"),
        ("binary.json", ""),
        ("good.yaml", &calling("good", &[])),
        ("list.json", "[]"),
        ("package.json", "{\"name\": \"x\", \"version\": \"1.0.0\"}"),
        ("typo.yaml", &calling("typo", &[]).replace("url", "ulr")),
    ]);
    fs::write(directory.path().join("latin.yaml"), b"id: \xe9\n").unwrap();
    let large = "x".repeat(2000);
    fs::write(directory.path().join("large.yaml"), large).unwrap();
    let limits = Limits::default().bytes(1000);
    let limited = || library(&directory).limits(limits);
    validate(limited(), &main("workflow: good")).unwrap();
    // With a mistake in it, a workflow is one.
    refused_in(
        &directory,
        limited(),
        "typo",
        "workflow `typo` has 1 error, in `DIR/typo.yaml`: line 3, column 47: error in node `get` at `/nodes/0/parameters`: `url` is missing, which is required; write `url`",
    );
    let left_out = limited();
    let left_out: Vec<String> = (left_out.left_out().iter())
        .map(|error| told(&directory, error))
        .collect();
    assert_eq!(
        left_out,
        [
            "`DIR/bad.yaml` is no workflow; mend it",
            "`DIR/binary.json` is no workflow; mend it",
            "cannot read `DIR/large.yaml`; see that it is there and may be read",
            "cannot read `DIR/latin.yaml`; see that it is there and may be read",
            "`DIR/list.json` is no workflow; mend it",
            "`DIR/package.json` is no workflow; mend it",
        ]
    );
    // A broken file is told of where it has the name of what is looked for.
    refused_in(
        &directory,
        limited(),
        "list",
        "`DIR/list.json` is no workflow: line 1, column 1: error: found a list, expected a workflow, which is a map; mend it",
    );
    refused_in(
        &directory,
        limited(),
        "large",
        "cannot read `DIR/large.yaml`: it has more than 1000 bytes, which is the limit; see that it is there and may be read",
    );
    refused_in(
        &directory,
        limited(),
        "latin",
        "cannot read `DIR/latin.yaml`: invalid utf-8 sequence of 1 bytes from index 4; see that it is there and may be read",
    );
    refused_in(
        &directory,
        limited(),
        "absent",
        "no workflow has the id `absent`; write it, or call another one",
    );
}

#[track_caller]
fn refused_in(directory: &TempDir, library: WorkflowDirectories, id: &str, expected: &str) {
    let problems = validate(library, &main(&format!("workflow: {id}"))).unwrap_err();
    let start = "line 5, column 27: error in node `c` at `/nodes/0/parameters/workflow`: ";
    assert_eq!(told(directory, problems), format!("{start}{expected}"));
}

#[test]
fn a_directory_that_is_not_there() {
    let directory = directory(&[("good.yaml", &calling("good", &[]))]);
    let library = WorkflowDirectories::new()
        .directory(directory.path().join("none"))
        .directory(directory.path());
    assert_eq!(found(&library, "good", None), None);
    // What is asked for may be in it.
    let error = missing(&library, "else", None);
    assert_eq!(
        told(&directory, &error),
        "cannot read `DIR/none`; see that it is there and may be read"
    );
    assert!(std::error::Error::source(&error).is_some());
}
