use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use floe_plugin_api::Kind;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const SEED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/state/good");

/// Three failed starts, two openings or one crash: a minute, then two, at most an hour.
fn settings() -> QuarantineSettings {
    QuarantineSettings::default()
        .failed_starts(3)
        .openings(2)
        .crashes(1)
        .longest(Duration::from_secs(60 * 60))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn state(&self) -> State {
        State::new(self.0.path().join("state"))
    }

    fn file(&self) -> PathBuf {
        self.state().root().join("quarantine.json")
    }

    fn quarantine(&self, settings: QuarantineSettings) -> Quarantine {
        Quarantine::patient(&self.state(), settings, Duration::from_secs(60))
    }

    /// What is in the directory but the lock.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.state().root()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names: BTreeSet<_> = names.filter(|name| name != "quarantine.lock").collect();
        names.into_iter().collect()
    }
}

fn fault(
    quarantine: &Quarantine,
    byte: u8,
    cause: Cause,
    reason: &str,
    now: Timestamp,
) -> Option<Quarantined> {
    let plugin = PluginId {
        kind: Kind::COMPUTE,
        name: "acme".to_owned(),
    };
    let subject = Subject {
        digest: digest(byte),
        plugin: &plugin,
        version: &Version::new(1, 2, u64::from(byte)),
    };
    quarantine.fault(subject, cause, reason, now)
}

/// What happens to a content, a word for each: `f` a failed start, `p` an opening of its circuit, `c`
/// a crash, `s` a good start, `r` that its circuit closes, `o` another configuration, `x` that it is
/// cleared, `?` whether it is left alone, and a number so many seconds that pass. Every word is told to
/// a quarantine of its own.
#[track_caller]
fn check_with(settings: QuarantineSettings, story: &str, expected: &str) {
    let place = Place::new();
    let mut now = 0;
    let mut told = String::new();
    for word in story.split_whitespace() {
        let quarantine = place.quarantine(settings);
        let cause = match word {
            "f" => Cause::FailedStarts,
            "p" => Cause::Panics,
            "c" => Cause::Crashes,
            "s" => {
                quarantine.started(digest(1));
                continue;
            }
            "r" => {
                quarantine.recovered(digest(1));
                continue;
            }
            "o" => {
                quarantine.reconfigured(digest(1));
                continue;
            }
            "x" => {
                write!(told, "{} ", quarantine.clear(None).unwrap().len()).unwrap();
                continue;
            }
            "?" => {
                match quarantine.active(digest(1), at(now)) {
                    Some(found) => write!(told, "{}s ", seconds(at(now), found.until)).unwrap(),
                    None => told.push_str("no "),
                }
                continue;
            }
            seconds => {
                now += seconds.parse::<i64>().unwrap();
                continue;
            }
        };
        match fault(&quarantine, 1, cause, "no", at(now)) {
            Some(found) => {
                assert_eq!((found.cause, found.since), (cause, at(now)));
                let rest = seconds(found.since, found.until);
                write!(told, "{rest}s({}) ", found.count).unwrap();
            }
            None => told.push_str("- "),
        }
    }
    assert_eq!(told.trim_end(), expected, "{story}");
}

#[track_caller]
fn check(story: &str, expected: &str) {
    check_with(settings(), story, expected);
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs()
}

#[test]
fn each_cause_has_its_own_limit() {
    check("f f ? f ?", "- - no 60s(1) 60s");
    check("p ? p ?", "- no 60s(1) 60s");
    check("c ?", "60s(1) 60s");
    check("f p f p", "- - - 60s(1)");
    let never = settings().failed_starts(0).openings(0).crashes(0);
    check_with(never, "f f f p p p c ?", "- - - - - - - no");
    let many = QuarantineSettings::default().crashes(u32::MAX);
    let (story, expected) = ("c ".repeat(100), "- ".repeat(99) + "60s(1)");
    check_with(many, &story, &expected);
}

