//! What fails time and again is left alone, by every host and across restarts, until it is let out.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use floe_loader_tests::child::Host;
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::refusal::Refused;
use floe_loader_tests::scene::{Scene, check_answers, set_mode, write};
use floe_loader_tests::vouch::digest;
use floe_loader_tests::wait::{self, for_event};
use floe_plugin_api::{ErrorKind, Value, value};
use floe_registry::{
    CallError, Cause, CircuitSettings, Deadlines, Event, QuarantineSettings, Registry,
    RegistryBuilder, Rejection, Stage, State,
};

const NEVER: Duration = Duration::from_secs(3_600);

/// A scene with a second plugin, `bad`.
struct Ward {
    scene: Scene,
    library: Library,
}

impl Ward {
    fn new() -> Self {
        let scene = Scene::new();
        let library = Library::of(Fixture::Probe).named("bad");
        scene.install("bad", &library);
        Self { scene, library }
    }

    /// A host in which `bad` refuses to start.
    fn refusing(&self) -> RegistryBuilder {
        let config = value!({"refuses": "no room"});
        self.scene.builder().config("bad", config)
    }

    /// Has `bad` quarantined for its failed starts.
    #[track_caller]
    fn fill(&self) -> Registry {
        let registry = self.refusing().build().unwrap();
        for _ in 0..5 {
            check_does_not_start(&registry, "bad.echo");
        }
        self.check_left_alone(&registry);
        registry
    }

    /// Checks that `bad` is refused, and nothing else.
    #[track_caller]
    fn check_left_alone(&self, registry: &Registry) -> Box<Rejection> {
        let refusal = match registry.call("bad.echo", &Value::Null) {
            Err(CallError::Rejected(refusal)) => refusal,
            other => panic!("expected a refusal, found {other:?}"),
        };
        Refused::admit("quarantine")
            .found("a content that is quarantined until `")
            .expected("failed time and again")
            .remedy("`floe quarantine clear ")
            .check(&refusal);
        let short = digest(self.library.bytes()).short();
        assert!(refusal.remedy.contains(&short), "{refusal}");
        assert_eq!(refusal.path, self.scene.path("bad"));
        // A list reads no file: a content is known by its looks, once those are old enough to tell.
        wait::until(|| {
            let _ = registry.call("bad.echo", &Value::Null);
            state(registry, "bad") == State::Quarantined
        });
        let listed = registry.list();
        let plugin = listed.iter().find(|plugin| plugin.name == "bad").unwrap();
        let reason = plugin.reason.as_deref().unwrap();
        assert!(reason.contains("left alone until"), "{reason}");
        self.scene.check_good(registry);
        refusal
    }

    fn file(&self) -> PathBuf {
        self.scene.store().join("state/quarantine.json")
    }
}

#[track_caller]
fn check_does_not_start(registry: &Registry, node_type: &str) {
    match registry.call(node_type, &Value::Null) {
        Err(CallError::Start(_)) => {}
        other => panic!("expected a failed start, found {other:?}"),
    }
}

#[track_caller]
fn state(registry: &Registry, name: &str) -> State {
    let listed = registry.list();
    let plugin = listed.iter().find(|plugin| plugin.name == name);
    plugin.unwrap().state
}

/// Whether anything was mapped in a registry.
#[track_caller]
fn loaded(registry: &Registry, name: &str) -> bool {
    let listed = registry.list();
    let plugin = listed.iter().find(|plugin| plugin.name == name);
    plugin.unwrap().digest.is_some()
}

#[test]
fn five_starts_that_fail() {
    let ward = Ward::new();
    let registry = ward.refusing().build().unwrap();
    let mut events = registry.events();
    for _ in 0..4 {
        check_does_not_start(&registry, "bad.echo");
        assert_eq!(state(&registry, "bad"), State::Failed);
    }
    assert!(registry.quarantine().is_empty());
    check_does_not_start(&registry, "bad.echo");
    let event = for_event(&mut events, |event| match event {
        Event::Quarantined {
            build,
            digest,
            cause,
            reason,
            count,
            ..
        } => Some((
            build.plugin.to_string(),
            *digest,
            *cause,
            reason.clone(),
            *count,
        )),
        _ => None,
    });
    assert_eq!(event.0, "compute/bad");
    assert_eq!(event.1, digest(ward.library.bytes()));
    assert_eq!((event.2, event.4), (Cause::FailedStarts, 1));
    assert!(event.3.contains("not today"), "{}", event.3);
    let refusal = ward.check_left_alone(&registry);
    assert!(refusal.found.contains("failed starts"), "{refusal}");
    assert!(refusal.found.contains("not today"), "{refusal}");
    // Not even asked: to be refused is no fault that counts.
    for _ in 0..20 {
        ward.check_left_alone(&registry);
    }
    let list = registry.quarantine().list().unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].count, &*list[0].plugin), (1, "compute/bad"));
}

