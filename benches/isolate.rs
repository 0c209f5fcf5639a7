//! What it costs to have a plugin in a process of its own, beside what the system takes for that.
//!
//! `pipe_floor_64B` is what no such call can be below: two processes that hand each other 64 bytes.
//! `memcpy_16MB` is what one copy of a large value costs, of bytes that are in the processor's cache each time;
//! `memcpy_16MB_each_way` that of one there and one of that back, three times as many bytes. A value that goes to
//! another process and comes back is copied twice at the least.

use std::hint::black_box;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use floe_registry::api::{CallOptions, Value};
use floe_registry::{Begun, CallError, Isolation, IsolationRule, Registry};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

use crate::fixture;

/// What the other process of [`Floor`] is run for.
pub(crate) const PONG: &str = "--pong";

/// The size of a large value in bytes.
const LARGE: usize = 16 << 20;

pub(crate) fn benches(criterion: &mut Criterion) {
    let (directory, store) = (fixture::directory(), fixture::directory());
    fixture::copy(directory.path());
    let held = |rule: IsolationRule| {
        let builder = fixture::builder(directory.path(), store.path());
        builder.isolation(rule).build().unwrap()
    };
    let in_worker = || held(IsolationRule::new(Isolation::Worker));
    let small = Value::from("x".repeat(64));

    let mut group = criterion.benchmark_group("isolate");
    group.bench_function("pipe_floor_64B", |bencher| {
        let floor = Floor::start();
        bencher.iter(|| floor.round_trip());
    });

    let near = held(IsolationRule::new(Isolation::InProcess));
    let echo = near.get("bench.echo").unwrap();
    group.bench_function("in_process_64B", |bencher| {
        bencher.iter(|| echo.call(black_box(&small)).unwrap());
    });

    let far = in_worker();
    let echo = far.get("bench.echo").unwrap();
    group.bench_function("round_trip_64B", |bencher| {
        bencher.iter(|| echo.call(black_box(&small)).unwrap());
    });
    for (name, size) in [("64KB", 64 << 10), ("16MB", LARGE)] {
        let input = Value::Bytes(vec![7_u8; size].into());
        group.bench_function(format!("round_trip_{name}"), |bencher| {
            bencher.iter(|| echo.call(black_box(&input)).unwrap());
        });
    }
    let large = vec![7_u8; LARGE];
    group.bench_function("memcpy_16MB", |bencher| {
        bencher.iter(|| black_box(&large).clone());
    });
    let (mut there, mut back) = (vec![0_u8; LARGE], vec![0_u8; LARGE]);
    group.bench_function("memcpy_16MB_each_way", |bencher| {
        bencher.iter(|| {
            there.copy_from_slice(black_box(&large));
            back.copy_from_slice(black_box(&there));
            black_box(&mut back);
        });
    });
    far.stop();

    // The schemas of the build are remembered by now, and its copy is kept.
    group.sample_size(20);
    group.bench_function("spawn_to_first_answer", |bencher| {
        bencher.iter_custom(|iterations| (0..iterations).map(|_| first_answer(&in_worker())).sum());
    });

    group.sample_size(10);
    group.bench_function("killed_after_deadline", |bencher| {
        bencher.iter_custom(|iterations| (0..iterations).map(|_| overdue(&in_worker())).sum());
    });

    group.sample_size(100).throughput(Throughput::Elements(2));
    group.bench_function("throughput_2_threads", |bencher| {
        let registry = held(IsolationRule::new(Isolation::Worker).workers(2));
        let echo = registry.get("bench.echo").unwrap();
        bencher.iter_custom(|iterations| {
            let start = Instant::now();
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        for _ in 0..iterations {
                            echo.call(black_box(&small)).unwrap();
                        }
                    });
                }
            });
            start.elapsed()
        });
        registry.stop();
    });
    group.finish();
}

/// From a registry that has scanned the file to the first answer of the worker that is made for it.
fn first_answer(registry: &Registry) -> Duration {
    let echo = registry.get("bench.echo").unwrap();
    let start = Instant::now();
    let output = echo.call(&Value::Null).unwrap();
    let elapsed = start.elapsed();
    assert!(output.is_null());
    registry.stop();
    elapsed
}

/// How long after its deadline a call that hangs has its answer: that its worker was killed.
fn overdue(registry: &Registry) -> Duration {
    const ALLOWED: Duration = Duration::from_millis(50);

    // The worker is there, so that the deadline is the call's alone.
    registry.call("bench.echo", &Value::Null).unwrap();
    let start = Instant::now();
    let called = registry.call_with(
        "bench.hang",
        &Value::Null,
        &CallOptions::new().timeout(ALLOWED),
    );
    let elapsed = start.elapsed();
    let was_killed = |error: &CallError| matches!(error, CallError::Overrun(overrun) if overrun.begun == Begun::Killed);
    assert!(called.is_err_and(|error| was_killed(&error)));
    registry.stop();
    elapsed.saturating_sub(ALLOWED)
}

/// Two processes that hand each other 64 bytes over a socket as a worker has it, and do nothing else.
struct Floor {
    end: OwnedFd,
    other: Child,
}

impl Floor {
    fn start() -> Self {
        let (end, other) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let mut command = fixture::command(std::env::current_exe().unwrap());
        let other = command.arg(PONG).stdin(Stdio::from(other)).spawn().unwrap();
        Self { end, other }
    }

    fn round_trip(&self) {
        let mut bytes = [7; 64];
        send(&self.end, &bytes, SendFlags::empty()).unwrap();
        let (taken, _) = recv(&self.end, &mut bytes, RecvFlags::empty()).unwrap();
        assert_eq!(taken, bytes.len());
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.end, rustix::net::Shutdown::Both);
        let _ = self.other.wait();
    }
}

/// Is the other process: gives back what comes, until nothing comes any more.
pub(crate) fn pong_if_asked() -> bool {
    if std::env::args().nth(1).as_deref() != Some(PONG) {
        return false;
    }
    let socket = std::io::stdin();
    let mut bytes = [0; 64];
    while let Ok((taken @ 1.., _)) = recv(socket.as_fd(), &mut bytes, RecvFlags::empty()) {
        if send(socket.as_fd(), &bytes[..taken], SendFlags::NOSIGNAL).is_err() {
            break;
        }
    }
    true
}