#[test]
fn it_is_tried_again_and_then_once_is_enough() {
    check(
        "c 59 ? 1 ? f ? 119 ? 1 ? p",
        "60s(1) 1s no 120s(2) 120s 1s no 240s(3)",
    );
    // A cause that is never one is not one then either.
    check_with(settings().openings(0), "c 60 p ?", "60s(1) - no");
}

#[test]
fn the_rest_doubles_up_to_the_longest() {
    check(
        "c 60 c 120 c 240 c 480 c 960 c 1920 c 3600 c",
        "60s(1) 120s(2) 240s(3) 480s(4) 960s(5) 1920s(6) 3600s(7) 3600s(8)",
    );
    let settings = QuarantineSettings::default();
    let day = Duration::from_secs(24 * 60 * 60);
    for (count, rest) in [
        (11, Duration::from_secs(61_440)),
        (12, day),
        (u32::MAX, day),
    ] {
        assert_eq!(settings.rest(count), rest, "{count}");
    }
    let ever = settings.first(Duration::MAX).longest(Duration::MAX);
    check_with(ever.crashes(1), "c 3000000 ?", &{
        let rest = seconds(at(0), Timestamp::MAX);
        format!("{rest}s(1) {}s", rest - 3_000_000)
    });
}

#[test]
fn what_faults_while_it_is_left_alone_changes_nothing() {
    check("c 10 c p f ? 50 ? c", "60s(1) - - - 50s no 120s(2)");
}

#[test]
fn what_is_long_over_is_forgotten() {
    check("c 3660 c", "60s(1) 120s(2)");
    check("c 3661 c", "60s(1) 60s(1)");
    check("f 1800 f 1800 f", "- - 60s(1)");
    check("f 1800 f 1801 f 1799 f", "- - - 60s(1)");
    // As a clock had it that was an hour and more ahead.
    check("f f -3601 f f f", "- - - - 60s(1)");
    check("c -3601 f", "60s(1) -");
    check("f f -3600 f", "- - 60s(1)");
}

#[test]
fn what_goes_well_is_not_counted_with_what_went_wrong() {
    check("f f s f f f", "- - - - 60s(1)");
    check("p r p p", "- - 60s(1)");
    check("f f r f", "- - 60s(1)");
    check("p s p", "- 60s(1)");
    // Both let nothing out.
    check("c s r ?", "60s(1) 60s");
}

#[test]
fn another_configuration_lets_out_what_could_not_start() {
    check("f f f ? o ? f f f", "- - 60s(1) 60s no - - 60s(1)");
    check("f f o f", "- - -");
    check("c o ?", "60s(1) 60s");
}

#[test]
fn what_is_cleared_is_forgotten() {
    check("x c x ? c p x f f x f", "0 60s(1) 1 no 60s(1) - 1 - - 0 -");
    let place = Place::new();
    let quarantine = place.quarantine(settings());
    for byte in [3, 1, 2] {
        fault(&quarantine, byte, Cause::Crashes, "no", at(0)).unwrap();
    }
    let cleared = quarantine.clear(Some(digest(1))).unwrap();
    assert_eq!(cleared.len(), 1);
    assert_eq!(quarantine.clear(Some(digest(1))).unwrap(), []);
    let list = place.quarantine(settings()).list().unwrap();
    let versions: Vec<_> = list.iter().map(|found| &*found.version).collect();
    assert_eq!(versions, ["1.2.2", "1.2.3"]);
    assert_eq!(quarantine.clear(None).unwrap().len(), 2);
    assert!(quarantine.is_empty());
}

