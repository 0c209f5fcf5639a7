use proptest::prelude::*;

use super::*;

const LARGE: usize = 200_000;

fn bytes(length: usize) -> Value {
    Value::Bytes(vec![7_u8; length].into())
}

/// A value as it comes, and the memory that it was in.
fn pass(given: Option<Memory>, value: &Value) -> (Value, Option<Memory>) {
    let mut packet = Packet::in_memory(|_| given, &1_u8, [value]).unwrap();
    let file = packet.file().map(|file| file.try_clone_to_owned().unwrap());
    let mut slices = Vec::new();
    packet.slices(&mut slices);
    let message: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
    packet.pour().tell();
    let came = Came::new(&message, file.map(File::from)).unwrap();
    let (head, values) = came.open::<u8>().unwrap();
    assert_eq!(head, 1);
    match packet.memory.take() {
        Some(Memory::Theirs(shared)) => {
            let value = values.one_within(Some(&shared), &mut || false).unwrap();
            (value, Some(Memory::Theirs(shared)))
        }
        _ => values.one_and_memory(|| None).unwrap(),
    }
}

fn several() -> Value {
    Value::from(vec![bytes(LARGE), Value::from("x".repeat(LARGE)), bytes(0)])
}

#[test]
fn one_file_passes_several_values() {
    let mut memory = None;
    for length in [LARGE, 2 * LARGE, LARGE] {
        let value = bytes(length);
        let (came, passed_in) = pass(memory.take(), &value);
        assert_eq!(came, value);
        assert!(matches!(passed_in, Some(Memory::File(_))));
        memory = passed_in;
    }
    assert_eq!(pass(memory, &several()).0, several());
}

#[test]
fn a_small_value_leaves_the_memory() {
    let (value, passed_in) = pass(Some(Memory::File(memory().unwrap())), &bytes(64));
    assert_eq!(value, bytes(64));
    assert!(passed_in.is_none());
}

#[test]
#[cfg(target_os = "linux")]
fn mapped_memory_passes_a_call_and_its_answer() {
    let own = Memory::for_call(None, 2 * LARGE);
    let (came, theirs) = pass(own, &bytes(2 * LARGE));
    assert_eq!(came, bytes(2 * LARGE));
    assert!(matches!(theirs, Some(Memory::Theirs(_))));
    // What is left there of the longer value is no part of the shorter one.
    let (came, theirs) = pass(theirs, &bytes(LARGE));
    assert_eq!(came, bytes(LARGE));
    let (came, theirs) = pass(theirs, &several());
    assert_eq!(came, several());
    // What has no room goes in a file.
    let (came, file) = pass(theirs, &bytes(2 << 20));
    assert_eq!(came, bytes(2 << 20));
    assert!(matches!(file, Some(Memory::File(_))));
}

#[test]
#[cfg(target_os = "linux")]
fn memory_that_is_kept_is_taken_where_it_was_passed() {
    let own = Memory::for_call(None, LARGE);
    let length = own.as_ref().and_then(Memory::length);
    let again = Memory::for_call(own, LARGE);
    assert_eq!(again.as_ref().and_then(Memory::length), length);
    let input = bytes(LARGE);
    let packet = Packet::in_memory(|_| again, &1_u8, [&input]).unwrap();
    let message = packet.bytes.clone();
    let file = File::from(packet.file().unwrap().try_clone_to_owned().unwrap());
    for kept in [
        Shared::of(file.try_clone().unwrap()).ok(),
        Shared::with_room(LARGE),
    ] {
        let came = Came::new(&message, Some(file.try_clone().unwrap())).unwrap();
        let (_, values) = came.open::<u8>().unwrap();
        let (value, memory) = values.one_and_memory(|| kept).unwrap();
        assert_eq!(value, bytes(LARGE));
        assert!(memory.unwrap().shared().unwrap().is(&file));
    }
    // Where it cannot be mapped, it is read.
    let mapped = Shared::of(file.try_clone().unwrap()).unwrap();
    let passed = Source::Passed(&file, mapped.mark());
    assert_eq!(read_value(passed, &mut || false).unwrap(), bytes(LARGE));
}

