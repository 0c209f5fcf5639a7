//! What an operator asks of a registry: start, stop, health, watch, other builds and configurations.

use floe_plugin_api::Value;

use super::Registry;
use crate::error::UpgradeError;
use crate::event::{Event, Subscription};
use crate::info::Change;
use crate::isolation::IsolationRule;
use crate::lifecycle::{HealthReport, InstanceStop, StartOptions, StartReport, Watch, WatchError};

impl Registry {
    /// Starts all plugins that answer, and those that they need, in waves: each plugin after those that
    /// it needs, as many at once as the options say. One that fails keeps no other from starting, but
    /// those that need it.
    ///
    /// Nothing needs this: a plugin is started by its first call. It is for hosts that want to know at
    /// once what works, and want no caller to wait.
    #[must_use]
    pub fn start(&self, options: StartOptions) -> StartReport {
        self.supervisor().start_all(options)
    }

    /// Stops all live instances, each after those that need it and otherwise the last to be started
    /// first, and waits for each as long as stops may take. Later calls start new ones. A function of
    /// this program that a plugin is calling would wait for itself. All calls that have ended are in the
    /// audit's file then.
    #[expect(
        clippy::must_use_candidate,
        reason = "who only wants all stopped needs no report"
    )]
    pub fn stop(&self) -> Vec<InstanceStop> {
        let stopped = self.supervisor().stop_all();
        self.supervisor().gate().flush();
        stopped
    }

    /// Asks all live instances how they are, all at once, each within the deadline for that. Plugins
    /// that failed and have no live instance are told of too; those that were never used are not.
    #[must_use]
    pub fn health(&self) -> HealthReport {
        self.supervisor().health()
    }

    /// What happens to the plugins from now on.
    ///
    /// ```
    /// use floe_registry::{Received, Registry};
    ///
    /// let registry = Registry::builder().build()?;
    /// let mut events = registry.events();
    /// registry.rescan()?;
    /// match events.recv() {
    ///     Some(Received::Event(number, event)) => println!("{number}: {event}"),
    ///     Some(Received::Missed(count)) => println!("{count} events came too fast"),
    ///     None => println!("the registry is gone"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn events(&self) -> Subscription<Event> {
        self.supervisor().ground().events.subscribe()
    }

    /// Watches the search path on a thread of its own, until what it gives is dropped: whenever
    /// something in it changes, it is scanned again, as by [`Registry::rescan`].
    ///
    /// # Errors
    ///
    /// The system gives no means to watch.
    pub fn watch(&self) -> Result<Watch, WatchError> {
        self.supervisor().watch()
    }

    /// Makes the generation of a plugin that answered before answer again: started beside the present
    /// one, published, and the present one ended. That one is held back until its file changes.
    ///
    /// `plugin` is its name, or `kind/name`.
    ///
    /// # Errors
    ///
    /// There is no such plugin, nothing answered before, or that does not start any more; then the
    /// present one stays.
    pub fn rollback(&self, plugin: &str) -> Result<Change, UpgradeError> {
        self.supervisor().rollback(plugin)
    }

    /// Configures a plugin otherwise from now on. Where it runs, an instance with the new
    /// configuration is started beside the old one and takes its place.
    ///
    /// # Errors
    ///
    /// The configuration does not fit, or the plugin does not start with it; then it goes on as it did.
    pub fn configure(&self, plugin: &str, config: Value) -> Result<(), UpgradeError> {
        self.supervisor().configure(plugin, config)
    }

    /// Has a plugin run elsewhere from now on: in this process or in workers, and held there as the rule
    /// says. Where it runs, an instance there is started beside the old one and takes its place; no call
    /// fails because of it. Code that was mapped here stays mapped.
    ///
    /// `plugin` is its name, or `kind/name`.
    ///
    /// ```
    /// use floe_registry::{Isolation, Registry};
    ///
    /// # fn try_it(registry: &Registry) -> Result<(), Box<dyn std::error::Error>> {
    /// registry.isolate("jq", Isolation::Worker)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// There is no such plugin, or it does not start there; then it goes on where it did.
    pub fn isolate(
        &self,
        plugin: &str,
        rule: impl Into<IsolationRule>,
    ) -> Result<(), UpgradeError> {
        self.supervisor().isolate(plugin, rule.into())
    }
}