#[test]
fn another_host_leaves_it_alone_before_it_maps_anything() {
    let ward = Ward::new();
    drop(ward.fill());
    // In which it could start, as nobody tells it to refuse.
    let registry = ward.scene.registry();
    ward.check_left_alone(&registry);
    assert!(!loaded(&registry, "bad"));
    assert!(loaded(&registry, "good"));
    let told = Host::new(crate::HOST, &ward.scene)
        .command("call:bad.echo")
        .command("load:bad.echo")
        .command("list")
        .command("call:good.echo")
        .run()
        .good();
    assert!(told[0].contains("is quarantined until"), "{told:?}");
    assert!(told[1].contains("is quarantined until"), "{told:?}");
    assert!(told[2].contains("bad quarantined"), "{told:?}");
    assert_eq!(told[3], "call:good.echo = null");
    // It goes by what was remembered, wherever that is.
    let elsewhere = ward.scene.root().join("elsewhere");
    let registry = ward.scene.builder().state(elsewhere).build().unwrap();
    check_answers(&registry, "bad");
}

#[test]
fn another_build_is_judged_afresh() {
    let ward = Ward::new();
    let registry = ward.fill();
    let other = Library::of(Fixture::Probe).named("bad");
    ward.scene.install("bad", &other);
    registry.rescan().unwrap();
    // It refuses too, as it is told to, and has five tries of its own.
    for _ in 0..5 {
        check_does_not_start(&registry, "bad.echo");
    }
    let refused = registry.call("bad.echo", &Value::Null).unwrap_err();
    assert!(matches!(refused, CallError::Rejected(_)), "{refused:?}");
    assert_eq!(registry.quarantine().list().unwrap().len(), 2);
    let better = Library::of(Fixture::Probe).named("bad");
    ward.scene.install("bad", &better);
    check_answers(&ward.scene.registry(), "bad");
    // And the first one is what it was.
    ward.scene.install("bad", &ward.library);
    ward.check_left_alone(&ward.scene.registry());
}

#[test]
fn it_is_let_out() {
    let ward = Ward::new();
    drop(ward.fill());
    let registry = ward.scene.registry();
    ward.check_left_alone(&registry);
    let out = registry.quarantine().clear(None).unwrap();
    assert_eq!(out.len(), 1);
    check_answers(&registry, "bad");
    check_answers(&ward.scene.registry(), "bad");
    assert!(registry.quarantine().list().unwrap().is_empty());
    // By its digest, and by another host.
    drop(ward.fill());
    let another = ward.scene.registry();
    ward.check_left_alone(&another);
    let content = digest(ward.library.bytes());
    let nothing = registry.quarantine().clear(Some(digest(b"other"))).unwrap();
    assert!(nothing.is_empty());
    ward.check_left_alone(&another);
    assert_eq!(registry.quarantine().clear(Some(content)).unwrap().len(), 1);
    check_answers(&another, "bad");
}

#[test]
fn it_is_tried_again_when_its_time_is_over() {
    let ward = Ward::new();
    let first = Duration::from_millis(1);
    let settings = QuarantineSettings::default().failed_starts(1).first(first);
    let registry = ward.refusing().quarantine(settings).build().unwrap();
    let mut events = registry.events();
    // Each time it is asked again and fails, it is left alone for longer.
    for expected in 1..4 {
        wait::until(|| state(&registry, "bad") != State::Quarantined);
        check_does_not_start(&registry, "bad.echo");
        let count = for_event(&mut events, |event| match event {
            Event::Quarantined { count, .. } => Some(*count),
            _ => None,
        });
        assert_eq!(count, expected);
    }
    // And when it does well, it answers; what was is remembered for a day.
    let registry = ward.scene.builder().quarantine(settings).build().unwrap();
    wait::until(|| state(&registry, "bad") != State::Quarantined);
    check_answers(&registry, "bad");
    assert_eq!(registry.quarantine().list().unwrap().len(), 1);
}

