//! Names into addresses that were checked. What is given here is what is connected to: there is no second
//! look-up, which could give another address.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Instant;

use floe_plugin_api::CallWatch;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::connection::{SLICE, Stopped};
use crate::policy::{self, Policy};

/// The most addresses of a host that are tried; the connector takes no more.
const MAX_ADDRESSES: usize = 16;

/// Looks up a host's addresses.
pub(crate) type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// As the system does.
pub(crate) fn system() -> Lookup {
    Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
}

/// Looks up and checks.
pub(crate) struct Checked {
    pub(crate) policy: Policy,
    pub(crate) lookup: Lookup,
    pub(crate) watch: CallWatch,
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked").finish_non_exhaustive()
    }
}

impl Resolver for Checked {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let refused = |refusal| ureq::Error::Other(Box::new(refusal));
        self.policy.host(uri).map_err(refused)?;
        let found = self.addresses(uri, timeout)?;
        let mut addresses = self.empty();
        for address in found.into_iter().take(MAX_ADDRESSES) {
            // One that is refused refuses all: who mixes them is up to something.
            self.policy.address(uri, address).map_err(refused)?;
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        Ok(addresses)
    }
}

impl Checked {
    fn addresses(&self, uri: &Uri, timeout: NextTimeout) -> Result<Vec<SocketAddr>, ureq::Error> {
        let (host, port) = (policy::host(uri), policy::port(uri));
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        // A thread, as a look-up can be neither bounded nor ended; one that nobody waits for ends by itself.
        let (sender, receiver) = sync_channel(1);
        let lookup = Arc::clone(&self.lookup);
        std::thread::Builder::new()
            .name("floe-http-lookup".to_owned())
            .spawn(move || sender.send(lookup(&host, port)))?;
        let begun = Instant::now();
        loop {
            let left = timeout.after.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(ureq::Error::Timeout(timeout.reason));
            }
            match receiver.recv_timeout(left.min(SLICE)) {
                Ok(found) => return found.map_err(|_| ureq::Error::HostNotFound),
                Err(RecvTimeoutError::Timeout) => Stopped::check(&self.watch)?,
                Err(RecvTimeoutError::Disconnected) => return Err(ureq::Error::HostNotFound),
            }
        }
    }
}
