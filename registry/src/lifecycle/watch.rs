//! Scans the search path again when something in it changes.
//!
//! Whatever the system says of a change, the answer is a scan of all: a scan costs some milliseconds,
//! and what was read just now cannot be out of date. So an event of the system that is lost, doubled or
//! wrong does no harm, as long as another one comes, or the clock does.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use parking_lot::Mutex;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::supervisor::Supervisor;
use crate::discover::SearchDirectory;
use crate::event::Event;

/// How long it must be quiet before a scan: files are written in many steps.
const QUIET: Duration = Duration::from_millis(30);
/// How long a scan is put off at most while it is not quiet.
const PATIENCE: Duration = Duration::from_millis(150);
/// How often it is looked whether the directories are those that are watched.
const LOOK: Duration = Duration::from_millis(250);
/// How often everything is scanned anyway: some file systems tell nobody of changes.
const ANYWAY: Duration = Duration::from_secs(10);

/// What the thread that watches is told.
enum Signal {
    /// Something in the search path may have changed.
    Changed,
    /// What has changed cannot be known.
    Lost(String),
    /// It is no longer wanted.
    End,
}

/// Watches the search path of a registry, until it is dropped. Made by
/// [`Registry::watch`](crate::Registry::watch).
#[derive(Debug)]
#[must_use = "nothing is watched any more when this is dropped"]
pub struct Watch {
    signals: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A thread that has ended needs not be told.
        let _ = self.signals.send(Signal::End);
        let own = std::thread::current().id();
        // It may itself drop the last that holds this.
        if let Some(thread) = self
            .thread
            .take()
            .filter(|thread| thread.thread().id() != own)
        {
            let _ = thread.join();
        }
    }
}

impl Supervisor {
    /// Watches the search path on a thread of its own.
    pub(crate) fn watch(self: &Arc<Self>) -> Result<Watch, WatchError> {
        let (signals, received) = mpsc::channel();
        let mut posts = Posts::new(&self.directories, signals.clone())?;
        posts.man();
        let weak = Arc::downgrade(self);
        let thread = std::thread::Builder::new()
            .name("floe-watch".to_owned())
            .spawn(move || {
                // What changed since the last scan was not watched.
                let _ = signal_scan(&weak);
                attend(&received, &mut posts, &weak);
            })
            .map_err(|source| WatchError::Thread { source })?;
        Ok(Watch {
            signals,
            thread: Some(thread),
        })
    }
}

/// Why the search path cannot be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The system gives no means to.
    #[error("the search path cannot be watched; scan it again yourself, with `rescan`")]
    System {
        /// Why not.
        source: notify::Error,
    },
    /// The system gives no thread to.
    #[error("the search path cannot be watched: there is no thread for it")]
    Thread {
        /// Why not.
        source: std::io::Error,
    },
}

/// Scans; false where nobody is left to scan for.
fn signal_scan(supervisor: &Weak<Supervisor>) -> bool {
    let Some(supervisor) = supervisor.upgrade() else {
        return false;
    };
    if let Err(rejected) = supervisor.rescan() {
        tracing::warn!(
            refused = rejected.len(),
            "the search path changed, and is refused as discovery is strict; all stays as it was"
        );
    }
    true
}

/// What is done at a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Scan,
    End,
}

/// Waits until there is reason to scan.
fn await_reason(
    signals: &Receiver<Signal>,
    mut look: impl FnMut() -> Option<String>,
    mut lost: impl FnMut(String),
) -> Next {
    let began = Instant::now();
    let mut first: Option<Instant> = None;
    loop {
        let wait = match first {
            None => LOOK,
            Some(first) => QUIET.min(PATIENCE.saturating_sub(first.elapsed())),
        };
        match signals.recv_timeout(wait) {
            Ok(Signal::Changed) => drop(first.get_or_insert_with(Instant::now)),
            Ok(Signal::Lost(reason)) => {
                lost(reason);
                first.get_or_insert_with(Instant::now);
            }
            Ok(Signal::End) | Err(RecvTimeoutError::Disconnected) => return Next::End,
            Err(RecvTimeoutError::Timeout) if first.is_some() => return Next::Scan,
            Err(RecvTimeoutError::Timeout) => {
                if let Some(reason) = look() {
                    lost(reason);
                    return Next::Scan;
                }
                if began.elapsed() >= ANYWAY {
                    return Next::Scan;
                }
            }
        }
        if first.is_some_and(|first| first.elapsed() >= PATIENCE) {
            return Next::Scan;
        }
    }
}

