//! The fields of each map of a document, as the reader knows them. A test holds them to the schema.

pub(super) const WORKFLOW: [&str; 14] = [
    "id",
    "name",
    "version",
    "tenant",
    "description",
    "category",
    "tags",
    "active",
    "variables",
    "settings",
    "nodes",
    "connections",
    "triggers",
    "metadata",
];

pub(super) const SETTINGS: [&str; 4] = [
    "timeout",
    "max_concurrency",
    "max_concurrency_by_type",
    "recovery",
];

pub(super) const TRIGGER: [&str; 4] = ["id", "kind", "config", "disabled"];

pub(super) const NODE: [&str; 12] = [
    "id",
    "name",
    "node_type",
    "config",
    "parameters",
    "needs",
    "when",
    "timeout",
    "recovery",
    "disabled",
    "on_error",
    "foreach",
];

pub(super) const FOREACH: [&str; 3] = ["items", "concurrency", "as"];

pub(super) const NEED: [&str; 2] = ["node", "port"];

pub(super) const TARGET: [&str; 3] = ["node", "type", "index"];

pub(super) const RETRY: [&str; 7] = [
    "attempts",
    "initial",
    "factor",
    "longest",
    "jitter",
    "on",
    "not_idempotent",
];

pub(super) const FALLBACK: [&str; 3] = ["node_type", "input", "on"];

pub(super) const SUBSTITUTE: [&str; 2] = ["output", "on"];
