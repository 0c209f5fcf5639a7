//! Workflows of floe plugins: a graph of calls, checked before it runs.
//!
//! A workflow is written in JSON or YAML. It is read, checked against the executors that there are,
//! and then it has a plan; what is wrong with it is told all at once, each with its line and column:
//!
//! ```
//! use floe_registry::Registry;
//! use floe_workflow::{Document, Format, Limits, Validator};
//!
//! let text = "
//! id: greet
//! nodes:
//!   - id: hold
//!     node_type: wait
//!     parameters: { duration: 5 }
//!   - id: end
//!     node_type: noop
//!     needs: [holt]
//! ";
//! let document = Document::read(text, Format::Yaml, &Limits::default())?;
//! let validator = Validator::new(Registry::builder().build()?);
//! let problems = validator.validate(document).unwrap_err();
//! assert_eq!(
//!     problems.to_string(),
//!     "line 6, column 29: error in node `hold` at `/nodes/0/parameters/duration`: \
//!      found `5`, expected a text\n\
//!      line 9, column 13: error in node `end` at `/nodes/1/needs/0`: \
//!      `holt` is no node of this workflow; did you mean `hold`?"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The route
//!
//! ```text
//! text ─ source ─▶ tree ─ document ─▶ Document ─ Validator ─▶ Checked ─ Runner ─▶ Run
//!        JSON or YAML    its form       the outside          Workflow and Plan,
//!                                    and a Library         and those that it calls
//! ```
//!
//! # What holds
//!
//! * Reading a document calls no plugin, and checking it starts none.
//! * The size, the depth and the number of values of a document are bounded before it is understood.
//! * JSON and YAML of the same content are the same workflow.
//! * A workflow is checked with all that it calls, each once and at most 16 deep.
//! * A part that holds an expression is never held against a schema.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod control;
mod diagram;
mod document;
mod executors;
pub mod expression;
mod journal;
mod library;
mod nearest;
mod plan;
mod problem;
mod run;
mod source;
mod validate;

pub use self::control::Control;
pub use self::diagram::Diagram;
pub use self::document::{
    Connection, Document, Foreach, Need, Node, OnError, ParsePortError, Port, Settings, Trigger,
    Workflow, schema,
};
pub use self::executors::{ExecutorFacts, Executors, Unresolved};
pub use self::journal::{
    Interrupted, Journal, JournalError, JournalSettings, JournalSync, NodeRecord, RecordStatus,
    Repeated, RunRecord, RunSummary,
};
pub use self::library::{Library, LibraryError, NoLibrary, WorkflowDirectories};
pub use self::plan::{Edge, Plan};
pub use self::problem::{Problem, Problems, Rule, Severity};
pub use self::run::{
    Called, Caller, Failure, NodeRun, NodeStatus, Run, RunOptions, RunStatus, Runner, Stop, Told,
    new_execution_id,
};
pub use self::source::{Format, Limits};
pub use self::validate::{Checked, Validator};