#[test]
fn people_can_read_it() {
    let place = Place::new();
    let quarantine = place.quarantine(settings());
    let said = "no\u{1b}[31m\nroom\u{202e} for `\"é\\\"`";
    let found = fault(&quarantine, 1, Cause::Panics, said, at(0));
    assert_eq!(found, None);
    let found = fault(&quarantine, 2, Cause::Crashes, said, at(1)).unwrap();
    assert_eq!(found.reason, "no\\u{1b}[31m\\nroom\\u{202e} for `\"é\\\"`");
    let text = fs::read_to_string(place.file()).unwrap();
    insta::assert_snapshot!(text, @r#"
    {"format":1,"sha256":"c784282a534d59893c11a268fe9bbc2f81d084984e16c864e044c8c3e8d1aad4"}
    [
      {
        "digest": "0101010101010101010101010101010101010101010101010101010101010101",
        "plugin": "compute/acme",
        "version": "1.2.1",
        "strikes": {
          "openings": [
            "2027-01-15T08:00:00Z"
          ]
        }
      },
      {
        "digest": "0202020202020202020202020202020202020202020202020202020202020202",
        "plugin": "compute/acme",
        "version": "1.2.2",
        "quarantine": {
          "cause": "crashes",
          "reason": "no\\u{1b}[31m\\nroom\\u{202e} for `\"é\\\"`",
          "count": 1,
          "since": "2027-01-15T08:00:01Z",
          "until": "2027-01-15T08:01:01Z"
        }
      }
    ]
    "#);
    insta::assert_json_snapshot!(found, @r#"
    {
      "digest": "0202020202020202020202020202020202020202020202020202020202020202",
      "plugin": "compute/acme",
      "version": "1.2.2",
      "cause": "crashes",
      "reason": "no\\u{1b}[31m\\nroom\\u{202e} for `\"é\\\"`",
      "count": 1,
      "since": "2027-01-15T08:00:01Z",
      "until": "2027-01-15T08:01:01Z"
    }
    "#);
    let long = "\u{7}".repeat(1_000_000);
    let found = fault(&quarantine, 3, Cause::Crashes, &long, at(1)).unwrap();
    assert_eq!(found.reason.chars().count(), records::REASON_LIMIT);
    assert!(found.reason.ends_with('…'));
    let causes = [Cause::FailedStarts, Cause::Panics, Cause::Crashes].map(|c| c.to_string());
    assert_eq!(causes, ["failed starts", "panics", "crashes"]);
}

#[test]
fn another_process_is_seen() {
    let place = Place::new();
    let one = Quarantine::new(&place.state(), settings());
    let other = place.quarantine(settings());
    assert!(one.is_empty() && one.list().unwrap().is_empty());
    assert!(!place.state().root().exists(), "nothing is made to be read");
    let found = fault(&other, 1, Cause::Crashes, "no", at(0));
    assert_eq!(one.active(digest(1), at(0)), found);
    assert!(!one.is_empty());
    other.clear(None).unwrap();
    assert_eq!(one.active(digest(1), at(0)), None);
    fault(&other, 1, Cause::Crashes, "no", at(0));
    assert!(!one.is_empty());
    fs::remove_file(place.file()).unwrap();
    assert!(one.is_empty());
}

#[test]
fn it_is_read_again_only_when_it_is_another_file_and_written_only_for_a_change() {
    let place = Place::new();
    let quarantine = place.quarantine(settings());
    fault(&quarantine, 1, Cause::Crashes, "no", at(0)).unwrap();
    let looks = || FileIdentity::at(&place.file()).unwrap();
    let before = looks();
    // A reading would find this one, whoever looks at the file does not.
    quarantine.inner.kept.lock().records = Records::default();
    assert!(quarantine.is_empty());
    for byte in [1, 2] {
        quarantine.started(digest(byte));
        quarantine.recovered(digest(byte));
    }
    quarantine.reconfigured(digest(2));
    quarantine.clear(None).unwrap();
    assert_eq!(looks(), before);
    fault(
        &place.quarantine(settings()),
        2,
        Cause::FailedStarts,
        "no",
        at(0),
    );
    assert_ne!(looks(), before);
    assert!(quarantine.active(digest(1), at(0)).is_some());
}

#[test]
fn no_fault_of_many_writers_is_lost() {
    let place = Place::new();
    let (writers, faults) = (8, 50);
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let quarantine = place.quarantine(QuarantineSettings::default().crashes(100));
            scope.spawn(move || {
                for count in 0..faults {
                    // Half of them of the same content as those of another one.
                    fault(&quarantine, writer / 2, Cause::Crashes, "no", at(count));
                }
            });
        }
    });
    let list = place.quarantine(settings()).list().unwrap();
    // Two times 50 is what it takes, and not one less.
    assert_eq!(list.len(), 4);
    assert!(list.iter().all(|found| found.count == 1));
    assert_eq!(place.names(), ["quarantine.json"]);
}

