use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use floe_plugin_api::{Bytes, List};
use proptest::prelude::*;

use super::*;
use crate::isolate::wire::channel::{Buffer, Channel, Received};
use crate::isolate::wire::packet::{Came, Memory, Packet};

/// A value of so many bytes, of which none is like the one a ring before it.
fn bytes(length: usize, seed: u8) -> Value {
    let byte = |at: usize| (at % 251).to_le_bytes()[0] ^ (at / RING).to_le_bytes()[0] ^ seed;
    Value::Bytes(Bytes::from((0..length).map(byte).collect::<Vec<u8>>()))
}

/// Values with such pieces.
fn with_pieces(lengths: &[usize]) -> Value {
    let pieces = lengths.iter().zip(1_u8..);
    Value::List(pieces.map(|(length, seed)| bytes(*length, seed)).collect())
}

/// A frame with a value that goes through memory, as it is before it is poured; with its message.
fn unpoured(memory: Option<Memory>, value: &Value) -> (Packet<'_>, Vec<u8>) {
    let packet = Packet::in_memory(|| memory, &1_u8, [value]).unwrap();
    let mut slices = Vec::new();
    packet.slices(&mut slices);
    let message = slices.iter().flat_map(|slice| slice.to_vec()).collect();
    (packet, message)
}

/// Passes a value to and fro: each side reads while the other one writes.
#[track_caller]
fn check_both_ways(value: &Value, is_mapped: bool) {
    let (mut packet, message) = unpoured(Memory::for_call(None), value);
    let file = packet.file().map(|file| file.try_clone_to_owned().unwrap());
    let theirs = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let file = file.map(File::from);
            if !is_mapped && let Some(file) = file {
                let own = Shared::of(file.try_clone().unwrap()).unwrap();
                let came = read(Source::Passed(&file, own.marks()), &mut || true).unwrap();
                return (came, Some(Memory::Theirs(own)));
            }
            let (_, values) = Came::new(&message, file).unwrap().open::<u8>().unwrap();
            values.one_and_memory(|| None).unwrap()
        });
        packet.pour(&mut || true).tell();
        let (came, theirs) = worker.join().unwrap();
        assert!(came == *value, "it came as something else");
        theirs
    });
    let Some(theirs) = theirs else {
        // It went in the message.
        return assert!(packet.is_whole());
    };
    let (mut answer, message) = unpoured(Some(theirs), value);
    assert!(answer.file().is_none());
    thread::scope(|scope| {
        scope.spawn(|| answer.pour(&mut || true).tell());
        let own = packet.memory.as_ref().and_then(Memory::shared);
        let (_, values) = Came::new(&message, None).unwrap().open::<u8>().unwrap();
        let came = values.one_within(own, &mut || true).unwrap();
        assert!(came == *value, "it came back as something else");
    });
}

#[test]
fn what_is_read_while_it_is_written_is_what_was_sent() {
    for lengths in [
        &[2 * STRETCH] as &[usize],
        &[2 * STRETCH - 1],
        &[2 * STRETCH + 1],
        &[STRETCH, STRETCH, 0, 1],
        &[1, STRETCH - 1, STRETCH + 1, PAGE],
        &[],
        &[5 * STRETCH, 3, 5 * STRETCH],
        // As much as is there at once, as much as there is room for, and many times that.
        &[(1 << 20) - PAGE],
        &[(1 << 20) - PAGE + 1],
        &[RING - PAGE],
        &[RING],
        &[RING + 1],
        &[9 * RING + 7],
        &[RING - PAGE, RING, RING - 1, 3],
    ] {
        check_both_ways(&with_pieces(lengths), true);
        check_both_ways(&with_pieces(lengths), false);
    }
}

#[test]
fn a_skeleton_goes_through_it_whatever_its_size() {
    // Numbers have no pieces.
    let many = |count: u64| Value::List((0..count).map(Value::from).collect::<List>());
    check_both_ways(&many(900_000), true);
    let mut with_piece = vec![many(700_000), bytes(3 * RING, 1)];
    check_both_ways(&Value::from(with_piece.clone()), true);
    with_piece.reverse();
    check_both_ways(&Value::from(with_piece), false);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_its_pieces_are(lengths in proptest::collection::vec(0..2 * RING, 0..5)) {
        check_both_ways(&with_pieces(&lengths), true);
    }
}

#[test]
fn memory_serves_one_call_after_the_other() {
    let mut memory = None;
    for length in [5 * RING, 200_000, 1, RING, 3 * RING] {
        let value = bytes(length, 3);
        let (mut packet, message) = unpoured(Memory::for_call(memory), &value);
        let own = packet.memory.as_ref().and_then(Memory::shared);
        let file = own.map(|own| File::from(own.as_fd().try_clone_to_owned().unwrap()));
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let (_, values) = Came::new(&message, file).unwrap().open::<u8>().unwrap();
                values.one_and_memory(|| None).unwrap().0
            });
            packet.pour(&mut || true).tell();
            assert!(worker.join().unwrap() == value, "{length}");
        });
        memory = packet.memory.take();
    }
}