fn attend(signals: &Receiver<Signal>, posts: &mut Posts, supervisor: &Weak<Supervisor>) {
    loop {
        let lost = |reason: String| {
            if let Some(supervisor) = supervisor.upgrade() {
                tracing::info!(%reason, "scanning anew");
                supervisor
                    .ground
                    .events
                    .publish_with(|| Event::WatchLost { reason });
            }
        };
        match await_reason(signals, || posts.man(), lost) {
            Next::End => return,
            Next::Scan => {
                // A directory that came with the change is watched before it is scanned.
                posts.man();
                if !signal_scan(supervisor) {
                    return;
                }
            }
        }
    }
}

/// Which directory it is, whatever it is called.
fn identity(path: &Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok()?;
        metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        path.is_dir().then_some((0, 0))
    }
}

/// A directory that is to be watched.
struct Post {
    path: PathBuf,
    mode: RecursiveMode,
    /// Which directory is watched in its name, or could not be.
    watched: Option<(u64, u64)>,
}

/// The directories of the search path, and the system's watch over them. One that is not there is
/// looked for now and then.
struct Posts {
    watcher: RecommendedWatcher,
    posts: Vec<Post>,
    /// The directories that the system has told are gone. One that is made anew may have the looks of
    /// the old one, and is not watched all the same.
    gone: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Posts {
    fn new(directories: &[SearchDirectory], signals: Sender<Signal>) -> Result<Self, WatchError> {
        let posts: Vec<Post> = directories
            .iter()
            .map(|directory| Post {
                path: std::path::absolute(directory.path())
                    .unwrap_or_else(|_| directory.path().to_owned()),
                mode: if directory.max_depth() > 1 {
                    RecursiveMode::Recursive
                } else {
                    RecursiveMode::NonRecursive
                },
                watched: None,
            })
            .collect();
        let paths: Vec<PathBuf> = posts.iter().map(|post| post.path.clone()).collect();
        let gone: Arc<Mutex<HashSet<PathBuf>>> = Arc::default();
        let noted = gone.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = &event
                && (event.kind.is_remove() || event.kind.is_modify())
            {
                let roots = event.paths.iter().filter(|path| paths.contains(path));
                noted.lock().extend(roots.cloned());
            }
            if let Some(signal) = sort(event) {
                // Nobody listens any more when the watch has ended.
                let _ = signals.send(signal);
            }
        })
        .map_err(|source| WatchError::System { source })?;
        Ok(Self {
            watcher,
            posts,
            gone,
        })
    }

    /// Watches what is not watched yet; says so where a directory came, went, or is another one now.
    fn man(&mut self) -> Option<String> {
        let mut reason = None;
        let gone = std::mem::take(&mut *self.gone.lock());
        for post in &mut self.posts {
            let there = identity(&post.path);
            if there == post.watched && !gone.contains(&post.path) {
                continue;
            }
            let before = post.watched.take();
            if before.is_some() {
                // The system has forgotten one that is gone by itself.
                let _ = self.watcher.unwatch(&post.path);
            }
            if before != there {
                let path = post.path.display();
                reason = Some(match there {
                    Some(_) => format!("directory `{path}` is there, or is another one now"),
                    None => format!("directory `{path}` is gone"),
                });
            }
            if there.is_some() {
                // Once: one that cannot be watched is scanned now and then.
                post.watched = there;
                if let Err(error) = self.watcher.watch(&post.path, post.mode) {
                    tracing::warn!(path = %post.path.display(), %error, "not watched; scanned now and then");
                }
            }
        }
        reason
    }
}

