//! From a vendor's types to the boundary.

use std::marker::PhantomData;

use abi_stable::library::{CheckTypeLayout, LibHeader, RootModuleResult};
use abi_stable::prefix_type::WithMetadata;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::staticref;
use abi_stable::std_types::{RErr, RNone, ROk, ROption, RResult, RSome, RStr, RString};

use super::contain::install_hook;
use super::module::{RootModule, RootModuleRef};
use super::{
    RawCallRef, RawError, RawHealth, RawHostArc, RawPlugin, RawPlugin_TO, RawPluginBox, Value,
    contain,
};
use crate::manifest::{NOTE_OWNER, NOTE_TYPE};
use crate::{CallContext, Error, ErrorKind, Health, HealthState, HostRef, Plugin};

/// A plugin with its executors by number. Written by the export macro.
pub trait Exported: Plugin {
    /// The manifest, as in the note.
    const MANIFEST: &'static str;

    /// Calls the executor with the number `operation`, if there is one, and puts what it gives in
    /// `output`.
    fn dispatch(
        &self,
        operation: u32,
        input: &Value,
        call: &CallContext<'_>,
        output: &mut Value,
    ) -> Option<Result<(), Error>>;

    /// The schemas of the configuration and of every executor, as JSON.
    fn describe() -> String;
}

/// An ELF note whose content is `N` bytes, padded to a multiple of four by its alignment.
#[repr(C, align(4))]
#[derive(Debug)]
pub struct Note<const N: usize> {
    owner_size: u32,
    content_size: u32,
    note_type: u32,
    owner: [u8; 8],
    content: [u8; N],
}

/// The note that holds `manifest`.
#[must_use]
pub const fn note<const N: usize>(manifest: &str) -> Note<N> {
    let mut owner = [0; 8];
    let mut i = 0;
    while i < NOTE_OWNER.len() {
        owner[i] = NOTE_OWNER.as_bytes()[i];
        i += 1;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a manifest is far below 4 GiB"
    )]
    Note {
        owner_size: NOTE_OWNER.len() as u32 + 1,
        content_size: N as u32,
        note_type: NOTE_TYPE,
        owner,
        content: bytes(manifest),
    }
}

/// The bytes of `manifest`, which are `N`, as platforms without notes keep them.
#[must_use]
pub const fn bytes<const N: usize>(manifest: &str) -> [u8; N] {
    let mut content = [0; N];
    let mut i = 0;
    while i < N {
        content[i] = manifest.as_bytes()[i];
        i += 1;
    }
    content
}

/// The header that a library exports for `P`.
#[must_use]
pub const fn header<P: Exported>() -> LibHeader {
    // SAFETY: `constructor` gives `RootModuleRef`s, erased, and nothing else.
    unsafe { LibHeader::from_constructor::<RootModuleRef>(constructor::<P>, CheckTypeLayout::Yes) }
}

extern "C" fn constructor<P: Exported>() -> RootModuleResult {
    abi_stable::library::__call_root_module_loader(module::<P>)
}

fn module<P: Exported>() -> RootModuleRef {
    RootModuleRef(Functions::<P>::MODULE.as_prefix())
}

struct Functions<P>(PhantomData<P>);

impl<P: Exported> Functions<P> {
    staticref! {
        const MODULE: WithMetadata<RootModule> = WithMetadata::new(RootModule {
            manifest: manifest::<P>,
            describe: describe::<P>,
            create: create::<P>,
        });
    }
}

extern "C" fn manifest<P: Exported>() -> RStr<'static> {
    RStr::from_str(P::MANIFEST)
}

extern "C" fn describe<P: Exported>() -> RResult<RString, RawError> {
    let described = contain(|| {
        install_hook();
        P::describe()
    });
    match described {
        Ok(text) => ROk(text.into()),
        Err(panicked) => RErr(panicked.into()),
    }
}

extern "C" fn create<P: Exported>(
    config: &Value,
    host: RawHostArc,
) -> RResult<RawPluginBox, RawError> {
    let started = contain(|| {
        install_hook();
        let host = HostRef::from(host);
        crate::log::bridge(&host);
        instance::<P>(config, host)
    });
    flatten(started)
}

/// Starts a plugin, and puts it behind the boundary.
///
/// # Errors
///
/// The configuration does not fit, or the plugin says why it cannot start.
pub fn instance<P: Exported>(config: &Value, host: HostRef) -> Result<RawPluginBox, Error> {
    let config = crate::plugin::read(config, ErrorKind::Configuration)?;
    let plugin = P::start(config, host)?;
    Ok(RawPlugin_TO::from_value(Guarded(Some(plugin)), TD_Opaque))
}

