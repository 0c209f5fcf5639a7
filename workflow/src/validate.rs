//! Whether a workflow can run as it is written: every problem at once.

mod calls;
mod expressions;
mod graph;
mod known;
mod nodes;
mod partial;
mod plain;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::calls::{Refusal, Session};
use self::known::{Known, Memory};
use crate::document::{Document, Workflow};
use crate::executors::{Executors, Unresolved};
use crate::library::{Library, NoLibrary};
use crate::nearest::nearest;
use crate::plan::{Names, Plan, Wiring};
use crate::problem::{MOST, Problem, Problems, Rule};
use crate::source::{Format, Source};

/// For how many unknown names the nearest node is looked for.
const LOOKED_FOR: usize = 100;

/// What checks workflows against the executors that there are, and with the workflows that they call.
///
/// One is kept for as long as the executors are: what it has compiled of their schemas makes all but
/// the first check quick. May be used on any thread, on many at once, where the executors may.
///
/// ```no_run
/// use floe_registry::Registry;
/// use floe_workflow::{Document, Format, Limits, Validator};
///
/// let validator = Validator::new(Registry::builder().directory("/opt/acme/plugins").build()?);
/// let text = std::fs::read_to_string("greet.yaml")?;
/// let document = Document::read(&text, Format::Yaml, &Limits::default())?;
/// let checked = validator.validate(document)?;
/// for node in checked.plan().order() {
///     println!("{}", checked.workflow().nodes[*node].id);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Validator<E> {
    executors: E,
    library: Arc<dyn Library>,
    memory: Memory,
}

impl<E: fmt::Debug> fmt::Debug for Validator<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator")
            .field("executors", &self.executors)
            .finish_non_exhaustive()
    }
}

impl<E: Executors> Validator<E> {
    /// Checks against these executors.
    #[must_use]
    pub fn new(executors: E) -> Self {
        Self {
            executors,
            library: Arc::new(NoLibrary),
            memory: Memory::default(),
        }
    }

    /// Sets where the workflows are that others call; nowhere by default, so that none can be called.
    #[must_use]
    pub fn library(mut self, library: impl Library + 'static) -> Self {
        self.library = Arc::new(library);
        self
    }

    /// What it checks against.
    #[must_use]
    pub const fn executors(&self) -> &E {
        &self.executors
    }

    /// All that is wrong with a workflow: its form, its wiring, its nodes and its expressions; and what
    /// is wrong with the workflows that it calls, one problem for each call.
    #[must_use]
    pub fn check(&self, document: &Document) -> Problems {
        self.run(document, &mut Session::new(document.workflow()))
            .problems
    }

    /// A workflow that can run, as can all that it calls.
    ///
    /// # Errors
    ///
    /// It cannot, and everything that is wrong with it.
    pub fn validate(&self, document: Document) -> Result<Checked, Problems> {
        let outcome = self.run(&document, &mut Session::new(document.workflow()));
        outcome.checked(document)
    }

    /// Checks one workflow, which is the innermost that is open in the session.
    fn run(&self, document: &Document, session: &mut Session) -> Outcome {
        let workflow = document.workflow();
        let names = Names::of(workflow);
        let mut check = Check {
            validator: self,
            session,
            workflow,
            source: document.source(),
            wiring: Wiring::of(workflow, &names),
            names,
            plan: None,
            node: None,
            found: HashMap::new(),
            allowed: HashMap::new(),
            looked_for: Cell::new(0),
            circled: RefCell::new(None),
            calls: BTreeMap::new(),
            chain: None,
            problems: document.problems().to_vec(),
        };
        check.duplicates();
        check.faults();
        check.order();
        check.reach();
        check.settings();
        check.nodes();
        Outcome {
            problems: check.problems.into_iter().collect(),
            plan: check.plan,
            calls: check.calls,
            chain: check.chain,
        }
    }
}

/// What came of one check.
struct Outcome {
    problems: Problems,
    plan: Option<Plan>,
    calls: BTreeMap<usize, Arc<Checked>>,
    /// A circle of workflows, or one too deep, that all who call this one are told.
    chain: Option<Refusal>,
}

impl Outcome {
    fn checked(self, document: Document) -> Result<Checked, Problems> {
        match self.plan {
            Some(plan) if self.problems.errors.is_empty() => {
                let (workflow, source, file) = document.into_parts();
                let below = self.calls.values().map(|called| called.depth + 1);
                Ok(Checked {
                    workflow,
                    text: source.text().clone(),
                    format: source.format(),
                    file,
                    plan,
                    depth: below.max().unwrap_or_default(),
                    calls: self.calls,
                    warnings: self.problems.warnings,
                })
            }
            _ => Err(self.problems),
        }
    }
}

/// A workflow that was found to be able to run. Only a [`Validator`] makes one.
#[derive(Clone)]
pub struct Checked {
    workflow: Workflow,
    text: Arc<str>,
    format: Format,
    file: Option<PathBuf>,
    plan: Plan,
    calls: BTreeMap<usize, Arc<Self>>,
    /// How deep it calls others: 0 where it calls none.
    depth: usize,
    warnings: Vec<Problem>,
}

/// Of those that it calls, the ids: whole, they would be told once for each way to them.
impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.calls.iter();
        let calls: BTreeMap<usize, &str> = calls
            .map(|(node, called)| (*node, called.workflow.id.as_str()))
            .collect();
        f.debug_struct("Checked")
            .field("workflow", &self.workflow)
            .field("plan", &self.plan)
            .field("calls", &calls)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

