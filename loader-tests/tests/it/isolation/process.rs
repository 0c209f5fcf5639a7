//! What the system says of processes.

use std::fs;
use std::path::Path;

use floe_loader_tests::wait;

/// The state of a process, as a letter, and its group; nothing where there is none, or only what is left
/// of one.
fn look(process: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before it may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    let state = words.next()?.chars().next()?;
    let group = words.nth(1)?.parse().ok()?;
    (!matches!(state, 'Z' | 'X')).then_some((state, group))
}

/// Whether a process is there.
pub(super) fn is_there(process: u32) -> bool {
    look(process).is_some()
}

/// Whether a process is there and was stopped.
pub(super) fn is_stopped(process: u32) -> bool {
    look(process).is_some_and(|(state, _)| state == 'T')
}

/// The processes of a group.
pub(super) fn group(group: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|process| look(*process).is_some_and(|(_, of)| of == group))
        .collect()
}

/// Waits for a file with the number of a process in it.
#[track_caller]
pub(super) fn told_in(path: &Path) -> u32 {
    wait::until_some(|| fs::read_to_string(path).ok()?.parse().ok())
}
