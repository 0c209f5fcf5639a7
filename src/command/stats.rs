//! `floe stats`.

use std::collections::BTreeMap;

use floe_registry::api::Kind;
use floe_registry::{CallStats, Registry, StartOptions};
use serde::Serialize;

use crate::arguments::Stats;
use crate::command::argument::Argument;
use crate::command::call::with_description;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::output::{Output, Report};
use crate::report::page::Page;
use crate::report::table::Table;
use crate::report::thread::{self, Thread};
use crate::report::{progress, text};
use crate::session::Session;

/// What was counted and timed, and what there is to count.
#[derive(Serialize)]
struct Counted {
    there_is: Inventory,
    #[serde(flatten)]
    stats: floe_registry::Stats,
}

/// How many plugins and executors answer, used or not.
#[derive(Serialize)]
struct Inventory {
    plugins: usize,
    executors: usize,
    kinds: BTreeMap<Kind, OfKind>,
    /// How many executors there are of each category; those without one are in none.
    categories: BTreeMap<String, usize>,
}

#[derive(Default, Serialize)]
struct OfKind {
    plugins: usize,
    executors: usize,
}

pub(crate) fn run(arguments: &Stats, session: &Session, output: &Output) -> Result<Exit, Failure> {
    let input = Argument::input(&arguments.input);
    let input = match &arguments.call {
        Some(_) => Some(input.read("--input")?),
        None => None,
    };
    let registry = match &arguments.call {
        Some(_) => session.calling_registry()?,
        None => session.registry()?,
    };
    if arguments.start {
        // What could not be started is among what is told.
        let _ = progress::start(&registry, StartOptions::new(), output);
    }
    let mut exit = Exit::Done;
    if let (Some(reference), Some(input)) = (&arguments.call, &input) {
        let handle = session.get(&registry, reference)?;
        let caller = arguments.caller.options();
        if handle.authorize(&caller).is_ok() {
            handle
                .validate(input)
                .map_err(|error| with_description(&handle, error))?;
        }
        for _ in 0..arguments.repeat.get() {
            if let Err(error) = handle.call_with(input, &caller)
                && exit == Exit::Done
            {
                exit = Failure::from(error).exit;
            }
        }
    }
    output.report(&Counted {
        there_is: Inventory::of(&registry),
        stats: registry.stats(),
    })?;
    registry.stop();
    Ok(exit)
}

impl Inventory {
    fn of(registry: &Registry) -> Self {
        let mut kinds: BTreeMap<Kind, OfKind> = BTreeMap::new();
        let mut categories: BTreeMap<String, usize> = BTreeMap::new();
        let plugins: Vec<_> = registry.list();
        let active = plugins.iter().filter(|plugin| plugin.active);
        for plugin in active.clone() {
            kinds.entry(plugin.kind.clone()).or_default().plugins += 1;
        }
        let executors = registry.executors();
        for executor in &executors {
            let kind = kinds.entry(executor.plugin.kind.clone()).or_default();
            kind.executors += 1;
            if let Some(category) = &executor.category {
                *categories.entry(category.clone()).or_default() += 1;
            }
        }
        Self {
            plugins: active.count(),
            executors: executors.len(),
            kinds,
            categories,
        }
    }
}

impl Report for Counted {
    fn render(&self, page: &mut Page) {
        self.render_inventory(page);
        if !self.stats.plugins.is_empty() {
            page.blank();
            page.heading("Plugins");
            page.table(self.plugins());
        }
        if !self.stats.executors.is_empty() {
            page.blank();
            page.heading("Executors that were called");
            page.table(self.executors());
        }
        self.render_errors(page);
        page.blank();
        self.render_instances(page);
        if self.stats.workers.started > 0 {
            page.blank();
            self.render_workers(page);
        }
        if !self.stats.abandoned.is_empty() {
            page.blank();
            let threads: Vec<Thread<'_>> = self.stats.abandoned.iter().map(Thread::from).collect();
            thread::render(&threads, page);
        }
    }
}

impl Counted {
    fn render_inventory(&self, page: &mut Page) {
        let Inventory {
            plugins,
            executors,
            kinds,
            categories,
        } = &self.there_is;
        page.line(&format!(
            "{}, {}",
            text::count(*plugins, "plugin"),
            text::count(*executors, "executor")
        ));
        let calls = |calls: Option<&CallStats>| {
            let errors = calls.map_or(0, CallStats::error_count);
            let calls = calls.map_or(0, |calls| calls.calls);
            [calls.to_string(), errors.to_string()]
        };
        if !kinds.is_empty() {
            let mut table = Table::new(["kind", "plugins", "executors", "calls", "errors"]);
            for (kind, of) in kinds {
                let [calls, errors] = calls(self.stats.kinds.get(kind));
                table.row([
                    kind.to_string(),
                    of.plugins.to_string(),
                    of.executors.to_string(),
                    calls,
                    errors,
                ]);
            }
            (1..=4).for_each(|column| table.align_right(column));
            page.blank();
            page.table(table);
        }
        if !categories.is_empty() {
            let mut table = Table::new(["category", "executors", "calls", "errors"]);
            for (category, executors) in categories {
                let [calls, errors] = calls(self.stats.categories.get(category));
                table.row([text::plain(category), executors.to_string(), calls, errors]);
            }
            (1..=3).for_each(|column| table.align_right(column));
            page.blank();
            page.table(table);
        }
    }

