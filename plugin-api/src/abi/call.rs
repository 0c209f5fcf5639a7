//! What the host tells a plugin of one call.

use abi_stable::sabi_trait;
use abi_stable::sabi_types::RRef;
use abi_stable::std_types::{RArc, RStr};

/// What the host tells a plugin of one call. Implemented by the host.
///
/// Every text lives as long as the call does, not longer: the plugin copies what it keeps. All
/// methods may be called on any thread while the call lasts.
#[sabi_trait]
pub trait RawCall: Send + Sync {
    /// The run that the call belongs to; empty where there is none.
    fn execution_id(&self) -> RStr<'_>;
    /// The place in the run, such as a workflow's step; empty where there is none.
    fn node_id(&self) -> RStr<'_>;
    /// On whose behalf; empty where there are no tenants.
    fn tenant(&self) -> RStr<'_>;
    /// 1 for the first attempt.
    fn attempt(&self) -> u32;
    /// Nanoseconds until the caller stops waiting, 0 when it has, [`u64::MAX`] when it never will.
    fn remaining_ns(&self) -> u64;
    /// Whether the caller no longer wants the answer.
    fn is_cancelled(&self) -> bool;
    /// The two answers above for as long as the plugin likes: it may be kept beyond the call.
    fn watch(&self) -> RawWatchArc;
    /// Tells the caller how far the work is: 0.0 to 1.0, or not a number where that is unknown.
    #[sabi(last_prefix_field)]
    fn progress(&self, fraction: f64, message: RStr<'_>);
}

/// Whether anybody still waits for a call. Implemented by the host; may be kept and used on any
/// thread, also when the call is over.
#[sabi_trait]
pub trait RawWatch: Send + Sync + Clone {
    /// As [`RawCall::remaining_ns`].
    fn remaining_ns(&self) -> u64;
    /// As [`RawCall::is_cancelled`].
    #[sabi(last_prefix_field)]
    fn is_cancelled(&self) -> bool;
}

/// A shared [`RawWatch`].
pub type RawWatchArc = RawWatch_TO<'static, RArc<()>>;

/// A borrowed [`RawCall`]: two words, made anew for each call.
pub type RawCallRef<'a> = RawCall_TO<'a, RRef<'a, ()>>;