#[test]
fn what_is_through_does_not_take_more_memory_than_the_ring() {
    let (packet, _) = unpoured(Memory::for_call(None), &Value::Null);
    assert!(packet.memory.is_none());
    let value = bytes(5 * RING, 1);
    let (packet, _) = unpoured(Memory::for_call(None), &value);
    let file = packet.file().unwrap();
    let status = rustix::fs::fstat(file).unwrap();
    assert!(usize::try_from(status.st_size).unwrap() < RING + RING / 8);
}

#[test]
fn an_answer_that_says_what_is_not_is_refused() {
    let mut shared = Shared::new().unwrap();
    // Of a mark that is not true, either.
    shared.marks().written().set(usize::MAX);
    let refused = |shared: &Shared| {
        let read = read(Source::Mapped(shared), &mut || false);
        read.unwrap_err().to_string()
    };
    assert_eq!(refused(&shared), "a value that is cut short");
    for (skeleton, found) in [
        (LARGEST_SKELETON + 1, "a skeleton of 67108865 bytes"),
        (usize::MAX, "a skeleton of 18446744073709551615 bytes"),
    ] {
        shared.write(0, &(skeleton as u64).to_le_bytes()).unwrap();
        assert_eq!(refused(&shared), found);
    }
    // A skeleton that has one value of bytes, one more than there may be.
    let most = usize::try_from(LARGEST).unwrap() - PAGE;
    let more = postcard::to_stdvec(&(most + 1)).unwrap();
    shared
        .write(0, &(1 + more.len() as u64).to_le_bytes())
        .unwrap();
    shared.write(8, &[11]).unwrap();
    shared.write(9, &more).unwrap();
    assert_eq!(refused(&shared), "a piece that is not there");
}

/// An answer of which so many bytes are written and no more, in memory that has others.
fn check_cut(written: impl FnOnce(&Mark), waits_on: &mut dyn FnMut(&Mark) -> bool) -> String {
    let value = bytes(5 * STRETCH, 1);
    let (packet, message) = unpoured(Memory::for_call(None), &value);
    let own = packet.memory.as_ref().and_then(Memory::shared).unwrap();
    assert!(!packet.is_whole());
    let mut head = Shared::of(own.as_fd().try_clone_to_owned().unwrap().into()).unwrap();
    // Its skeleton is a list with one value of bytes.
    let length = postcard::to_stdvec(&(5 * STRETCH)).unwrap();
    head.write(0, &(1 + length.len() as u64).to_le_bytes())
        .unwrap();
    head.write(8, &[11]).unwrap();
    head.write(9, &length).unwrap();
    let mark = own.marks().written();
    written(mark);
    let (_, values) = Came::new(&message, None).unwrap().open::<u8>().unwrap();
    match values.one_within(Some(own), &mut || waits_on(mark)) {
        Ok(Value::Bytes(bytes)) => format!("{} bytes", bytes.len()),
        Ok(value) => panic!("{value:?}"),
        Err(found) => found.to_string(),
    }
}

const ENDS: &str = "a value that ends before its end";

#[test]
fn who_stops_in_the_middle_is_waited_for_as_long_as_whoever_waits_likes() {
    for written in [0, 1, PAGE, PAGE + STRETCH, PAGE + 5 * STRETCH - 1] {
        let mut asked = 0;
        let found = check_cut(|mark| mark.set(written), &mut |_| {
            asked += 1;
            asked < 3
        });
        assert_eq!((found.as_str(), asked), (ENDS, 3), "{written}");
    }
    // One that says again and again that it goes on, and does not: heard at once, and then now and then.
    const MOST: usize = WORDS as usize + 20;
    let mut asked = 0;
    let found = check_cut(|_| {}, &mut |mark| {
        asked += 1;
        mark.set(PAGE + STRETCH + asked % 2);
        asked < MOST
    });
    assert_eq!((found.as_str(), asked), (ENDS, MOST));
    // And one that takes back what it has said.
    let mut is_back = false;
    let found = check_cut(|mark| mark.set(PAGE + STRETCH), &mut |mark| {
        mark.set(0);
        !std::mem::replace(&mut is_back, true)
    });
    assert_eq!(found, ENDS);
}

#[test]
fn a_mark_that_says_more_than_is_written_gives_what_is_there() {
    for said in [PAGE + 5 * STRETCH, usize::MAX] {
        let found = check_cut(|mark| mark.set(said), &mut |_| false);
        assert_eq!(found, format!("{} bytes", 5 * STRETCH));
    }
}

