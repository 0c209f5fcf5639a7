//! An executor of the test that keeps a call inside a plugin until it is let go.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use floe_plugin_api::{ExecutorMetadata, Value};
use floe_registry::Registry;

/// How long to wait for a thread at most: a bound on hanging, not on speed.
const LIMIT: Duration = Duration::from_secs(180);

/// An executor that tells that it was entered, and returns once the gate is open.
#[derive(Debug)]
pub struct Gate {
    entered: Receiver<()>,
    /// Dropped to open the gate, by a test that fails too.
    closed: Option<Sender<()>>,
}

impl Gate {
    /// Registers a closed gate as an executor.
    #[track_caller]
    pub fn register(registry: &Registry, node_type: &str) -> Self {
        let (enter, entered) = mpsc::channel();
        let (closed, opened) = mpsc::channel::<()>();
        let opened = Mutex::new(opened);
        let metadata = ExecutorMetadata::new(node_type).expect("a good node type");
        let gate = move |_: &Value, _: &floe_plugin_api::CallContext<'_>| {
            let _ = enter.send(());
            let opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
            // Comes back with an error when the sender is gone, for every caller.
            let _ = opened.recv();
            Ok(Value::from("through"))
        };
        registry.register(metadata, gate).expect("a free node type");
        Self {
            entered,
            closed: Some(closed),
        }
    }

    /// Waits until a call is inside.
    #[track_caller]
    pub fn wait_until_entered(&self) {
        self.entered
            .recv_timeout(LIMIT)
            .expect("the gate is entered");
    }

    /// How many have entered since it was last asked.
    pub fn entered(&self) -> usize {
        self.entered.try_iter().count()
    }

    /// Lets all through, from now on.
    pub fn open(&mut self) {
        self.closed = None;
    }
}
