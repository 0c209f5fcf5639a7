//! What carries bytes, and stops where nobody waits for them any more.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use floe_plugin_api::CallWatch;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time,
};

/// How long is waited for a server at a time, between looks at whether anybody waits for us.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// Nobody waits for the call any more.
#[derive(Debug)]
pub(crate) struct Stopped;

impl Stopped {
    pub(crate) fn check(watch: &CallWatch) -> Result<(), ureq::Error> {
        match watch.checkpoint() {
            Ok(()) => Ok(()),
            Err(_) => Err(ureq::Error::Other(Box::new(Self))),
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody waits for the call any more")
    }
}

impl std::error::Error for Stopped {}

/// Makes connections that stop.
#[derive(Debug)]
pub(crate) struct Watching(pub(crate) CallWatch);

impl<In: Transport> Connector<In> for Watching {
    type Out = Watched<In>;

    fn connect(
        &self,
        _details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        Stopped::check(&self.0)?;
        Ok(chained.map(|inner| Watched {
            inner,
            watch: self.0.clone(),
        }))
    }
}

/// A connection that stops.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    inner: T,
    watch: CallWatch,
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        Stopped::check(&self.watch)?;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let begun = Instant::now();
        loop {
            Stopped::check(&self.watch)?;
            let left = timeout.after.saturating_sub(begun.elapsed());
            let slice = NextTimeout {
                after: time::Duration::Exact(left.min(SLICE)),
                ..timeout
            };
            match self.inner.await_input(slice) {
                // Nothing was read: what comes later is read by the next look.
                Err(ureq::Error::Timeout(_)) if left > SLICE => {}
                done => return done,
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Notes that a connection was made, the last step of which may be TLS's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connected(Arc<AtomicBool>);

impl Connected {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl<In: Transport> Connector<In> for Connected {
    type Out = In;

    fn connect(
        &self,
        _details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<In>, ureq::Error> {
        self.0.store(chained.is_some(), Ordering::Release);
        Ok(chained)
    }
}