/// Puts a function of this program behind the boundary, as a plugin with one executor, so that it
/// is called as any other is and its panics are contained as any other's are.
pub fn in_process<F>(function: F) -> RawPluginBox
where
    F: Fn(&Value, &CallContext<'_>) -> Result<Value, Error> + Send + Sync + 'static,
{
    RawPlugin_TO::from_value(Guarded(Some(Function(function))), TD_Opaque)
}

/// What [`Guarded`] holds.
trait Inner: Send + Sync + Sized {
    fn execute(
        &self,
        operation: u32,
        input: &Value,
        call: &CallContext<'_>,
        output: &mut Value,
    ) -> Option<Result<(), Error>>;
    fn health(&self) -> Health;
    fn stop(self) -> Result<(), Error>;
}

impl<P: Exported> Inner for P {
    #[inline]
    fn execute(
        &self,
        operation: u32,
        input: &Value,
        call: &CallContext<'_>,
        output: &mut Value,
    ) -> Option<Result<(), Error>> {
        self.dispatch(operation, input, call, output)
    }

    fn health(&self) -> Health {
        Plugin::health(self)
    }

    fn stop(self) -> Result<(), Error> {
        Plugin::stop(self)
    }
}

/// A function of this program.
struct Function<F>(F);

impl<F> Inner for Function<F>
where
    F: Fn(&Value, &CallContext<'_>) -> Result<Value, Error> + Send + Sync,
{
    #[inline]
    fn execute(
        &self,
        operation: u32,
        input: &Value,
        call: &CallContext<'_>,
        output: &mut Value,
    ) -> Option<Result<(), Error>> {
        (operation == 0).then(|| {
            output.receive((self.0)(input, call)?);
            Ok(())
        })
    }

    fn health(&self) -> Health {
        Health::healthy()
    }

    fn stop(self) -> Result<(), Error> {
        Ok(())
    }
}

/// A plugin whose every way out is contained. Empty once it was stopped.
struct Guarded<P: Inner>(Option<P>);

impl<P: Inner> RawPlugin for Guarded<P> {
    #[inline]
    fn execute(
        &self,
        operation: u32,
        input: &Value,
        call: RawCallRef<'_>,
        output: &mut Value,
    ) -> ROption<RawError> {
        let context = CallContext::from(call);
        let called = contain(|| match &self.0 {
            Some(plugin) => plugin.execute(operation, input, &context, output),
            None => None,
        });
        match called {
            Ok(Some(Ok(()))) => RNone,
            Ok(Some(Err(error))) => RSome(told(error)),
            Ok(None) => RSome(unknown_operation(operation)),
            Err(panicked) => RSome(panicked.into()),
        }
    }

    fn health(&self) -> RResult<RawHealth, RawError> {
        let health = match contain(|| self.0.as_ref().map(Inner::health)) {
            Ok(Some(health)) => health,
            Ok(None) => Health::unhealthy("stopped"),
            Err(panicked) => return RErr(panicked.into()),
        };
        ROk(RawHealth {
            state: match health.state {
                HealthState::Healthy => 0,
                HealthState::Degraded => 1,
                HealthState::Unhealthy => 2,
            },
            message: health.message.into(),
            details: health.details,
        })
    }

    fn stop(mut self) -> RResult<(), RawError> {
        match self.0.take() {
            Some(plugin) => flatten(contain(|| plugin.stop())),
            None => ROk(()),
        }
    }
}

impl<P: Inner> Drop for Guarded<P> {
    fn drop(&mut self) {
        if let Some(plugin) = self.0.take() {
            // The hook has told the log; there is no one else to tell.
            let _ = contain(|| drop(plugin));
        }
    }
}

fn flatten<T>(result: Result<Result<T, Error>, super::Panicked>) -> RResult<T, RawError> {
    match result {
        Ok(Ok(value)) => ROk(value),
        Ok(Err(error)) => RErr(told(error)),
        Err(panicked) => RErr(panicked.into()),
    }
}

/// An error of the vendor's. It may be of a call to another plugin, which panicked: this instance
/// has not, and must not be given up for it.
#[cold]
fn told(error: Error) -> RawError {
    match error.kind() {
        ErrorKind::Panicked => error.with_kind(ErrorKind::ExecutionError),
        _ => error,
    }
    .into()
}

#[cold]
fn unknown_operation(operation: u32) -> RawError {
    Error::new(
        ErrorKind::NodeTypeNotFound,
        format!("the plugin has no operation `{operation}`, or was stopped"),
    )
    .into()
}
