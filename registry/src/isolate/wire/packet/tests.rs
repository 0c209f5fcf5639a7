use super::*;

const LARGE: usize = 200_000;

fn bytes(length: usize) -> Value {
    Value::Bytes(vec![7_u8; length].into())
}

/// A value as it comes, and the memory that it was in.
fn pass(given: Option<Memory>, value: &Value) -> (Value, Option<Memory>) {
    let mut packet = Packet::in_memory(|| given, &1_u8, [value]).unwrap();
    let file = packet.file().map(|file| file.try_clone_to_owned().unwrap());
    let mut slices = Vec::new();
    packet.slices(&mut slices);
    let message: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
    packet.pour(&mut || false).tell();
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
    let own = Memory::for_call(None);
    let (came, theirs) = pass(own, &bytes(2 * LARGE));
    assert_eq!(came, bytes(2 * LARGE));
    assert!(matches!(theirs, Some(Memory::Theirs(_))));
    // What is left there of the longer value is no part of the shorter one.
    let (came, theirs) = pass(theirs, &bytes(LARGE));
    assert_eq!(came, bytes(LARGE));
    let (came, _) = pass(theirs, &several());
    assert_eq!(came, several());
}

#[test]
#[cfg(target_os = "linux")]
fn memory_that_is_kept_is_taken_where_it_was_passed() {
    let own = Memory::for_call(None);
    let inode = |memory: &Option<Memory>| {
        let shared = memory.as_ref().and_then(Memory::shared).unwrap();
        rustix::fs::fstat(shared).unwrap().st_ino
    };
    let first = inode(&own);
    let again = Memory::for_call(own);
    assert_eq!(inode(&again), first);
    let input = bytes(LARGE);
    let packet = Packet::in_memory(|| again, &1_u8, [&input]).unwrap();
    let message = packet.bytes.clone();
    let file = File::from(packet.file().unwrap().try_clone_to_owned().unwrap());
    for kept in [Shared::of(file.try_clone().unwrap()).ok(), Shared::new()] {
        let came = Came::new(&message, Some(file.try_clone().unwrap())).unwrap();
        let (_, values) = came.open::<u8>().unwrap();
        let (value, memory) = values.one_and_memory(|| kept).unwrap();
        assert_eq!(value, bytes(LARGE));
        assert!(memory.unwrap().shared().unwrap().is(&file));
    }
    // Where it cannot be mapped, it is read.
    let mapped = Shared::of(file.try_clone().unwrap()).unwrap();
    let passed = Source::Passed(&file, mapped.marks());
    assert_eq!(stream::read(passed, &mut || false).unwrap(), bytes(LARGE));
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
        let read = stream::read(Source::File(&file), &mut || false);
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
