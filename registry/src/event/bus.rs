//! A bounded broadcast: who tells waits for nobody, and who listens too slowly is told what it missed.
//!
//! All listeners share one ring and each remembers how far it has read. So an event is kept once
//! whatever the number of listeners, and to publish one costs the same. That wakes one sleeper at
//! most; the others are queued on the lock and woken as each lets go of it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// Where events are published. Closed when it is dropped.
pub(crate) struct Bus<E> {
    shared: Arc<Shared<E>>,
}

struct Shared<E> {
    ring: Mutex<Ring<E>>,
    /// There is something new in the ring, or there never will be.
    news: Condvar,
    /// How many subscriptions there are, to be read without the lock. Written under it alone.
    listeners: AtomicUsize,
    capacity: usize,
}

struct Ring<E> {
    /// The newest events, one after another.
    events: VecDeque<Arc<E>>,
    /// The number of the next event.
    next: u64,
    is_closed: bool,
}

impl<E> Ring<E> {
    /// The number of the oldest event that is there, or of the next where none is.
    fn oldest(&self) -> u64 {
        self.next - self.events.len() as u64
    }
}

impl<E> Bus<E> {
    /// A bus that keeps this many events for listeners that lag; one at the least.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                ring: Mutex::new(Ring {
                    events: VecDeque::new(),
                    next: 1,
                    is_closed: false,
                }),
                news: Condvar::new(),
                listeners: AtomicUsize::new(0),
                capacity: capacity.max(1),
            }),
        }
    }

    /// Tells every listener. Where there is none, the event is not even made.
    #[inline]
    pub(crate) fn publish_with(&self, event: impl FnOnce() -> E) {
        // Relaxed: who must not miss the event has synchronized with this thread after subscribing.
        if self.shared.listeners.load(Ordering::Relaxed) > 0 {
            self.shared.publish(event());
        }
    }

    /// Listens from now on: what is published after this is received.
    pub(crate) fn subscribe(&self) -> Subscription<E> {
        let ring = self.shared.ring.lock();
        self.shared.listeners.fetch_add(1, Ordering::Relaxed);
        Subscription {
            next: ring.next,
            shared: Arc::clone(&self.shared),
        }
    }

    /// Ends it. Listeners read what is there and then receive nothing more; nothing can be published.
    pub(crate) fn close(&self) {
        self.shared.ring.lock().is_closed = true;
        self.shared.news.notify_all();
    }
}

impl<E> Shared<E> {
    #[cold]
    fn publish(&self, event: E) {
        let event = Arc::new(event);
        let mut ring = self.ring.lock();
        if ring.is_closed || self.listeners.load(Ordering::Relaxed) == 0 {
            return;
        }
        let full = ring.events.len() == self.capacity;
        let oldest = if full { ring.events.pop_front() } else { None };
        ring.events.push_back(event);
        ring.next += 1;
        drop(ring);
        self.news.notify_all();
        // Dropping an event may run anybody's code, so it is not done under the lock.
        drop(oldest);
    }
}

impl<E> Drop for Bus<E> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<E> fmt::Debug for Bus<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").finish_non_exhaustive()
    }
}

/// What a listener receives.
pub enum Received<E> {
    /// An event, and its number. Numbers rise by one from event to event.
    Event(u64, Arc<E>),
    /// The listener was too slow for this many events, which are gone. The oldest that is still
    /// there comes next.
    Missed(u64),
}

impl<E> Clone for Received<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Event(number, event) => Self::Event(*number, Arc::clone(event)),
            Self::Missed(count) => Self::Missed(*count),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Received<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(number, event) => {
                f.debug_tuple("Event").field(number).field(event).finish()
            }
            Self::Missed(count) => f.debug_tuple("Missed").field(count).finish(),
        }
    }
}

/// One listener's place in the events. It ends when it is dropped.
///
/// A listener holds up nobody: one that falls too far behind is told how many events it
/// [missed](Received::Missed). As an iterator it waits for each event, and ends with the bus.
pub struct Subscription<E> {
    shared: Arc<Shared<E>>,
    /// The number of the event to read next.
    next: u64,
}

impl<E> Subscription<E> {
    /// Waits for the next event. `None` when the bus is closed and all is read.
    pub fn recv(&mut self) -> Option<Received<E>> {
        self.wait_with(|shared, ring| {
            shared.news.wait(ring);
            true
        })
    }

