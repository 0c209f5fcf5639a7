//! Panics stop here.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

use super::RawError;
use crate::{Error, ErrorKind};

/// A panic that was caught.
#[derive(Debug)]
pub struct Panicked {
    /// What it said.
    pub message: String,
    /// Where it was, `file:line:column`, where the hook of this library saw it.
    pub location: Option<String>,
}

impl From<Panicked> for RawError {
    fn from(panicked: Panicked) -> Self {
        let Panicked { message, location } = panicked;
        let mut error = Error::new(
            ErrorKind::Panicked,
            match &location {
                Some(location) => format!("panicked at {location}: {message}"),
                None => format!("panicked: {message}"),
            },
        );
        if let Some(location) = location {
            error = error.with_detail("location", location);
        }
        error.into()
    }
}

/// Runs `body` and gives a panic in it as a value.
///
/// The payload of the panic is dropped here too, and a panic in its destructor is swallowed; the
/// payload of that one is leaked, because no end of destructors that panic is in sight.
///
/// # Errors
///
/// `body` panicked.
#[inline]
pub fn contain<T>(body: impl FnOnce() -> T) -> Result<T, Panicked> {
    // Unwind safety: whatever was inside is either dropped or, being an instance, poisoned.
    catch_unwind(AssertUnwindSafe(body)).map_err(caught)
}

#[cold]
fn caught(payload: Box<dyn Any + Send>) -> Panicked {
    let message = text_of(&*payload).to_owned();
    // Before the payload is dropped, which may panic at another place.
    let location = LOCATION.try_with(RefCell::take).ok().flatten();
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    Panicked { message, location }
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "(a payload that is not text)"
    }
}

thread_local! {
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes this library's panics go to the host's log instead of to standard error, and their places
/// into the errors that they become.
///
/// A shared library has its own copy of std, so the hook is this library's alone.
pub(super) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(hook)));
}

fn hook(info: &PanicHookInfo<'_>) {
    let location = info.location().map(ToString::to_string);
    // Straight to the host: a panic in a subscriber of the vendor's, inside this hook, would end
    // the process.
    crate::log::report_panic(text_of(info.payload()), location.as_deref());
    let _ = LOCATION.try_with(|place| place.replace(location));
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb(u32);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                std::panic::panic_any(Bomb(self.0 - 1));
            }
        }
    }

    #[test]
    fn payloads_of_every_sort_are_contained() {
        assert_eq!(contain(|| 7).unwrap(), 7);
        assert_eq!(contain(|| panic!("plain")).unwrap_err().message, "plain");
        let formatted = contain(|| panic!("with {}", 7)).unwrap_err();
        assert_eq!(formatted.message, "with 7");
        for depth in 0..5 {
            let caught = contain(|| std::panic::panic_any(Bomb(depth))).unwrap_err();
            assert!(caught.message.contains("not text"), "{depth}");
        }
    }
}
