//! How far a run of a workflow is, on standard error: a line for each node that runs, on a terminal; elsewhere a line
//! for each that has ended.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use floe_workflow::{NodeStatus, Told};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Output;
use super::text;

/// For how many nodes there is a line at once; more would not fit a terminal.
const LINES: usize = 12;

/// How often the lines are drawn anew, so that their times go on.
const TICK: Duration = Duration::from_millis(100);

/// Who shows how far a run is.
pub(crate) struct Showing(Way);

enum Way {
    /// Not at all, but for the log.
    Hidden,
    /// A line for each node that has ended.
    Plain,
    /// A line for each node that runs.
    Live {
        all: MultiProgress,
        lines: Mutex<BTreeMap<String, ProgressBar>>,
    },
}

impl Showing {
    pub(crate) fn new(quiet: bool, output: &Output) -> Arc<Self> {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let way = if quiet || output.is_json() {
            Way::Hidden
        } else if all.is_hidden() {
            Way::Plain
        } else {
            Way::Live {
                all,
                lines: Mutex::default(),
            }
        };
        Arc::new(Self(way))
    }

    /// Takes note of news of a node.
    pub(crate) fn tell(&self, told: Told<'_>) {
        tracing::info!("{told}");
        match (&self.0, told) {
            (Way::Plain, Told::Ended { node, status, took }) => line(&ended(node, status, took)),
            (Way::Live { all, lines }, Told::Began { node }) => {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() < LINES {
                    let bar = all.add(ProgressBar::new_spinner());
                    // The template is well formed; a line of the default look is no reason to fail.
                    if let Ok(style) =
                        ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}")
                    {
                        bar.set_style(style);
                    }
                    bar.set_message(text::plain(node));
                    bar.enable_steady_tick(TICK);
                    lines.insert(node.to_owned(), bar);
                }
            }
            (Way::Live { all, lines }, Told::Ended { node, status, took }) => {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(bar) = lines.remove(node) {
                    bar.finish_and_clear();
                    all.remove(&bar);
                }
                drop(lines);
                // That it went well is to be seen in the result.
                if matches!(status, NodeStatus::Failed | NodeStatus::Recovered) {
                    let _ = all.println(ended(node, status, took));
                }
            }
            _ => {}
        }
    }

    /// Says something beside the lines.
    pub(crate) fn say(&self, what: &str) {
        match &self.0 {
            Way::Live { all, .. } => {
                let _ = all.println(what);
            }
            Way::Plain | Way::Hidden => line(what),
        }
    }

    /// Leaves nothing of the lines.
    pub(crate) fn end(&self) {
        if let Way::Live { all, lines } = &self.0 {
            lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let _ = all.clear();
        }
    }
}

fn ended(node: &str, status: NodeStatus, took: Duration) -> String {
    format!("{}: {status}, {}", text::plain(node), text::time(took))
}

/// Who closed standard error wants to know nothing.
fn line(what: &str) {
    let _ = writeln!(io::stderr().lock(), "{what}");
}
