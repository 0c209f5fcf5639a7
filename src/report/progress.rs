//! The start of all plugins, with a bar that shows how far it is.

use std::thread;
use std::time::Duration;

use floe_registry::{Event, Received, Registry, StartOptions, StartReport};
use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;

/// How long the bar waits for news before it looks whether the start has ended.
const LOOK: Duration = Duration::from_millis(50);

/// Starts all plugins. How far that is, is shown on standard error, where that is a terminal and
/// standard output is for people.
pub(crate) fn start(registry: &Registry, options: StartOptions, output: &Output) -> StartReport {
    let bar = bar(registry);
    if output.is_json() || bar.is_hidden() {
        return registry.start(options);
    }
    let mut events = registry.events();
    thread::scope(|scope| {
        let ended = thread::Builder::new().spawn_scoped(scope, || {
            let report = registry.start(options);
            bar.finish_and_clear();
            report
        });
        let Ok(ended) = ended else {
            // A system that gives no thread: without a bar, then.
            return registry.start(options);
        };
        while !ended.is_finished() {
            if let Some(Received::Event(_, event)) = events.recv_timeout(LOOK) {
                follow(&bar, &event);
            }
        }
        match ended.join() {
            Ok(report) => report,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn bar(registry: &Registry) -> ProgressBar {
    let plugins = registry.list();
    let started = plugins
        .iter()
        .filter(|plugin| plugin.active && plugin.path.is_some());
    let bar = ProgressBar::new(started.count() as u64);
    // The template is well formed; a bar of the default look is no reason to fail.
    if let Ok(style) = ProgressStyle::with_template("starting [{bar:30}] {pos}/{len} {wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn follow(bar: &ProgressBar, event: &Event) {
    match event {
        Event::Started { build, .. } | Event::Failed { build, .. } if !bar.is_finished() => {
            bar.set_message(build.plugin.to_string());
            bar.inc(1);
        }
        _ => {}
    }
}