#[test]
#[cfg(target_os = "linux")]
fn an_answer_in_memory_that_says_what_is_not_is_refused() {
    let mut shared = Shared::with_room(LARGE).unwrap();
    let length = shared.length();
    // Of a mark that is not true, either.
    shared.mark().set(usize::MAX);
    let refused = |shared: &Shared| {
        let read = read_value(Source::Mapped(shared), &mut || false);
        read.unwrap_err().to_string()
    };
    assert_eq!(refused(&shared), "a value that is cut short");
    for (skeleton, found) in [
        (length - 7, "a piece that is not there"),
        (LARGEST_SKELETON + 1, "a skeleton of 67108865 bytes"),
    ] {
        shared.write(0, &(skeleton as u64).to_le_bytes()).unwrap();
        assert_eq!(refused(&shared), found);
    }
    // A skeleton that has one value of bytes, one more than there are.
    let more = postcard::to_stdvec(&(length - PAGE + 1)).unwrap();
    shared
        .write(0, &(1 + more.len() as u64).to_le_bytes())
        .unwrap();
    shared.write(8, &[11]).unwrap();
    shared.write(9, &more).unwrap();
    assert_eq!(refused(&shared), "a piece that is not there");
}

#[test]
fn an_answer_in_memory_that_nobody_made_is_refused() {
    let message = [6, 0, 0, 0, 1, 0, 0, 0, WITHIN, 1];
    let (_, values) = Came::new(&message, None).unwrap().open::<u8>().unwrap();
    assert_eq!(
        values.one().unwrap_err().to_string(),
        "values in memory that was not made for them"
    );
}

