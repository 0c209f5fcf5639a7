//! A shared library in this process, for good.

use floe_plugin_api::abi::abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError};
use floe_plugin_api::abi::{ROOT_SYMBOL, RootModuleRef};
use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};

use crate::admit::{LayoutChecked, Stored};

/// Keeps a library mapped until the process ends.
///
/// The number is the same on Linux and on the BSDs that have the flag; macOS has its own.
#[cfg(not(target_vendor = "apple"))]
const RTLD_NODELETE: i32 = 0x1000;
#[cfg(target_vendor = "apple")]
const RTLD_NODELETE: i32 = 0x80;

/// Why a library could not be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// The system's loader refused it, and said why.
    Refused(String),
    /// It does not export [`ROOT_SYMBOL`].
    NoRoot,
    /// What it exports under that name is not a header, or one of another `abi_stable`.
    Header(String),
}

/// What the system's loader said, which is the cause of the error.
fn reason(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Maps a verified copy and gives the header that it exports.
///
/// All its symbols are resolved now, so that a missing one is found here and not in a call; none
/// of them is offered to other libraries; and it stays mapped whatever happens, because pointers
/// into it are kept by the layout checker, by thread-local destructors and by values that crossed.
///
/// Constructors of the library run in here. A `Stored` is the only thing that can be mapped, and
/// only an admitted file can be stored.
pub(super) fn open(stored: &Stored) -> Result<&'static LibHeader, OpenError> {
    // SAFETY: mapping runs the library's constructors, which nothing can vouch for; what can be
    // done was: an operator whom the policy trusts put the file there, and these are its bytes.
    // The copy is private to this user, so it cannot be truncated under the mapping.
    let opened =
        unsafe { Handle::open(Some(stored.path()), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) };
    let library = opened.map_err(|error| OpenError::Refused(reason(&error)))?;
    // SAFETY: the symbol's address is taken as a reference to the start of an `AbiHeader`, nothing
    // more. `export_plugin!` defines it so; `upgrade` reads the magic text in it before anything
    // else is believed, and the mapping is never undone, so `'static` holds. A symbol may be
    // defined at address 0; that is `None`, as an `AbiHeaderRef` is a `NonNull` transparently.
    let symbol = unsafe { library.get::<Option<AbiHeaderRef>>(ROOT_SYMBOL) };
    let header = symbol
        .ok()
        .and_then(|symbol| *symbol)
        .ok_or(OpenError::NoRoot)?;
    // Not closed, on any way out: `RTLD_NODELETE` says the same to whoever else holds a handle.
    let _ = library.into_raw();
    header
        .upgrade()
        .map_err(|error| OpenError::Header(error.to_string()))
}

/// The root module behind a header, without looking again at a layout that was found right.
pub(super) fn root_of_known_layout(
    header: &'static LibHeader,
    _checked: LayoutChecked,
) -> Result<RootModuleRef, LibraryError> {
    // SAFETY: `M` must have the layout that the library's bytes say. This program compared the two
    // for these bytes (`LayoutChecked`), and both are constants.
    unsafe { header.init_root_module_with_unchecked_layout::<RootModuleRef>() }
}