#[test]
fn what_came_before_whoever_waits_gave_up_counts() {
    let found = check_cut(|mark| mark.set(0), &mut |mark| {
        mark.set(PAGE + 5 * STRETCH);
        false
    });
    assert_eq!(found, format!("{} bytes", 5 * STRETCH));
}

#[test]
fn who_does_not_read_is_waited_for_as_long_as_whoever_writes_likes() {
    for (length, read) in [
        (RING + 1, 0),
        (RING + 1, 1),
        (3 * RING, RING + PAGE),
        (3 * RING, 2 * RING),
    ] {
        let value = bytes(length, 1);
        let (mut packet, _) = unpoured(Memory::for_call(None), &value);
        let marks = packet.memory.as_ref().unwrap().shared().unwrap().marks();
        let marks = marks.clone();
        marks.read().set(read);
        let mut asked = 0;
        let poured = packet.pour(&mut || {
            asked += 1;
            asked < 3
        });
        let so_far = marks.written().get();
        poured.tell();
        assert_eq!((asked, marks.written().get()), (3, so_far), "{length}");
        // Nothing is overwritten that nobody has read.
        assert!(
            so_far <= read + RING && so_far + STRETCH > read,
            "{so_far} {read}"
        );
    }
}

#[test]
fn who_says_that_it_has_read_what_is_not_written_ends_nobody() {
    let value = bytes(3 * RING, 1);
    let (mut packet, _) = unpoured(Memory::for_call(None), &value);
    let marks = packet.memory.as_ref().unwrap().shared().unwrap().marks();
    let marks = marks.clone();
    marks.read().set(usize::MAX);
    packet.pour(&mut || false).tell();
    assert_eq!(marks.written().get(), PAGE + 3 * RING);
}

#[test]
fn nobody_has_all_of_it_before_the_last_is_told() {
    for length in [
        1,
        3 * STRETCH - PAGE,
        6 * STRETCH,
        RING - PAGE,
        RING,
        3 * RING,
        3 * RING + 1,
    ] {
        let value = Value::from(vec![bytes(length, 7), bytes(RING, 8)]);
        let (mut packet, _) = unpoured(Memory::for_call(None), &value);
        let file = File::from(packet.file().unwrap().try_clone_to_owned().unwrap());
        let theirs = Shared::of(file).unwrap();
        let is_poured = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                // Gives up as soon as no more is written: it must not have all of it.
                read(Source::Mapped(&theirs), &mut || {
                    !is_poured.load(Ordering::Acquire)
                })
                .is_ok()
            });
            let poured = packet.pour(&mut || true);
            is_poured.store(true, Ordering::Release);
            assert!(!reader.join().unwrap(), "{length}");
            poured.tell();
        });
    }
}

/// What a worker does with each call: it has the input, and answers in the memory that it was in.
fn serve(channel: &Channel, output: &Value) {
    let mut buffer = Buffer::take();
    let mut kept = None;
    while let Received::Message(length, Some(file)) = channel.receive(&mut buffer).unwrap() {
        let came = Came::new(buffer.message(length), Some(file)).unwrap();
        let (_, values) = came.open::<u8>().unwrap();
        let (_, memory) = values.one_and_memory(|| kept.take()).unwrap();
        let mut packet = Packet::in_memory(|| memory, &1_u8, [output]).unwrap();
        channel.send(&packet).unwrap();
        let poured = packet.pour(&mut || true);
        if let Some(Memory::Theirs(shared)) = packet.memory.take() {
            kept = Some(shared);
        }
        poured.tell();
    }
}

#[test]
fn calls_and_answers_follow_each_other_in_one_memory() {
    let (input, output) = (bytes(6 * STRETCH, 1), bytes(7 * STRETCH + 77, 99));
    let (host, other) = Channel::pair().unwrap();
    let worker = Channel::new(other);
    thread::scope(|scope| {
        scope.spawn(|| serve(&worker, &output));
        let mut buffer = Buffer::take();
        let mut spare = None;
        for round in 0..300 {
            let given = || Memory::for_call(spare.take());
            let mut packet = Packet::in_memory(given, &1_u8, [&input]).unwrap();
            host.send(&packet).unwrap();
            packet.pour(&mut || true).tell();
            let Received::Message(length, file) = host.receive(&mut buffer).unwrap() else {
                panic!("the worker is gone")
            };
            let came = Came::new(buffer.message(length), file).unwrap();
            let (_, values) = came.open::<u8>().unwrap();
            let own = packet.memory.as_ref().and_then(Memory::shared);
            let came = values.one_within(own, &mut || true).unwrap();
            assert!(came == output, "round {round}");
            spare = packet.memory.take();
        }
        drop(host);
    });
}
