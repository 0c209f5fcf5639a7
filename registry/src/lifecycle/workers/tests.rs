use super::*;

fn task(doing: &str) -> Task {
    Task {
        plugin: "sample 1.0.0".to_owned(),
        doing: doing.to_owned(),
        isolation: Isolation::InProcess,
    }
}

fn workers() -> Workers {
    Workers::new(Arc::new(Turns::new()))
}

#[test]
fn work_is_done_on_another_thread_and_its_progress_is_told_on_this_one() {
    let workers = workers();
    let pending = workers.begin(
        task("call a.b"),
        NEVER,
        |_, sender| {
            let _ = sender.send(Message::Progress(0.5, "half".to_owned()));
            thread::current().name().map(str::to_owned)
        },
        drop,
    );
    let mut told = Vec::new();
    let name = pending.wait(|fraction, message| told.push((fraction, message.to_owned())));
    assert_eq!(name.ok().flatten().as_deref(), Some("floe-worker-1"));
    assert_eq!(told, [(0.5, "half".to_owned())]);
    assert!(workers.abandoned().is_empty());
}

#[test]
fn a_thread_that_does_not_come_back_is_named_until_it_does() {
    let workers = workers();
    let (open, closed) = mpsc::channel::<()>();
    let (late, came_late) = mpsc::channel();
    let pending = workers.begin(
        task("call a.b"),
        Duration::ZERO,
        move |ticket, _| {
            let _ = closed.recv();
            ticket.is_given_up()
        },
        move |given_up| late.send(given_up).unwrap_or(()),
    );
    let overrun = pending.wait(|_, _| ()).err().unwrap();
    // The thread may not even have begun; when it has, it is abandoned.
    if overrun.how == Lost::Abandoned {
        let abandoned = workers.abandoned();
        assert_eq!(abandoned.len(), 1);
        assert_eq!(abandoned[0].thread, "floe-worker-1");
        assert_eq!(abandoned[0].plugin, "sample 1.0.0");
        assert_eq!(abandoned[0].doing, "call a.b");
        drop(open);
        assert_eq!(came_late.recv(), Ok(true));
        while !workers.abandoned().is_empty() {
            thread::yield_now();
        }
    }
}

/// How much is done now, and the most that ever was.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    fn during<T>(&self, act: impl FnOnce() -> T) -> T {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let done = act();
        self.now.fetch_sub(1, Ordering::SeqCst);
        done
    }
}

#[test]
fn inner_work_is_not_held_to_the_limit_that_its_callers_fill() {
    let workers = workers();
    let outside = Arc::new(Gauge::default());
    let pending: Vec<_> = (0..LIMIT * 5)
        .map(|number| {
            let (inner, outside) = (workers.clone(), outside.clone());
            workers.begin(
                task("outer"),
                NEVER,
                move |_, _| {
                    outside.during(|| {
                        let within = move |_: &Arc<Ticket>, _: &Sender<Message<usize>>| number;
                        let pending = inner.begin(task("inner"), NEVER, within, drop);
                        pending.wait(|_, _| ()).ok()
                    })
                },
                drop,
            )
        })
        .collect();
    for (number, pending) in pending.into_iter().enumerate() {
        assert_eq!(pending.wait(|_, _| ()).ok().flatten(), Some(number));
    }
    let most = outside.most.load(Ordering::SeqCst);
    assert!(most <= LIMIT, "{most}");
    // Who has answered may not have left its place yet.
    while workers.0.state.lock().places > 0 {
        thread::yield_now();
    }
}