    /// Waits so long for the next event. `None` when none came, or when the bus is closed and all is
    /// read; [`is_over`](Self::is_over) tells which.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Option<Received<E>> {
        // A time too far to be told is for ever.
        let Some(end) = Instant::now().checked_add(timeout) else {
            return self.recv();
        };
        self.wait_with(|shared, ring| !shared.news.wait_until(ring, end).timed_out())
    }

    /// The next event if there is one; waits for none.
    pub fn try_recv(&mut self) -> Option<Received<E>> {
        self.wait_with(|_, _| false)
    }

    /// Whether the bus is closed and all is read, so that nothing will ever be received.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let ring = self.shared.ring.lock();
        ring.is_closed && self.next == ring.next
    }

    /// Reads the next event; while there is none, waits for as long as `wait` says that it did.
    fn wait_with(
        &mut self,
        mut wait: impl FnMut(&Shared<E>, &mut MutexGuard<'_, Ring<E>>) -> bool,
    ) -> Option<Received<E>> {
        let mut ring = self.shared.ring.lock();
        let mut goes_on = true;
        loop {
            if let Some(received) = read(&ring, &mut self.next) {
                return Some(received);
            }
            if ring.is_closed || !goes_on {
                return None;
            }
            goes_on = wait(&self.shared, &mut ring);
        }
    }
}

/// What there is for a listener that reads event number `next` next.
fn read<E>(ring: &Ring<E>, next: &mut u64) -> Option<Received<E>> {
    let oldest = ring.oldest();
    if *next < oldest {
        let missed = oldest - *next;
        *next = oldest;
        return Some(Received::Missed(missed));
    }
    let place = usize::try_from(*next - oldest).ok()?;
    let event = Arc::clone(ring.events.get(place)?);
    let number = *next;
    *next += 1;
    Some(Received::Event(number, event))
}

impl<E> Iterator for Subscription<E> {
    type Item = Received<E>;

    fn next(&mut self) -> Option<Received<E>> {
        self.recv()
    }
}

impl<E> Drop for Subscription<E> {
    fn drop(&mut self) {
        let mut ring = self.shared.ring.lock();
        let was_last = self.shared.listeners.fetch_sub(1, Ordering::Relaxed) == 1;
        let unread = was_last.then(|| std::mem::take(&mut ring.events));
        drop(ring);
        drop(unread);
    }
}

