//! The system calls that a plugin may not make, whatever their arguments.

use libc::c_long;

/// Numbers that `libc` has not for every platform. Those from 424 on are the same on all:
/// `scripts/syscall.tbl` and `arch/x86/entry/syscalls/syscall_64.tbl` of Linux 6.18.
mod later {
    use libc::c_long;

    #[cfg(target_arch = "x86_64")]
    pub(super) const KEXEC_FILE_LOAD: c_long = 320;
    #[cfg(target_arch = "aarch64")]
    pub(super) const KEXEC_FILE_LOAD: c_long = 294;
    pub(super) const FCHMODAT2: c_long = 452;
    pub(super) const SETXATTRAT: c_long = 463;
    pub(super) const REMOVEXATTRAT: c_long = 466;
    pub(super) const OPEN_TREE_ATTR: c_long = 467;
    pub(super) const FILE_SETATTR: c_long = 469;
}

/// Under each profile.
pub(super) const ALWAYS: [&[c_long]; 7] = [
    PROGRAMS,
    PROCESSES,
    SHARED,
    FILES,
    MOUNTS,
    SYSTEM,
    OLD_PROCESSOR_CALLS,
];

/// To start a program. `clone` depends on its flags.
const PROGRAMS: &[c_long] = &[libc::SYS_execve, libc::SYS_execveat];

/// To find, read, change and signal other processes, and to leave the group that the host may end.
/// `kill`, `tgkill`, `prlimit64` and `fcntl` depend on whom they are for.
const PROCESSES: &[c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_kcmp,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    // It names a thread of whichever process.
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_setsid,
    libc::SYS_setpgid,
];

/// Memory, messages and keys that processes share by their names, which are no files.
const SHARED: &[c_long] = &[
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
];

/// What landlock does not see of files: who owns them, who may what of them, and files that are opened by
/// their numbers or by requests in a ring. A file that is open can still be changed.
const FILES: &[c_long] = &[
    libc::SYS_fchmodat,
    later::FCHMODAT2,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    later::SETXATTRAT,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    later::REMOVEXATTRAT,
    later::FILE_SETATTR,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// To change what lies where in the file system.
const MOUNTS: &[c_long] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_open_tree,
    later::OPEN_TREE_ATTR,
    libc::SYS_mount_setattr,
];

/// What belongs to the administrator of the machine, and large parts of the kernel that seldom have an
/// honest use in a plugin.
const SYSTEM: &[c_long] = &[
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    later::KEXEC_FILE_LOAD,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_syslog,
    libc::SYS_personality,
    libc::SYS_vhangup,
];

/// What x86-64 has beside the calls that took its place, and what is its alone.
#[cfg(target_arch = "x86_64")]
const OLD_PROCESSOR_CALLS: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
];
#[cfg(target_arch = "aarch64")]
const OLD_PROCESSOR_CALLS: &[c_long] = &[];

/// Where there is to be no network. What is read and written through sockets that are there already stays.
pub(super) const SOCKETS: &[c_long] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
];
