use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// Three faults in ten seconds open a circuit for five.
const LIMIT: u32 = 3;
const WINDOW: u64 = 10;
const REST: u64 = 5;

fn circuit() -> Circuit {
    let seconds = Duration::from_secs;
    Circuit::new(LIMIT, seconds(WINDOW), seconds(REST))
}

/// What happens to a circuit, a word for each: `f` a fault, `a` a call that asks for admission, `s`,
/// `x` and `o` a probe that succeeds, fails or is abandoned, `?` the state, and a number so many
/// seconds that pass.
fn tell(circuit: &Circuit, story: &str) -> String {
    let mut now = Instant::now();
    let mut told = String::new();
    for word in story.split_whitespace() {
        let answer = match word {
            "f" => change(circuit.fault(now)),
            "s" => change(circuit.probe_succeeded()),
            "x" => change(circuit.probe_failed(now)),
            "o" => {
                circuit.probe_abandoned();
                continue;
            }
            "a" => match circuit.admit(now) {
                Admit::Closed => "yes".to_owned(),
                Admit::Probe { change: None } => "probe".to_owned(),
                Admit::Probe { change: Some(to) } => format!("probe({to:?})"),
                Admit::Open {
                    retry_after,
                    faults,
                } => format!("no({}s,{faults})", retry_after.as_secs()),
            },
            "?" => circuit.state(now).to_string(),
            seconds => {
                now += Duration::from_secs(seconds.parse().unwrap());
                continue;
            }
        };
        write!(told, "{answer} ").unwrap();
    }
    told.trim_end().to_owned()
}

fn change(change: Option<Change>) -> String {
    change.map_or_else(|| "-".to_owned(), |change| format!("{change:?}"))
}

#[track_caller]
fn check(story: &str, expected: &str) {
    assert_eq!(tell(&circuit(), story), expected);
}

#[test]
fn so_many_faults_in_a_window_open_it() {
    check("? a f f a ?", "closed yes - - yes closed");
    check("f f f ? a", "- - Opened open no(5s,3)");
    check("f 4 f 5 f", "- - Opened");
    // The first is ten seconds old, and counts no more.
    check("f 5 f 5 f ? 4 f", "- - - closed Opened");
}

#[test]
fn it_rests_and_then_lets_one_probe_through() {
    check(
        "f f f 4 a ? 1 ? a ? a a",
        "- - Opened no(1s,3) open half-open probe(HalfOpen) half-open no(0s,3) no(0s,3)",
    );
}

#[test]
fn a_probe_that_succeeds_closes_it_and_the_faults_are_forgotten() {
    check(
        "f f f 5 a s ? a f f f",
        "- - Opened probe(HalfOpen) Closed closed yes - - Opened",
    );
}

#[test]
fn a_probe_that_fails_opens_it_for_another_rest() {
    check(
        "f f f 5 a 2 x ? 4 a 1 a s",
        "- - Opened probe(HalfOpen) Opened open no(1s,4) probe(HalfOpen) Closed",
    );
}

#[test]
fn an_abandoned_probe_makes_room_for_another() {
    check(
        "f f f 5 a o ? a a x",
        "- - Opened probe(HalfOpen) half-open probe no(0s,3) Opened",
    );
}

#[test]
fn what_nobody_waits_for_changes_nothing() {
    check("s x o ? a", "- - closed yes");
    // Calls that began before it opened.
    check("f f f f 1 f a", "- - Opened - - no(4s,3)");
    check("f f f 5 a f s", "- - Opened probe(HalfOpen) - Closed");
    // A probe is told of once.
    check("f f f 5 a x s x", "- - Opened probe(HalfOpen) Opened - -");
    check("f f f 5 a o s ?", "- - Opened probe(HalfOpen) - half-open");
}

#[test]
fn limits_at_their_ends() {
    let story = "f f f a ?";
    let circuit = |limit, window, rest| Circuit::new(limit, window, rest);
    let (none, ever) = (Duration::ZERO, Duration::MAX);
    assert_eq!(tell(&circuit(0, ever, ever), story), "- - - yes closed");
    assert_eq!(tell(&circuit(1, none, ever), "f ?"), "Opened open");
    assert_eq!(tell(&circuit(2, none, ever), story), "- - - yes closed");
    assert_eq!(
        tell(&circuit(3, ever, none), story),
        "- - Opened probe(HalfOpen) half-open"
    );
}

#[test]
fn times_that_come_late_do_no_harm() {
    let circuit = circuit();
    let early = Instant::now();
    let late = early + Duration::from_secs(1);
    assert_eq!(circuit.fault(late), None);
    assert_eq!(circuit.fault(early), None);
    assert_eq!(circuit.fault(late), Some(Change::Opened));
    let retry_after = Duration::from_secs(REST);
    assert_eq!(
        circuit.admit(early),
        Admit::Open {
            retry_after,
            faults: 3
        }
    );
}

#[test]
fn states_are_shown_and_serialized_alike() {
    for state in [
        CircuitState::Closed,
        CircuitState::Open,
        CircuitState::HalfOpen,
    ] {
        let json = serde_json::to_value(state).unwrap();
        assert_eq!(json, state.to_string());
    }
}

/// A circuit that remembers everything and reckons anew each time.
#[derive(Default)]
struct Model {
    /// The times of the faults since it was closed last.
    faults: Vec<u64>,
    /// When it opened last, if it was not closed since.
    opened: Option<u64>,
    count: u32,
    /// Whether there was a probe since it opened, and one is under way.
    probed: Option<bool>,
}

impl Model {
    fn tell(&mut self, word: &str, now: u64) -> String {
        let Self {
            faults,
            opened,
            count,
            probed,
        } = self;
        let is_probed = *probed == Some(true);
        match (word, *opened) {
            ("f", None) => {
                faults.push(now);
                let recent = faults.iter().filter(|time| now - **time < WINDOW).count();
                if recent < LIMIT as usize {
                    return "-".to_owned();
                }
                (*opened, *count) = (Some(now), LIMIT);
                "Opened".to_owned()
            }
            ("a", None) => "yes".to_owned(),
            ("a", Some(since)) if now < since + REST => {
                format!("no({}s,{count})", since + REST - now)
            }
            ("a", Some(_)) if is_probed => format!("no(0s,{count})"),
            ("a", Some(_)) => match probed.replace(true) {
                None => "probe(HalfOpen)".to_owned(),
                Some(_) => "probe".to_owned(),
            },
            ("s", _) if is_probed => {
                *self = Self::default();
                "Closed".to_owned()
            }
            ("x", _) if is_probed => {
                (*opened, *probed) = (Some(now), None);
                *count += 1;
                "Opened".to_owned()
            }
            ("o", _) => {
                *probed = probed.map(|_| false);
                String::new()
            }
            ("?", None) => "closed".to_owned(),
            ("?", Some(since)) if now < since + REST => "open".to_owned(),
            ("?", Some(_)) => "half-open".to_owned(),
            _ => "-".to_owned(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn it_does_what_the_model_does(
        words in prop::collection::vec(
            prop::sample::select(vec!["f", "f", "f", "a", "a", "s", "x", "o", "?", "1", "3", "5"]),
            0..80,
        )
    ) {
        let mut model = Model::default();
        let mut now = 0;
        let mut expected = Vec::new();
        for word in &words {
            match word.parse::<u64>() {
                Ok(seconds) => now += seconds,
                Err(_) => expected.push(model.tell(word, now)),
            }
        }
        expected.retain(|answer| !answer.is_empty());
        prop_assert_eq!(tell(&circuit(), &words.join(" ")), expected.join(" "));
    }
}
