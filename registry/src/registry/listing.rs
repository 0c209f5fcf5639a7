//! What a registry tells of its plugins without running them.

use floe_plugin_api::Kind;

use super::Registry;
use crate::error::{LookupError, Rejection};
use crate::info::{ExecutorInfo, PluginInfo};
use crate::lifecycle::resolve;

impl Registry {
    /// Every build that was admitted, in search-path order, whether it answers or not.
    #[must_use]
    pub fn list(&self) -> Vec<PluginInfo> {
        let catalog = self.supervisor().catalog();
        let abandoned = self.supervisor().ground().workers.abandoned();
        let entries = catalog.entries().iter();
        entries
            .map(|entry| {
                let mut plugin = PluginInfo::of(entry);
                let title = entry.slot.title();
                let own = abandoned.iter().filter(|thread| thread.plugin == title);
                plugin.abandoned = own.cloned().collect();
                plugin
            })
            .collect()
    }

    /// The builds of a kind.
    #[must_use]
    pub fn list_by_kind(&self, kind: &Kind) -> Vec<PluginInfo> {
        let mut list = self.list();
        list.retain(|plugin| plugin.kind == *kind);
        list
    }

    /// The executors that answer, by node type.
    #[must_use]
    pub fn executors(&self) -> Vec<ExecutorInfo> {
        let catalog = self.supervisor().catalog();
        let mut list: Vec<ExecutorInfo> = catalog
            .default_targets()
            .filter_map(|target| ExecutorInfo::of(target))
            .collect();
        list.sort_by(|a, b| a.node_type.cmp(&b.node_type));
        list
    }

    /// The executors listed under a heading.
    #[must_use]
    pub fn list_by_category(&self, category: &str) -> Vec<ExecutorInfo> {
        let mut list = self.executors();
        list.retain(|executor| executor.category.as_deref() == Some(category));
        list
    }

    /// The executors with a tag.
    #[must_use]
    pub fn list_by_tag(&self, tag: &str) -> Vec<ExecutorInfo> {
        let mut list = self.executors();
        list.retain(|executor| executor.tags.iter().any(|own| own == tag));
        list
    }

    /// The executors that have to do with every word of a text, the most fitting first: by node
    /// type, tag, plugin, category and description, whatever the case.
    #[must_use]
    pub fn search(&self, text: &str) -> Vec<ExecutorInfo> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut found: Vec<(u32, ExecutorInfo)> = Vec::new();
        for executor in self.executors() {
            let relevance: Vec<u32> = words.iter().map(|word| executor.relevance(word)).collect();
            if !relevance.contains(&0) {
                found.push((relevance.iter().sum(), executor));
            }
        }
        // Stable: equals stay in the order of their names.
        found.sort_by_key(|(relevance, _)| std::cmp::Reverse(*relevance));
        found.into_iter().map(|(_, executor)| executor).collect()
    }

    /// All that the last scan refused.
    #[must_use]
    pub fn rejected(&self) -> Vec<Rejection> {
        self.supervisor().catalog().rejected().to_vec()
    }

    /// Whether a node type, such as `sqlite.query`, is offered; `sqlite.query@^1.2` in that range.
    #[must_use]
    pub fn has(&self, reference: &str) -> bool {
        resolve(&self.supervisor().catalog(), reference).is_ok()
    }

    /// What is known of an executor without running it.
    ///
    /// # Errors
    ///
    /// Nothing answers to the reference.
    pub fn metadata(&self, reference: &str) -> Result<ExecutorInfo, LookupError> {
        let catalog = self.supervisor().catalog();
        let target = resolve(&catalog, reference)?;
        ExecutorInfo::of(target).ok_or_else(|| catalog.not_found(reference))
    }
}