impl Checked {
    /// The workflow.
    #[must_use]
    pub const fn workflow(&self) -> &Workflow {
        &self.workflow
    }

    /// The order in which its nodes run.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The text that it was read from, without a byte order mark.
    #[must_use]
    pub const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// What the text is written in.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The file that it is from, where its document had [one](Document::file).
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The workflow that each node calls, by the node's index in [`Workflow::nodes`]: one for each node
    /// of the type `workflow.call`, disabled ones among them.
    ///
    /// A workflow that several nodes call, here or in each other, is there once and shared. They are at
    /// most 16 deep, and in no circle.
    #[must_use]
    pub const fn calls(&self) -> &BTreeMap<usize, Arc<Self>> {
        &self.calls
    }

    /// What looked wrong, though it can run. What looked wrong with those that it calls is in theirs.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The workflow and the order.
    #[must_use]
    pub fn into_parts(self) -> (Workflow, Plan) {
        (self.workflow, self.plan)
    }
}

/// One check of one document.
struct Check<'a, E> {
    validator: &'a Validator<E>,
    /// What is known of all workflows of this validation.
    session: &'a mut Session,
    workflow: &'a Workflow,
    source: &'a Source,
    names: Names<'a>,
    wiring: Wiring,
    /// Made when the nodes are in order; there is none where they are in circles.
    plan: Option<Plan>,
    /// The node that is looked at.
    node: Option<usize>,
    /// What answers to each reference of this document.
    found: HashMap<String, Result<Arc<Known>, Unresolved>>,
    /// Whether the tenant may call it.
    allowed: HashMap<String, Result<(), String>>,
    looked_for: Cell<usize>,
    /// What comes before the node that was last asked for, where there is no plan.
    circled: RefCell<Option<(usize, HashSet<usize>)>>,
    /// The workflows that nodes call.
    calls: BTreeMap<usize, Arc<Checked>>,
    /// A circle of workflows, or one too deep.
    chain: Option<Refusal>,
    problems: Vec<Problem>,
}

impl<'a, E: Executors> Check<'a, E> {
    fn push(&mut self, mut problem: Problem) {
        if problem.node.is_none() {
            problem.node = self.node.map(|node| self.id(node).to_owned());
        }
        if !self.is_full() {
            self.problems.push(problem);
        }
    }

    /// Whether no more problems are told, so that none has to be looked for.
    const fn is_full(&self) -> bool {
        self.problems.len() >= MOST
    }

    /// A problem with the value at a pointer.
    fn problem(&self, rule: Rule, pointer: &str, message: impl Into<String>) -> Problem {
        Problem::new(rule, pointer, self.source.place(pointer), message)
    }

    /// A problem with the key at a pointer.
    fn problem_at_key(&self, rule: Rule, pointer: &str, message: impl Into<String>) -> Problem {
        Problem::new(rule, pointer, self.source.key_place(pointer), message)
    }

    fn id(&self, node: usize) -> &'a str {
        self.workflow.nodes.get(node).map_or("", |node| &node.id)
    }

    /// The node whose id or name is most like a word. After many words none is looked for.
    fn nearest_node(&self, word: &str) -> Option<String> {
        self.looked_for.set(self.looked_for.get() + 1);
        if self.looked_for.get() > LOOKED_FOR {
            return None;
        }
        let nodes = self.workflow.nodes.iter();
        nearest(
            word,
            nodes.flat_map(|node| [node.id.as_str(), node.name.as_str()]),
        )
    }

    /// Whether a node comes before another one. Where nodes are in circles, each of those does.
    fn is_upstream(&self, before: usize, after: usize) -> bool {
        if let Some(plan) = &self.plan {
            return plan.is_upstream(before, after);
        }
        let mut known = self.circled.borrow_mut();
        if known.as_ref().is_none_or(|(node, _)| *node != after) {
            *known = Some((
                after,
                self.wiring.upstream(self.workflow.nodes.len(), after),
            ));
        }
        known
            .as_ref()
            .is_some_and(|(_, upstream)| upstream.contains(&before))
    }

    /// What holds for all nodes.
    fn settings(&mut self) {
        let workflow = self.workflow;
        let settings = &workflow.settings;
        let timeout = settings.timeout.map(|timeout| timeout.is_zero());
        self.nonzero(timeout, "timeout", "/settings");
        self.nonzero(
            Some(settings.max_concurrency == 0),
            "max_concurrency",
            "/settings",
        );
        let used: HashSet<String> = {
            let nodes = workflow.nodes.iter();
            nodes
                .map(|node| crate::executors::node_type_of(&node.node_type))
                .collect()
        };
        for (node_type, count) in &settings.max_concurrency_by_type {
            let at = "/settings/max_concurrency_by_type";
            self.nonzero(Some(*count == 0), node_type, at);
            if !used.contains(node_type) {
                let pointer = format!("{at}/{}", crate::source::escaped(node_type));
                let message = format!("no node calls `{}`", node_type.escape_debug());
                let problem = self
                    .problem_at_key(Rule::NodeType, &pointer, message)
                    .warning();
                let near = nearest(node_type, used.iter().map(String::as_str));
                self.push(problem.meant(near, "take it out"));
            }
        }
        let hint = "write the expression where the variable is used";
        self.plain("/variables", "variables are", hint);
        if let Some(recovery) = &settings.recovery {
            self.recovery(recovery, "", "/settings/recovery");
        }
        if workflow.nodes.is_empty() && self.problems.is_empty() {
            let problem = self
                .problem(Rule::Format, "/nodes", "the workflow has no nodes")
                .warning();
            self.push(problem.hint("add one"));
        }
    }
}
