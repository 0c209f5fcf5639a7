//! How a host and its worker speak: frames over a socket pair.
//!
//! - `frame` is what they say, `value` a value as bytes, `packet` both of it in one message and the memory beside
//!   it, `mapped` such memory as both sides have mapped, `stream` what goes through it, `channel` an end of the
//!   socket pair.
//!
//! Neither side believes the other: a frame that is cut, too long, or none ends the worker and not the host.

pub(crate) mod channel;
#[cfg(target_os = "linux")]
mod copy;
pub(crate) mod frame;
#[cfg(target_os = "linux")]
pub(crate) mod mapped;
#[cfg(not(target_os = "linux"))]
#[path = "unmapped.rs"]
pub(crate) mod mapped;
pub(crate) mod packet;
mod stream;
pub(crate) mod value;

/// Reads bytes as each side reads a message. For fuzzing: what is no frame is refused, and nothing else happens.
pub fn fuzz(bytes: &[u8]) {
    if let Ok((head, values)) = packet::Came::new(bytes, None).and_then(packet::Came::open) {
        let _: frame::FromWorker<'_> = head;
        let _ = values.one();
    }
    if let Ok((head, values)) = packet::Came::new(bytes, None).and_then(packet::Came::open) {
        let _: frame::ToWorker<'_> = head;
        let _ = values.one();
    }
    stream::fuzz(bytes);
    let Ok((value, _)) = value::decode(bytes, &mut value::Nothing) else {
        return;
    };
    // What was read is written so that it is read again.
    let (mut once, mut pieces) = (Vec::new(), Vec::new());
    if value::encode(&value, value::Place::Aside, &mut once, &mut pieces).is_ok()
        && pieces.is_empty()
    {
        let again = value::decode(&once, &mut value::Nothing);
        assert!(again.is_ok_and(|(again, rest)| {
            rest.is_empty() && format!("{again:?}") == format!("{value:?}")
        }));
    }
}