#[test]
fn what_waits_for_a_place_has_that_of_what_is_given_up() {
    let workers = workers();
    let (open, closed) = mpsc::channel::<()>();
    let closed = Arc::new(Mutex::new(closed));
    let (begun, begins) = mpsc::channel();
    let hang = |allowed| {
        let (closed, begun) = (closed.clone(), begun.clone());
        let body = move |_: &Arc<Ticket>, _: &Sender<Message<()>>| {
            let _ = begun.send(());
            let _ = closed.lock().recv();
        };
        workers.begin(task("hangs"), allowed, body, drop)
    };
    let hanging: Vec<_> = (0..LIMIT).map(|_| hang(NEVER)).collect();
    for _ in 0..LIMIT {
        begins.recv().unwrap();
    }
    // One that nobody waits for any more before it has a place, and one that has the next one.
    let late = hang(Duration::ZERO).wait(|_, _| ()).err().unwrap();
    assert_eq!(late.how, Lost::NotBegun);
    let next = workers.begin(task("next"), NEVER, |_, _| 7, drop);
    assert_eq!(workers.0.state.lock().waiting.len(), 2);
    let mut hanging = hanging.into_iter();
    assert_eq!(
        hanging.next().unwrap().give_up().map(|overrun| overrun.how),
        Some(Lost::Abandoned)
    );
    assert_eq!(next.wait(|_, _| ()).ok(), Some(7));
    drop(open);
    for pending in hanging {
        assert!(pending.wait(|_, _| ()).is_ok());
    }
    while workers.0.state.lock().places > 0 || !workers.abandoned().is_empty() {
        thread::yield_now();
    }
}

#[test]
#[cfg(target_os = "linux")]
#[expect(
    clippy::disallowed_methods,
    reason = "a process whose memory is limited is another one"
)]
fn places_of_what_no_thread_was_made_for_are_free_again() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    const CHILD: &str = "FLOE_WORKERS_TEST";

    if std::env::var_os(CHILD).is_none() {
        let test =
            "lifecycle::workers::tests::places_of_what_no_thread_was_made_for_are_free_again";
        let ended = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(CHILD, "")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(
            ended.status.success() && said.contains("1 passed"),
            "{ended:?}"
        );
        return;
    }
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    let workers = workers();
    let before = getrlimit(Resource::As);
    let mut limited = before;
    limited.current = Some(pages * rustix::param::page_size() as u64 + (1 << 20));
    let mut hows = Vec::with_capacity(LIMIT);
    setrlimit(Resource::As, limited).unwrap();
    for _ in 0..LIMIT {
        let pending = workers.begin(task("a.b"), Duration::from_millis(1), |_, _| (), drop);
        hows.push(pending.wait(|_, _| ()).map_err(|overrun| overrun.how));
    }
    setrlimit(Resource::As, before).unwrap();
    assert_eq!(hows, vec![Err(Lost::NotBegun); LIMIT]);
    let next = workers.begin(task("a.b"), NEVER, |_, _| 7, drop);
    assert_eq!(next.wait(|_, _| ()).map_err(|overrun| overrun.how), Ok(7));
}

#[test]
fn a_panic_in_what_gets_a_late_answer_leaves_its_place() {
    let workers = workers();
    let (open, closed) = mpsc::channel::<()>();
    let body = move |_: &Arc<Ticket>, _: &Sender<Message<()>>| {
        let _ = closed.recv();
    };
    drop(workers.begin(task("a.b"), NEVER, body, |()| panic!("late")));
    drop(open);
    while workers.0.state.lock().places > 0 {
        thread::yield_now();
    }
    assert_eq!(workers.0.state.lock().threads, 1);
}

#[test]
fn a_panic_of_this_side_is_an_answer() {
    let pending = workers().begin(task("start"), NEVER, |_, _| panic!("ours"), drop::<()>);
    assert_eq!(pending.wait(|_, _| ()).err().unwrap().how, Lost::Panicked);
}

#[test]
fn threads_without_work_go_when_they_are_let_go() {
    let workers = workers();
    let pending = workers.begin(task("start"), NEVER, |_, _| (), |()| ());
    assert!(pending.wait(|_, _| ()).is_ok());
    workers.close();
    while workers.0.state.lock().threads > 0 {
        thread::yield_now();
    }
}