/// What an event of the system's means; nothing for what does not matter.
fn sort(event: notify::Result<notify::Event>) -> Option<Signal> {
    let event = match event {
        Ok(event) => event,
        Err(error) => return Some(Signal::Lost(format!("the system says: {error}"))),
    };
    if event.need_rescan() {
        return Some(Signal::Lost(
            "there were more changes than the system could tell".to_owned(),
        ));
    }
    // A scan reads the files, and must not be its own reason. The end of writing is what matters.
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    (!event.kind.is_access() || event.kind == written).then_some(Signal::Changed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn never() -> Option<String> {
        None
    }

    #[test]
    fn a_change_and_a_loss_are_reasons_and_an_end_is_none() {
        let (sender, signals) = mpsc::channel();
        sender.send(Signal::Changed).unwrap();
        assert_eq!(await_reason(&signals, never, |_| panic!()), Next::Scan);
        sender.send(Signal::Lost("overflow".to_owned())).unwrap();
        let mut told = Vec::new();
        let next = await_reason(&signals, never, |reason| told.push(reason));
        assert_eq!((next, told), (Next::Scan, vec!["overflow".to_owned()]));
        let gone = || Some("gone".to_owned());
        assert_eq!(await_reason(&signals, gone, drop), Next::Scan);
        sender.send(Signal::End).unwrap();
        assert_eq!(await_reason(&signals, never, drop), Next::End);
        drop(sender);
        assert_eq!(await_reason(&signals, never, drop), Next::End);
    }

    #[test]
    fn changes_without_end_do_not_put_a_scan_off_without_end() {
        let (sender, signals) = mpsc::channel();
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = stop.clone();
        let writer = std::thread::spawn(move || {
            while !seen.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = sender.send(Signal::Changed);
                std::thread::yield_now();
            }
        });
        assert_eq!(await_reason(&signals, never, drop), Next::Scan);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        writer.join().unwrap();
    }

    #[test]
    fn reading_is_no_change_and_the_end_of_writing_is() {
        let changed = |kind| {
            let event = notify::Event::new(kind).add_path(PathBuf::from("/a/x.so"));
            matches!(sort(Ok(event)), Some(Signal::Changed))
        };
        assert!(changed(EventKind::Create(notify::event::CreateKind::File)));
        assert!(changed(EventKind::Access(AccessKind::Close(
            AccessMode::Write
        ))));
        assert!(!changed(EventKind::Access(AccessKind::Close(
            AccessMode::Read
        ))));
        assert!(!changed(EventKind::Access(AccessKind::Open(
            AccessMode::Any
        ))));
        let failed = Err(notify::Error::generic("broken"));
        assert!(matches!(sort(failed), Some(Signal::Lost(_))));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn more_changes_than_the_system_can_tell_are_a_loss() {
        let directory = tempfile::tempdir().unwrap();
        let (sender, signals) = mpsc::channel();
        let (open, closed) = mpsc::channel::<()>();
        let closed = std::sync::Mutex::new(closed);
        let mut watcher = notify::recommended_watcher(move |event| {
            // Until it is let go: meanwhile the system's queue fills.
            let _ = closed.lock().unwrap().recv();
            if let Some(signal) = sort(event) {
                let _ = sender.send(signal);
            }
        })
        .unwrap();
        watcher
            .watch(directory.path(), RecursiveMode::NonRecursive)
            .unwrap();
        let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let limit: usize = limit.trim().parse().unwrap();
        // One event each; different ones, as equal ones in a row are told once. What the watcher's own
        // thread has read already does not count.
        for number in 0..limit * 2 {
            fs::create_dir(directory.path().join(number.to_string())).unwrap();
        }
        drop(open);
        let told = std::iter::from_fn(|| signals.recv_timeout(Duration::from_secs(60)).ok());
        let mut losses = told.filter_map(|signal| match signal {
            Signal::Lost(reason) => Some(reason),
            Signal::Changed | Signal::End => None,
        });
        assert!(losses.next().unwrap().contains("more changes"));
    }
}