/// A file with an entry and a strike, and what it says.
fn small() -> (Place, Vec<u8>) {
    let place = Place::new();
    let quarantine = place.quarantine(settings());
    fault(&quarantine, 1, Cause::Crashes, "no", at(0)).unwrap();
    fault(&quarantine, 2, Cause::FailedStarts, "no", at(0));
    let bytes = fs::read(place.file()).unwrap();
    (place, bytes)
}

#[test]
fn a_file_that_is_cut_or_changed_by_a_bit_is_noticed() {
    let (_place, bytes) = small();
    assert!(file::parse(&bytes).is_ok());
    for length in 0..bytes.len() {
        assert!(file::parse(&bytes[..length]).is_err(), "{length}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(file::parse(&bytes).is_err(), "{bit}");
    }
}

/// Puts a file in place, and checks that it is taken as empty, is told of so, and is kept.
#[track_caller]
fn damaged(bytes: &[u8], said: &str, aside: &str) {
    let (place, _) = small();
    let quarantine = place.quarantine(settings());
    assert!(quarantine.active(digest(1), at(0)).is_some());
    fs::write(place.file(), bytes).unwrap();
    assert_eq!(quarantine.active(digest(1), at(0)), None);
    let damage = quarantine.damage().unwrap();
    assert!(damage.contains("is taken as empty"), "{damage}");
    assert!(damage.contains(said), "{damage}");
    // To look at it and to find nothing to change leaves it where it is.
    assert_eq!(quarantine.list().unwrap(), []);
    quarantine.started(digest(2));
    quarantine.clear(None).unwrap();
    assert_eq!(fs::read(place.file()).unwrap(), bytes);

    fault(&quarantine, 3, Cause::Crashes, "no", at(0)).unwrap();
    assert_eq!(quarantine.damage(), None);
    assert_eq!(place.names(), ["quarantine.json", aside]);
    assert_eq!(fs::read(place.state().root().join(aside)).unwrap(), bytes);
    assert_eq!(place.quarantine(settings()).list().unwrap().len(), 1);
}

#[test]
fn damage_is_told_and_kept() {
    let aside = "quarantine.json.damaged";
    damaged(b"", "it is cut, or does not begin with a header", aside);
    damaged(b"\n", "its first line is not a header", aside);
    damaged(b"[]\n[]", "its first line is not a header", aside);
    let (_place, bytes) = small();
    let cut = &bytes[..bytes.len() - 1];
    damaged(cut, "it is cut, or was changed", aside);
    damaged(
        &vec![b'\n'; file::LIMIT + 1],
        "longer than 8388608 bytes",
        aside,
    );
    let older = b"{\"format\":0}\n";
    damaged(older, "its first line is not a header", aside);
    for rest in ["", "{}", "[{}]", "[", "null"] {
        let bytes = file::headed(rest.as_bytes());
        damaged(&bytes, "it holds no records", aside);
    }
}

#[test]
fn a_newer_format_is_kept_by_its_number() {
    let newer = b"{\"format\":12,\"by\":\"a later floe\"}\nanything";
    damaged(
        newer,
        "it is of format `12`, this floe reads format `1`",
        "quarantine.json.format-12",
    );
}

#[test]
fn what_was_kept_is_not_written_over_at_once() {
    let place = Place::new();
    let quarantine = place.quarantine(settings());
    for count in 0..12 {
        fault(&quarantine, 1, Cause::FailedStarts, "no", at(0));
        fs::write(place.file(), format!("{count}")).unwrap();
    }
    assert_eq!(place.names().len(), 10);
    let kept = |name: &str| fs::read_to_string(place.state().root().join(name)).unwrap();
    assert_eq!(kept("quarantine.json.damaged"), "0");
    assert_eq!(kept("quarantine.json.damaged-2"), "1");
    assert_eq!(kept("quarantine.json.damaged-9"), "10");
}

#[test]
fn what_is_no_file_is_moved_aside_too() {
    let (place, _) = small();
    fs::remove_file(place.file()).unwrap();
    fs::create_dir(place.file()).unwrap();
    let quarantine = place.quarantine(settings());
    let damage = quarantine.damage().unwrap();
    assert!(
        damage.contains("it cannot be read: it is a directory"),
        "{damage}"
    );
    fault(&quarantine, 3, Cause::Crashes, "no", at(0)).unwrap();
    assert_eq!(
        place.names(),
        ["quarantine.json", "quarantine.json.damaged"]
    );
}

#[track_caller]
fn works_in_memory(place: &Place, said: &str) -> Quarantine {
    let quarantine = Quarantine::patient(&place.state(), settings(), Duration::ZERO);
    for _ in 0..2 {
        let found = fault(&quarantine, 9, Cause::FailedStarts, "no", at(0));
        assert_eq!(found, None);
    }
    let found = fault(&quarantine, 9, Cause::FailedStarts, "no", at(0));
    assert_eq!(found.as_ref().map(|found| found.count), Some(1));
    assert_eq!(quarantine.active(digest(9), at(0)), found);
    assert!(quarantine.list().unwrap().contains(&found.unwrap()));
    let damage = quarantine.damage().unwrap();
    assert!(damage.contains(said), "{damage}");
    assert!(
        damage.contains("is known to this process alone"),
        "{damage}"
    );
    quarantine
}

#[test]
fn without_a_directory_it_works_in_memory() {
    let place = Place::new();
    fs::write(place.state().root(), "").unwrap();
    let quarantine = works_in_memory(&place, "it is not a directory");
    assert!(quarantine.clear(None).is_err());
    assert_eq!(quarantine.list().unwrap_err().to_string(), {
        let root = place.state().root().display().to_string();
        format!("the directory `{root}` is not private: it is not a directory")
    });
    assert!(place.quarantine(settings()).list().is_err());
    assert!(place.quarantine(settings()).is_empty());
}

#[cfg(unix)]
#[test]
fn what_others_may_have_written_is_not_read() {
    use std::os::unix::fs::PermissionsExt;

    let (place, _) = small();
    let set = |mode| {
        fs::set_permissions(place.state().root(), fs::Permissions::from_mode(mode)).unwrap();
    };
    set(0o777);
    let found = place.quarantine(settings()).list().unwrap_err().to_string();
    assert!(
        found.contains("is not private: its mode is `0777`"),
        "{found}"
    );
    let quarantine = works_in_memory(&place, "its mode is `0777`");
    set(0o700);
    // What was known to this process alone is written with the next change.
    fault(&quarantine, 3, Cause::Crashes, "no", at(0)).unwrap();
    assert_eq!(quarantine.damage(), None);
    let list = place.quarantine(settings()).list().unwrap();
    assert_eq!(list.len(), 3, "{list:?}");
}

#[test]
fn whoever_holds_the_lock_is_not_waited_for_forever() {
    let (place, bytes) = small();
    let lock = File::open(place.state().root().join("quarantine.lock")).unwrap();
    lock.lock().unwrap();
    let quarantine = works_in_memory(&place, "others have held it for 0ns");
    assert!(quarantine.active(digest(1), at(0)).is_some());
    assert!(quarantine.clear(Some(digest(1))).is_err());
    assert_eq!(quarantine.active(digest(1), at(0)), None);
    assert_eq!(fs::read(place.file()).unwrap(), bytes);
    // What another one wrote in the meantime is seen together with what is only known here.
    lock.unlock().unwrap();
    fault(
        &place.quarantine(settings()),
        3,
        Cause::Crashes,
        "no",
        at(0),
    )
    .unwrap();
    assert_eq!(quarantine.list().unwrap().len(), 2);
    fault(&quarantine, 4, Cause::Crashes, "no", at(0)).unwrap();
    let list = place.quarantine(settings()).list().unwrap();
    let versions: Vec<_> = list.iter().map(|found| &*found.version).collect();
    assert_eq!(versions, ["1.2.3", "1.2.4", "1.2.9"]);
    assert_eq!(quarantine.damage(), None);
}

/// Counts what is logged on its thread.
#[derive(Clone, Default)]
struct Log(Arc<AtomicUsize>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_event()
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// How much is logged meanwhile.
fn logged(act: impl FnOnce()) -> usize {
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), act);
    log.0.load(Ordering::Relaxed)
}