#[test]
fn a_file_that_is_cut_is_refused() {
    let (_, passed_in) = pass(None, &bytes(LARGE));
    let Some(Memory::File(file)) = passed_in else {
        panic!("{passed_in:?}")
    };
    for length in [0, 4, 8, 10, 12, PAGE as u64, LARGE as u64] {
        file.set_len(length).unwrap();
        let read = read_value(Source::File(&file), &mut || false);
        let found = read.unwrap_err().to_string();
        let expected = ["a piece that is not there", "a skeleton without its page"];
        assert!(expected.contains(&found.as_str()), "{length}: {found}");
        // As it was, but for what was cut.
        file.set_len((PAGE + LARGE) as u64).unwrap();
        if length < 13 {
            let again = Memory::File(file.try_clone().unwrap());
            assert!(pass(Some(again), &bytes(LARGE)).1.is_some());
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn whoever_has_the_file_cannot_forbid_to_write() {
    use rustix::fs::{SealFlags, fcntl_add_seals};

    let file = memory().unwrap();
    let refused = fcntl_add_seals(&file, SealFlags::WRITE);
    assert_eq!(refused, Err(rustix::io::Errno::PERM));
}

/// A frame with a value in memory, as it is before it is poured; with the message and the memory's file.
#[cfg(target_os = "linux")]
fn unpoured(memory: Option<Memory>, value: &Value) -> (Packet<'_>, Vec<u8>) {
    let packet = Packet::in_memory(|_| memory, &1_u8, [value]).unwrap();
    let mut slices = Vec::new();
    packet.slices(&mut slices);
    let message = slices.iter().flat_map(|slice| slice.to_vec()).collect();
    (packet, message)
}

/// Values with such pieces.
fn with_pieces(lengths: &[usize]) -> Value {
    let pieces = lengths.iter().zip(1_u8..).map(|(length, byte)| {
        let bytes: Vec<u8> = (0..*length).map(|at| byte ^ at.to_le_bytes()[1]).collect();
        Value::Bytes(bytes.into())
    });
    Value::List(pieces.collect())
}

#[cfg(target_os = "linux")]
#[track_caller]
fn check_both_ways(value: &Value) {
    let call = Memory::for_call(None, 16 * STRETCH);
    let (mut packet, message) = unpoured(call, value);
    let file = packet.file().map(|file| file.try_clone_to_owned().unwrap());
    // To the worker: what comes is read while it is written.
    let theirs = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let came = Came::new(&message, file.map(File::from)).unwrap();
            let (_, values) = came.open::<u8>().unwrap();
            values.one_and_memory(|| None).unwrap()
        });
        packet.pour().tell();
        let (came, theirs) = worker.join().unwrap();
        assert_eq!(came, *value);
        theirs
    });
    let Some(theirs) = theirs else {
        // It was short.
        return assert!(packet.is_whole());
    };
    // And back.
    let (mut answer, message) = unpoured(Some(theirs), value);
    assert!(answer.file().is_none());
    std::thread::scope(|scope| {
        scope.spawn(|| answer.pour().tell());
        let own = packet.memory.as_ref().and_then(Memory::shared);
        let (_, values) = Came::new(&message, None).unwrap().open::<u8>().unwrap();
        assert_eq!(values.one_within(own, &mut || true).unwrap(), *value);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_read_while_it_is_written_is_what_was_sent() {
    for lengths in [
        &[2 * STRETCH] as &[usize],
        &[2 * STRETCH - 1],
        &[2 * STRETCH + 1],
        &[STRETCH, STRETCH, 0, 1],
        &[1, STRETCH - 1, STRETCH + 1, PAGE],
        &[],
        &[5 * STRETCH, 3, 5 * STRETCH],
    ] {
        check_both_ways(&with_pieces(lengths));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    #[cfg(target_os = "linux")]
    fn whatever_its_pieces_are(lengths in proptest::collection::vec(0..3 * STRETCH, 0..5)) {
        check_both_ways(&with_pieces(&lengths));
    }
}

/// An answer of which so many bytes are written and no more, in memory that has others.
#[cfg(target_os = "linux")]
fn check_cut(written: impl FnOnce(&Mark), waits_on: &mut dyn FnMut(&Mark) -> bool) -> String {
    let value = bytes(4 * STRETCH);
    let (packet, message) = unpoured(Memory::for_call(None, 5 * STRETCH), &value);
    let own = packet.memory.as_ref().and_then(Memory::shared).unwrap();
    assert!(!packet.is_whole());
    written(own.mark());
    let (_, values) = Came::new(&message, None).unwrap().open::<u8>().unwrap();
    match values.one_within(Some(own), &mut || waits_on(own.mark())) {
        Ok(Value::Bytes(bytes)) => format!("{} bytes", bytes.len()),
        Ok(value) => panic!("{value:?}"),
        Err(found) => found.to_string(),
    }
}

#[test]
#[cfg(target_os = "linux")]
fn who_stops_in_the_middle_is_waited_for_as_long_as_whoever_waits_likes() {
    const ENDS: &str = "a value that ends before its end";

    for written in [0, 1, PAGE, PAGE + STRETCH, PAGE + 4 * STRETCH - 1] {
        let mut asked = 0;
        let found = check_cut(|mark| mark.set(written), &mut |_| {
            asked += 1;
            asked < 3
        });
        assert_eq!((found.as_str(), asked), (ENDS, 3), "{written}");
    }
    // One that says again and again that it goes on, and does not.
    let mut asked = 0;
    let found = check_cut(|_| {}, &mut |mark| {
        asked += 1;
        mark.set(PAGE + STRETCH + asked % 2);
        asked < 1_000
    });
    assert_eq!((found.as_str(), asked), (ENDS, 1_000));
    // And one that takes back what it has said.
    let mut is_back = false;
    let found = check_cut(|mark| mark.set(PAGE + STRETCH), &mut |mark| {
        mark.set(0);
        !std::mem::replace(&mut is_back, true)
    });
    assert_eq!(found, ENDS);
}

#[test]
#[cfg(target_os = "linux")]
fn a_mark_that_says_more_than_is_written_gives_what_is_there() {
    for said in [PAGE + 4 * STRETCH, usize::MAX] {
        let found = check_cut(|mark| mark.set(said), &mut |_| false);
        assert_eq!(found, format!("{} bytes", 4 * STRETCH));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_came_before_whoever_waits_gave_up_counts() {
    let found = check_cut(|mark| mark.set(0), &mut |mark| {
        mark.set(PAGE + 4 * STRETCH);
        false
    });
    assert_eq!(found, format!("{} bytes", 4 * STRETCH));
}