impl<E> fmt::Debug for Subscription<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::thread;

    use super::*;

    /// All that can be read without waiting: `1:a 2:b`, and `-3` for three that were missed.
    fn drain(subscription: &mut Subscription<char>) -> String {
        let mut shown = String::new();
        while let Some(received) = subscription.try_recv() {
            let space = if shown.is_empty() { "" } else { " " };
            match received {
                Received::Event(number, event) => write!(shown, "{space}{number}:{event}"),
                Received::Missed(count) => write!(shown, "{space}-{count}"),
            }
            .unwrap();
        }
        shown
    }

    fn publish(bus: &Bus<char>, events: &str) {
        for event in events.chars() {
            bus.publish_with(|| event);
        }
    }

    #[test]
    fn each_listener_receives_all_in_order_from_its_subscription_on() {
        let bus = Bus::new(8);
        let mut first = bus.subscribe();
        publish(&bus, "ab");
        let mut second = bus.subscribe();
        publish(&bus, "c");
        assert_eq!(drain(&mut first), "1:a 2:b 3:c");
        assert_eq!(drain(&mut second), "3:c");
        assert_eq!(drain(&mut first), "");
        assert!(!first.is_over());
    }

    #[test]
    fn a_slow_listener_is_told_how_many_it_missed() {
        let bus = Bus::new(3);
        let mut slow = bus.subscribe();
        let mut quick = bus.subscribe();
        publish(&bus, "abc");
        assert_eq!(drain(&mut quick), "1:a 2:b 3:c");
        publish(&bus, "de");
        assert_eq!(drain(&mut quick), "4:d 5:e");
        assert_eq!(drain(&mut slow), "-2 3:c 4:d 5:e");
        // It is overtaken between being told and going on, and is told again.
        publish(&bus, "fghi");
        assert!(matches!(slow.try_recv(), Some(Received::Missed(1))));
        publish(&bus, "jk");
        assert_eq!(drain(&mut slow), "-2 9:i 10:j 11:k");
    }

    #[test]
    fn a_bus_keeps_one_event_at_least() {
        let bus = Bus::new(0);
        let mut listener = bus.subscribe();
        publish(&bus, "ab");
        assert_eq!(drain(&mut listener), "-1 2:b");
    }

    #[test]
    fn without_listeners_no_event_is_made() {
        let bus = Bus::<char>::new(8);
        bus.publish_with(|| unreachable!("nobody listens"));
        drop(bus.subscribe());
        bus.publish_with(|| unreachable!("nobody listens any more"));
        let mut listener = bus.subscribe();
        publish(&bus, "a");
        assert_eq!(drain(&mut listener), "1:a");
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let bus = Bus::new(8);
        let event = Arc::new(());
        let (first, second) = (bus.subscribe(), bus.subscribe());
        bus.publish_with(|| Arc::clone(&event));
        drop(first);
        assert_eq!(Arc::strong_count(&event), 2);
        drop(second);
        assert_eq!(Arc::strong_count(&event), 1);
        assert_eq!(bus.shared.ring.lock().events.capacity(), 0);
    }

    #[test]
    fn an_event_wakes_every_listener_that_waits() {
        let bus = Bus::new(64);
        let listeners: Vec<_> = (0..4).map(|_| bus.subscribe()).collect();
        thread::scope(|scope| {
            let listeners: Vec<_> = listeners
                .into_iter()
                .map(|listener| scope.spawn(|| listener.take(20).map(shown).collect::<Vec<_>>()))
                .collect();
            for number in 1..=20u64 {
                bus.publish_with(|| number);
            }
            let expected: Vec<_> = (1..=20).map(|number| (number, number)).collect();
            for listener in listeners {
                assert_eq!(listener.join().unwrap(), expected);
            }
        });
    }

    fn shown(received: Received<u64>) -> (u64, u64) {
        match received {
            Received::Event(number, event) => (number, *event),
            Received::Missed(count) => panic!("{count} were missed"),
        }
    }

    #[test]
    fn the_end_of_the_bus_ends_every_wait() {
        let bus = Bus::new(8);
        let mut listeners: Vec<_> = (0..4).map(|_| bus.subscribe()).collect();
        let mut late = bus.subscribe();
        publish(&bus, "a");
        thread::scope(|scope| {
            let waits = listeners
                .iter_mut()
                .map(|listener| scope.spawn(|| listener.count()))
                .collect::<Vec<_>>();
            drop(bus);
            for wait in waits {
                assert_eq!(wait.join().unwrap(), 1);
            }
        });
        // What was there before the end is read after it.
        assert!(!late.is_over());
        assert_eq!(drain(&mut late), "1:a");
        assert!(late.is_over());
        assert!(late.recv_timeout(Duration::MAX).is_none());
    }

    #[test]
    fn a_closed_bus_takes_nothing_more() {
        let bus = Bus::new(8);
        let mut listener = bus.subscribe();
        bus.close();
        publish(&bus, "a");
        assert!(listener.recv().is_none());
        assert!(bus.subscribe().recv().is_none());
    }

    #[test]
    fn a_wait_with_an_end_ends() {
        let bus = Bus::new(8);
        let mut listener = bus.subscribe();
        assert!(listener.recv_timeout(Duration::ZERO).is_none());
        assert!(!listener.is_over());
        publish(&bus, "a");
        let received = listener.recv_timeout(Duration::MAX);
        assert!(matches!(received, Some(Received::Event(1, event)) if *event == 'a'));
    }

    #[test]
    fn numbers_and_gaps_add_up_under_load() {
        const EVENTS: u64 = 20_000;
        let bus = Bus::new(4);
        let listeners: Vec<_> = (0..3).map(|_| bus.subscribe()).collect();
        thread::scope(|scope| {
            for listener in listeners {
                scope.spawn(move || {
                    let mut next = 1;
                    for received in listener {
                        match received {
                            Received::Event(number, event) => {
                                assert_eq!((number, *event), (next, next));
                                next += 1;
                            }
                            Received::Missed(count) => next += count,
                        }
                    }
                    assert_eq!(next, EVENTS + 1);
                });
            }
            for number in 1..=EVENTS {
                bus.publish_with(|| number);
            }
            drop(bus);
        });
    }
}