#[test]
fn starts_that_fail_count_only_in_a_row() {
    let ward = Ward::new();
    let refusing = ward.refusing().build().unwrap();
    let well = ward.scene.registry();
    for _ in 0..3 {
        for _ in 0..4 {
            check_does_not_start(&refusing, "bad.echo");
        }
        // Another host starts the same content.
        well.cache().invalidate("bad");
        check_answers(&well, "bad");
    }
    assert!(well.quarantine().is_empty());
}

#[test]
fn a_circuit_that_opens_three_times() {
    let ward = Ward::new();
    let circuit = CircuitSettings::default()
        .panics(1)
        .window(NEVER)
        .rest(Duration::from_nanos(1));
    let registry = ward.scene.builder().circuit(circuit).build().unwrap();
    let mut events = registry.events();
    for _ in 0..3 {
        let error = registry.call("bad.panic", &value!({})).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
    }
    let (cause, reason) = for_event(&mut events, |event| match event {
        Event::Quarantined { cause, reason, .. } => Some((*cause, reason.clone())),
        _ => None,
    });
    assert_eq!(cause, Cause::Panics);
    assert!(reason.contains("panicked"), "{reason}");
    let refusal = ward.check_left_alone(&registry);
    assert!(refusal.found.contains("for panics"), "{refusal}");
    ward.check_left_alone(&ward.scene.registry());
}

#[test]
fn a_start_with_a_callers_own_configuration_does_not_count() {
    let ward = Ward::new();
    let registry = ward.scene.registry();
    let own = registry.get("bad.echo").unwrap();
    let own = own.configured(value!({"refuses": "as I say"}));
    for _ in 0..20 {
        match own.call(&Value::Null) {
            Err(CallError::Start(_)) => {}
            other => panic!("expected a failed start, found {other:?}"),
        }
    }
    assert!(registry.quarantine().is_empty());
    check_answers(&registry, "bad");
}

#[test]
fn a_start_that_does_not_end_counts_and_not_with_a_callers_own_configuration() {
    let ward = Ward::new();
    let go = ward.scene.root().join("go");
    let hangs = value!({"waits_in": "start", "waits_for": go.to_str().unwrap()});
    // So that a start is all that is given up.
    ward.scene.registry().load("bad.echo").unwrap();
    let builder = || {
        ward.scene
            .builder()
            .deadlines(Deadlines::default().create(Duration::from_secs(2)))
            .circuit(CircuitSettings::default().panics(u32::MAX))
            .quarantine(QuarantineSettings::default().failed_starts(1))
    };
    let registry = builder().build().unwrap();
    let own = registry.get("bad.echo").unwrap().configured(hangs.clone());
    let error = own.call(&Value::Null).unwrap_err();
    assert!(matches!(error, CallError::Overrun(_)), "{error:?}");
    assert!(registry.quarantine().is_empty());
    check_answers(&registry, "bad");

    let registry = builder().config("bad", hangs).build().unwrap();
    let error = registry.call("bad.echo", &Value::Null).unwrap_err();
    assert!(matches!(error, CallError::Overrun(_)), "{error:?}");
    let refusal = ward.check_left_alone(&registry);
    assert!(refusal.found.contains("had not ended after"), "{refusal}");
    write(&go, b"");
}

#[test]
fn what_failed_for_its_configuration_is_let_out_by_another_one() {
    let ward = Ward::new();
    let registry = ward.fill();
    registry.configure("bad", value!({"limit": 3})).unwrap();
    check_answers(&registry, "bad");
    assert!(registry.quarantine().list().unwrap().is_empty());
    check_answers(&ward.scene.registry(), "bad");
}

#[test]
fn a_configuration_that_is_refused_lets_nothing_out() {
    let ward = Ward::new();
    let registry = ward.fill();
    assert!(registry.configure("bad", value!({"limit": 30})).is_err());
    ward.check_left_alone(&registry);
}

