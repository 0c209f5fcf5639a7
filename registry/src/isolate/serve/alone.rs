//! Leaves behind all that a process has from whoever started it.

use std::fs::File;
use std::io;

use rustix::process::{
    Pid, Signal, getppid, kill_current_process_group, set_parent_process_death_signal,
};

use super::super::wire::channel::Channel;
use super::Over;

/// The first descriptor after the standard ones.
const FIRST: std::os::fd::RawFd = 3;

/// Makes this process a worker of the process with this number: it has the socket to it, its output and its
/// errors, and nothing else; and it is killed when that process ends.
pub(super) fn become_worker(parent: i32) -> Result<Channel, Over> {
    let stdin = io::stdin();
    if !Channel::is_one(std::os::fd::AsFd::as_fd(&stdin)) {
        return Err(Over::NoHost);
    }
    close_others();
    let socket = rustix::io::fcntl_dupfd_cloexec(&stdin, FIRST)?;
    // A plugin that reads its input finds its end.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    #[cfg(target_os = "linux")]
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before that.
    if getppid() != Pid::from_raw(parent) {
        return Err(Over::HostGone);
    }
    Ok(Channel::new(socket))
}

/// Closes what was inherited: a host's libraries may have files open that they did not mean to hand on.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "closes descriptors that nothing in this process owns"
)]
fn close_others() {
    // SAFETY: descriptors are closed that this process has from its parent. It has run nothing yet that
    // opens any: this is the first thing that a worker does, before it has a thread or a plugin.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) };
}

#[cfg(not(target_os = "linux"))]
const fn close_others() {}

/// Ends this process, and those that the plugin has made, without running anything of the plugin's.
pub(super) fn end() {
    let _ = kill_current_process_group(Signal::KILL);
}
