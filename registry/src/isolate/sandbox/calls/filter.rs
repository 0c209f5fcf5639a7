//! The filter: which calls are denied with which arguments.
//!
//! A call by the numbers of another architecture, such as `int 0x80` on x86-64, ends the process.

mod numbers;

use std::collections::BTreeMap;

use libc::{c_int, c_long};
use rustix::process::getpid;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq, Ne};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter, apply_filter_all_threads,
};

use self::numbers::{ALWAYS, SOCKETS};
use super::super::linux;
use crate::isolation::Profile;

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;

/// The calls that a filter is about: each with the rules one of which has to match, or none where its
/// arguments do not matter.
type Calls = BTreeMap<c_long, Vec<SeccompRule>>;

/// Tries on this thread alone a filter that allows everything.
pub(super) fn try_out() -> Result<(), String> {
    let everything = program(Calls::new(), libc::EPERM).map_err(linux::cause)?;
    apply_filter(&everything).map_err(linux::cause)
}

pub(super) fn restrict(profile: Profile) -> Result<(), String> {
    let programs = programs(profile).map_err(linux::cause)?;
    for program in &programs {
        apply_filter_all_threads(program).map_err(linux::cause)?;
    }
    Ok(())
}

/// One filter for each answer, as a filter has but one. No call is in two of them: where two filters
/// answer, it is the one that came last that is heard.
fn programs(profile: Profile) -> Result<Vec<BpfProgram>, BackendError> {
    // The flags of `clone3` lie in memory, where no filter looks. The C library then calls `clone`.
    let absent = Calls::from([(libc::SYS_clone3, Vec::new())]);
    Ok(vec![
        #[cfg(target_arch = "x86_64")]
        x32::absent(),
        program(absent, libc::ENOSYS)?,
        program(denied(profile)?, libc::EPERM)?,
    ])
}

fn program(calls: Calls, answer: c_int) -> Result<BpfProgram, BackendError> {
    let answer = SeccompAction::Errno(answer.unsigned_abs());
    SeccompFilter::new(calls, SeccompAction::Allow, answer, ARCH)?.try_into()
}

/// A rule that matches where each of the arguments, named by its place, is as said. All of them are `int`s
/// or flags of which the kernel takes the lower half.
fn when<const N: usize>(
    conditions: [(u8, SeccompCmpOp, u64); N],
) -> Result<SeccompRule, BackendError> {
    let conditions = conditions.map(|(argument, operator, value)| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
    });
    SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)
}

fn bits(value: c_int) -> u64 {
    u64::from(value.cast_unsigned())
}

fn denied(profile: Profile) -> Result<Calls, BackendError> {
    let own = bits(getpid().as_raw_pid());
    let always = ALWAYS.into_iter().flatten();
    let mut calls: Calls = always.map(|call| (*call, Vec::new())).collect();
    calls.extend([
        // A thread is created in the process that it is of; whatever else is a new process.
        (
            libc::SYS_clone,
            vec![when([(0, MaskedEq(bits(libc::CLONE_THREAD)), 0)])?],
        ),
        // Groups of processes, and all of them, are no process's own number either.
        (libc::SYS_kill, vec![when([(0, Ne, own)])?]),
        (libc::SYS_tgkill, vec![when([(0, Ne, own)])?]),
        (libc::SYS_prlimit64, vec![when([(0, Ne, 0), (0, Ne, own)])?]),
        // Another process as the owner of a file is sent a signal when there is something to read.
        (
            libc::SYS_fcntl,
            vec![
                when([(1, Eq, bits(libc::F_SETOWN))])?,
                when([(1, Eq, F_SETOWN_EX)])?,
            ],
        ),
        (
            libc::SYS_ioctl,
            vec![
                when([(1, Eq, FIOSETOWN)])?,
                when([(1, Eq, SIOCSPGRP)])?,
                // What is put into a terminal's input here, its shell runs.
                when([(1, Eq, TIOCSTI)])?,
                when([(1, Eq, TIOCLINUX)])?,
            ],
        ),
        // A worker that was told to end with its host does.
        (
            libc::SYS_prctl,
            vec![when([(0, Eq, bits(libc::PR_SET_PDEATHSIG))])?],
        ),
    ]);
    match profile {
        Profile::None => {}
        Profile::Strict => calls.extend(SOCKETS.iter().map(|call| (*call, Vec::new()))),
        Profile::Network => calls.extend([
            (
                libc::SYS_socket,
                vec![when([
                    (0, Ne, bits(libc::AF_INET)),
                    (0, Ne, bits(libc::AF_INET6)),
                ])?],
            ),
            // Event loops wake themselves through pairs that take streams, which stay among themselves. A
            // socket for datagrams can be sent from to any other, and `SOCK_RAW` is one, too.
            (
                libc::SYS_socketpair,
                vec![
                    when([(1, MaskedEq(SOCKET_TYPE), bits(libc::SOCK_DGRAM))])?,
                    when([(1, MaskedEq(SOCKET_TYPE), bits(libc::SOCK_RAW))])?,
                ],
            ),
        ]),
    }
    Ok(calls)
}