#[test]
fn what_panics_is_not_let_out_by_another_configuration() {
    let ward = Ward::new();
    let circuit = CircuitSettings::default()
        .panics(1)
        .window(NEVER)
        .rest(Duration::from_nanos(1));
    let registry = ward.scene.builder().circuit(circuit).build().unwrap();
    for _ in 0..3 {
        registry.call("bad.panic", &value!({})).unwrap_err();
    }
    ward.check_left_alone(&registry);
    let _ = registry.configure("bad", value!({"limit": 3}));
    ward.check_left_alone(&registry);
}

/// Checks what becomes of a state file that is no longer what was written.
#[track_caller]
fn check_damaged(change: impl FnOnce(Vec<u8>) -> Vec<u8>, said: &str, aside: &str) {
    let ward = Ward::new();
    drop(ward.fill());
    let changed = change(fs::read(ward.file()).unwrap());
    fs::write(ward.file(), &changed).unwrap();
    let registry = ward.refusing().build().unwrap();
    let damage = registry.quarantine().damage().unwrap();
    assert!(damage.contains("is taken as empty"), "{damage}");
    assert!(damage.contains(said), "{damage}");
    assert!(registry.quarantine().is_empty());
    // Every plugin loads, and what it was is not lost.
    check_answers(&ward.scene.registry(), "bad");
    ward.scene.check_good(&registry);
    for _ in 0..5 {
        check_does_not_start(&registry, "bad.echo");
    }
    ward.check_left_alone(&registry);
    assert_eq!(registry.quarantine().damage(), None);
    let kept = ward.file().with_file_name(aside);
    assert_eq!(fs::read(kept).unwrap(), changed);
    ward.check_left_alone(&ward.scene.registry());
}

#[test]
fn what_is_remembered_is_damaged() {
    let aside = "quarantine.json.damaged";
    check_damaged(|bytes| bytes[..bytes.len() / 2].to_vec(), "cut", aside);
    check_damaged(|_| Vec::new(), "cut", aside);
    check_damaged(|_| b"something else".to_vec(), "cut", aside);
    let flip = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    check_damaged(flip, "changed", aside);
}

#[test]
fn what_is_remembered_is_of_a_newer_floe() {
    let newer = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        let changed = text.replacen("\"format\":1", "\"format\":9", 1);
        assert_ne!(text, changed);
        changed.into_bytes()
    };
    check_damaged(newer, "format `9`", "quarantine.json.format-9");
}

#[test]
fn a_state_directory_that_others_may_write_to_is_not_read() {
    let ward = Ward::new();
    let registry = ward.fill();
    let state = ward.scene.store().join("state");
    set_mode(&state, 0o777);
    // Who knows it goes by what it knows, and who does not finds nothing that can be trusted.
    ward.check_left_alone(&registry);
    let new = ward.scene.registry();
    check_answers(&new, "bad");
    assert!(new.quarantine().list().is_err());
    set_mode(&state, 0o700);
    ward.check_left_alone(&ward.scene.registry());
}

#[test]
fn a_state_directory_that_cannot_be_made() {
    let ward = Ward::new();
    let place = ward.scene.root().join("in-the-way");
    write(&place, b"a file");
    let registry = ward.refusing().state(&place).build().unwrap();
    for _ in 0..5 {
        check_does_not_start(&registry, "bad.echo");
    }
    // This host alone knows.
    ward.check_left_alone(&registry);
    let damage = registry.quarantine().damage().unwrap();
    assert!(damage.contains("known to this process alone"), "{damage}");
    let other = ward.scene.builder().state(&place).build().unwrap();
    check_answers(&other, "bad");
}

#[test]
fn a_plugin_that_needs_it_is_told() {
    let scene = Scene::new();
    let library = Library::of(Fixture::Probe).named("bad");
    scene.install("bad", &library);
    let needing = Library::of(Fixture::Probe)
        .named("needing")
        .needing("bad", "*");
    scene.install("needing", &needing);
    let ward = Ward { scene, library };
    let registry = ward.fill();
    let error = registry.call("needing.echo", &Value::Null).unwrap_err();
    let CallError::Dependency(error) = error else {
        panic!("{error:?}");
    };
    let told = std::error::Error::source(&*error).unwrap().to_string();
    assert!(told.contains("is quarantined until"), "{told}");
    assert!(told.contains(&Stage::Admit.to_string()), "{told}");
    ward.scene.check_good(&registry);
}
