//! What there is to call, the state that each plugin is in, and how one state follows another.
//!
//! - `slot` is one generation of a plugin: one build of it, from its admission on. `catalog` is which
//!   slot answers to which name: a pure function of the slots, and never changed but replaced.
//! - `running` is an instance that callers use; `door` is how they reach it, and how it is closed to
//!   them, and `entrance` is whose door is whose; `instances` is the cache of them.
//! - `target` is an executor of a slot, `line` an executor as a handle holds it: it follows what
//!   answers. `gate` is what every call passes, `calling` how it finds its instance, `answering` how one
//!   that is looked at comes to its answer.
//! - `turn` lets one at a time start a thing, and sees who waits for whom; `workers` are threads for
//!   what a deadline bounds; `ending` stops instances; `circuit` decides which plugins are left alone.
//! - `depend` is who needs whom; `start` starts one plugin after what it needs; `waves` starts and
//!   stops all; `health` asks how they are.
//! - `upgrade` finds new builds and starts them beside running ones; `publish` makes them answer;
//!   `watch` has that done when files change.
//! - `ground` is what all slots share; `supervisor` holds it all.

mod answering;
mod calling;
mod catalog;
mod circuit;
mod depend;
mod door;
mod ending;
mod entrance;
mod gate;
mod ground;
mod health;
mod instances;
mod isolated;
mod line;
mod probe;
mod publish;
mod running;
mod slot;
mod start;
mod supervisor;
mod sync;
mod target;
mod turn;
// Beside it, as `tests/model` has the file itself, where threads of the system have no place.
#[cfg(test)]
#[path = "turn/tests.rs"]
mod turn_tests;
mod upgrade;
mod voice;
mod watch;
mod waves;
mod workers;

pub(crate) use calling::resolve;
pub(crate) use catalog::{Catalog, Entry, Need};
pub use catalog::{Mode, Standing};
pub(crate) use gate::Gate;
pub use ground::Statistics;
pub(crate) use ground::{Bounds, Disk, Ground, Recorders};
pub use health::{HealthReport, PluginHealth};
pub use instances::CacheStats;
pub(crate) use instances::Instances;
pub use isolated::{WorkerInfo, WorkersStats};
pub(crate) use line::Line;
pub(crate) use running::{Key, Lodging, Running};
pub(crate) use slot::Slot;
pub use slot::State;
pub(crate) use supervisor::{Parts, Supervisor};
pub(crate) use target::Target;
pub use watch::{Watch, WatchError};
pub(crate) use waves::Owner;
pub(crate) use waves::maybe_nanoseconds;
pub use waves::{InstanceStop, PluginStart, StartOptions, StartOutcome, StartReport};
pub use workers::Abandoned;

/// What one at a time does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StartKey {
    /// Map a generation's code, or ask it for its schemas.
    Code(u64),
    /// Start an instance.
    Instance(Key),
    /// Change what answers, in a registry.
    Upgrade,
}