    fn plugins(&self) -> Table {
        let mut table = Table::new([
            "plugin", "version", "state", "circuit", "live", "calls", "errors", "load", "start",
        ]);
        for plugin in &self.stats.plugins {
            table.row([
                plugin.build.plugin.to_string(),
                plugin.build.version.to_string(),
                plugin.state.to_string(),
                plugin.circuit.to_string(),
                plugin.live.to_string(),
                plugin.calls.calls.to_string(),
                plugin.calls.error_count().to_string(),
                text::maybe_time(plugin.load),
                text::maybe_time(plugin.start),
            ]);
        }
        (4..=8).for_each(|column| table.align_right(column));
        table
    }

    fn executors(&self) -> Table {
        let mut table = Table::new([
            "node type",
            "calls",
            "errors",
            "mean",
            "p50",
            "p95",
            "p99",
            "max",
        ]);
        for executor in &self.stats.executors {
            let calls = &executor.calls;
            let times = &calls.times;
            let [mean, p50, p95, p99, max] = [
                times.mean(),
                times.p50(),
                times.p95(),
                times.p99(),
                times.max(),
            ]
            .map(text::time);
            table.row([
                executor.node_type.clone(),
                calls.calls.to_string(),
                calls.error_count().to_string(),
                mean,
                p50,
                p95,
                p99,
                max,
            ]);
        }
        (1..=7).for_each(|column| table.align_right(column));
        table
    }

    fn render_errors(&self, page: &mut Page) {
        let mut table = Table::new(["node type", "errors", "kind"]);
        let mut any = false;
        for executor in &self.stats.executors {
            for (kind, count) in &executor.calls.errors {
                table.row([
                    executor.node_type.clone(),
                    count.to_string(),
                    kind.as_str().to_owned(),
                ]);
                any = true;
            }
        }
        if any {
            table.align_right(1);
            page.blank();
            page.heading("Errors");
            page.table(table);
        }
    }

    fn render_workers(&self, page: &mut Page) {
        let workers = &self.stats.workers;
        if !workers.live.is_empty() {
            let mut table = Table::new(["plugin", "version", "process", "memory", "calls", "age"]);
            for worker in &workers.live {
                table.row([
                    worker.build.plugin.to_string(),
                    worker.build.version.to_string(),
                    worker.process.to_string(),
                    worker.memory_bytes.map(text::bytes).unwrap_or_default(),
                    worker.calls.to_string(),
                    text::time(worker.age),
                ]);
            }
            (2..=5).for_each(|column| table.align_right(column));
            page.heading("Workers");
            page.table(table);
            page.blank();
        }
        page.fields(
            0,
            &[
                (
                    "workers",
                    format!(
                        "{} live, {} started, {} crashed",
                        workers.live.len(),
                        workers.started,
                        workers.crashed
                    ),
                ),
                ("their memory", text::bytes(workers.memory_bytes)),
                ("given back", text::bytes(workers.returned_bytes)),
            ],
        );
    }

    fn render_instances(&self, page: &mut Page) {
        let instances = &self.stats.instances;
        let memory = &self.stats.memory;
        let weight = instances.capacity_weight.map_or_else(
            || instances.weight.to_string(),
            |capacity| format!("{} of {capacity}", instances.weight),
        );
        let rate = instances.hit_rate.map_or_else(
            || "none used".to_owned(),
            |rate| format!("{:.1} %", rate * 100.0),
        );
        page.fields(
            0,
            &[
                (
                    "instances",
                    format!(
                        "{} of {} live, weight {weight}",
                        instances.live, instances.capacity
                    ),
                ),
                (
                    "found live",
                    format!(
                        "{rate}: {} found, {} started, {} evicted",
                        instances.hits, instances.misses, instances.evictions
                    ),
                ),
                ("mapped", text::bytes(memory.mapped_bytes)),
                (
                    "retired",
                    format!(
                        "{}, which alone use {}",
                        text::count(memory.retired_generations, "generation"),
                        text::bytes(memory.retired_bytes)
                    ),
                ),
            ],
        );
    }
}