/// `SOCK_TYPE_MASK` of `include/linux/net.h`: above it are flags.
const SOCKET_TYPE: u64 = 0xf;
/// Of `include/uapi/asm-generic/fcntl.h`.
const F_SETOWN_EX: u64 = 15;
/// Of `include/uapi/asm-generic/sockios.h`, and the same by another name.
const FIOSETOWN: u64 = 0x8901;
const SIOCSPGRP: u64 = 0x8902;
/// Of `include/uapi/asm-generic/ioctls.h`, and of `ioctl_console(2)`.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541c;

/// The second set of numbers that kernels for x86-64 may take, by which every listed call could be made
/// unlisted. They are answered as by a kernel that is built without it, as most are.
#[cfg(target_arch = "x86_64")]
mod x32 {
    use seccompiler::{BpfProgram, sock_filter};

    /// `__X32_SYSCALL_BIT` of `arch/x86/include/uapi/asm/unistd.h`.
    const BIT: u32 = 0x4000_0000;
    /// Those that are x32's alone, which kernels before 5.4 take without the bit as well: the end of
    /// `arch/x86/entry/syscalls/syscall_64.tbl`.
    const FIRST: u32 = 512;
    const LAST: u32 = 547;

    // Of `include/uapi/linux/bpf_common.h`, put together: `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JGE`,
    // `BPF_JMP | BPF_JGT` and `BPF_RET`, all with a constant.
    const LOAD: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const JUMP_IF_ABOVE: u16 = 0x25;
    const RETURN: u16 = 0x06;

    /// seccompiler compares numbers for equality alone, so this one is written by hand.
    pub(super) fn absent() -> BpfProgram {
        let instruction = |code, k, jt, jf| sock_filter { code, jt, jf, k };
        let absent = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
        vec![
            // The number of the call is the first field of `struct seccomp_data`.
            instruction(LOAD, 0, 0, 0),
            instruction(JUMP_IF_AT_LEAST, BIT, 3, 0),
            instruction(JUMP_IF_ABOVE, LAST, 1, 0),
            instruction(JUMP_IF_AT_LEAST, FIRST, 1, 0),
            instruction(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0),
            instruction(RETURN, absent, 0, 0),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_in_two_filters_and_no_list_names_one_twice() {
        for profile in [Profile::Network, Profile::Strict] {
            let denied = denied(profile).unwrap();
            assert!(!denied.contains_key(&libc::SYS_clone3));
            // Numbers from here on are answered by the filter for x32.
            assert!(denied.keys().all(|call| (0..512).contains(call)));
        }
        let listed: Vec<_> = ALWAYS.into_iter().flatten().chain(SOCKETS).collect();
        let calls: std::collections::BTreeSet<_> = listed.iter().collect();
        assert_eq!(calls.len(), listed.len());
    }
}