#[test]
fn what_is_wrong_is_logged_once() {
    let (place, _) = small();
    let quarantine = place.quarantine(settings());
    let look = || drop(quarantine.active(digest(1), at(0)));
    assert_eq!(logged(look), 0);
    let put = |bytes: &[u8]| fs::write(place.file(), bytes).unwrap();
    put(b"one");
    assert_eq!(logged(|| (look(), look(), look()).0), 1);
    put(b"one");
    assert_eq!(logged(look), 0, "the same content");
    // Of another length: two writes in one tick of the clock look the same.
    put(b"three");
    assert_eq!(logged(look), 1);
    let crash = |byte| drop(fault(&quarantine, byte, Cause::Crashes, "no", at(0)));
    assert_eq!(logged(|| crash(3)), 1, "where it is kept");
    assert_eq!(logged(|| crash(4)), 0);

    let place = Place::new();
    fs::write(place.state().root(), "").unwrap();
    let quarantine = place.quarantine(settings());
    let crash = |byte| drop(fault(&quarantine, byte, Cause::Crashes, "no", at(0)));
    assert_eq!(
        logged(|| crash(1)),
        2,
        "it cannot be read, and not be changed"
    );
    assert_eq!(logged(|| (crash(2), crash(3)).0), 0);
}

#[test]
fn the_oldest_are_forgotten_for_new_ones() {
    let mut records = Records::default();
    let edit = |number: u32, reason: &str| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Edit::Fault {
            digest: Digest::from_bytes(bytes),
            plugin: "compute/acme".to_owned(),
            version: Version::new(1, 0, 0),
            cause: Cause::Crashes,
            reason: records::line(reason),
            now: at(i64::from(number) / 10),
        }
    };
    let (capacity, more) = (u32::try_from(records::CAPACITY).unwrap(), 3);
    // To apply each of them would look at all the others each time.
    for number in (0..capacity).rev() {
        records.insert(&edit(number, &"é".repeat(500)), &settings());
    }
    for number in capacity..capacity + more {
        records.apply(&edit(number, "no"), &settings());
    }
    assert_eq!(records.list().len(), records::CAPACITY);
    let first = records.list()[0].digest.to_string();
    assert!(first.starts_with("00000003"), "{first}");
    // That is more than a file may hold.
    let bytes = file::render(&mut records).unwrap();
    let read = file::parse(&bytes).unwrap();
    assert_eq!(read, records);
    let list = read.list();
    assert!((4000..9000).contains(&list.len()), "{}", list.len());
    assert_eq!(list[list.len() - 1].reason, "no");
}

#[test]
fn the_seeds_of_the_fuzz_target_are_read() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/state");
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        fuzz_quarantine(&bytes);
        let is_good = file::parse(&bytes).is_ok();
        let name = path.file_name().unwrap().to_string_lossy();
        assert_eq!(is_good, name.starts_with("good"), "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>) {
        fuzz_quarantine(&bytes);
    }

    #[test]
    fn a_file_changed_anywhere_is_read(at: prop::sample::Index, byte: u8) {
        let mut bytes = fs::read(SEED).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        fuzz_quarantine(&bytes);
        // What stands below the header, with one that fits.
        let start = bytes.iter().position(|b| *b == b'\n').unwrap_or_default();
        fuzz_quarantine(&bytes[start..]);
    }
}
