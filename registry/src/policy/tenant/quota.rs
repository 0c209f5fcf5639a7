//! How many calls at once, and how many in a second.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as Pace, RateLimiter};

use super::denial::Denial;
use super::settings::TenantRules;

/// The limits of a tenant's calls, with what was used of them.
#[derive(Debug)]
pub(super) struct Quota {
    in_flight: InFlight,
    rate: Option<Arc<Rate>>,
}

#[derive(Debug)]
struct InFlight {
    limit: Option<usize>,
    /// Counted whether that is limited or not: it may be from one moment to the next. Shared with the same tenant's quota before and after a change of the settings, and with every call
    /// that is under way.
    calls: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Rate {
    per_second: NonZeroU32,
    burst: NonZeroU32,
    limiter: RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>,
}

/// The time since a quota was made. One read of the system's clock, and nothing that has to be kept up.
#[derive(Clone, Debug)]
struct Ticks {
    began: Instant,
    #[cfg(test)]
    set: Option<Arc<std::sync::atomic::AtomicU64>>,
}

impl Ticks {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            #[cfg(test)]
            set: None,
        }
    }
}

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        #[cfg(test)]
        if let Some(set) = &self.set {
            return Duration::from_millis(set.load(Ordering::Relaxed));
        }
        self.began.elapsed()
    }
}

/// A call that is counted as under way until this is dropped, also by a panic.
#[derive(Debug)]
#[must_use = "the call is under way as long as this lives"]
pub(crate) struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl Quota {
    /// The quota of these rules. It goes on from what a previous one has counted: the calls that are under
    /// way always, those of the last second where the limits of that are the same.
    pub(super) fn new(rules: &TenantRules, previous: Option<&Self>) -> Self {
        let in_flight = InFlight {
            limit: rules.max_in_flight.map(NonZeroUsize::get),
            calls: previous.map_or_else(Arc::default, |previous| {
                Arc::clone(&previous.in_flight.calls)
            }),
        };
        let rate = rules.calls_per_second.map(|per_second| {
            let burst = rules.burst.unwrap_or(per_second);
            let before = previous.and_then(|previous| previous.rate.as_ref());
            match before.filter(|rate| rate.per_second == per_second && rate.burst == burst) {
                Some(before) => Arc::clone(before),
                None => Arc::new(Rate::new(per_second, burst, Ticks::new())),
            }
        });
        Self { in_flight, rate }
    }

    /// How many calls are under way.
    pub(super) fn under_way(&self) -> usize {
        self.in_flight.calls.load(Ordering::Acquire)
    }

    /// Lets a call in.
    ///
    /// The calls under way are asked first: a place among them can be given back, and is where the rate
    /// refuses, while what the rate has counted stays counted. So no refused call uses up anything.
    pub(super) fn enter(&self, tenant: &Arc<str>) -> Result<Inside, Denial> {
        let inside = self.in_flight.enter(tenant)?;
        if let Some(rate) = &self.rate {
            rate.enter(tenant)?;
        }
        Ok(inside)
    }
}

impl InFlight {
    fn enter(&self, tenant: &Arc<str>) -> Result<Inside, Denial> {
        let limit = self.limit.unwrap_or(usize::MAX);
        let one_more = |calls: usize| (calls < limit).then_some(calls + 1);
        // Never above the limit, not even for a moment: one that is refused must not make another so.
        self.calls
            .try_update(Ordering::Acquire, Ordering::Relaxed, one_more)
            .map(|_| Inside(Arc::clone(&self.calls)))
            .map_err(|_| Denial::InFlight {
                tenant: Arc::clone(tenant),
                limit,
            })
    }
}

impl Rate {
    fn new(per_second: NonZeroU32, burst: NonZeroU32, clock: Ticks) -> Self {
        let pace = Pace::per_second(per_second).allow_burst(burst);
        Self {
            per_second,
            burst,
            limiter: RateLimiter::direct_with_clock(pace, clock),
        }
    }

    fn enter(&self, tenant: &Arc<str>) -> Result<(), Denial> {
        self.limiter.check().map_err(|until| Denial::Rate {
            tenant: Arc::clone(tenant),
            limit: self.per_second.get(),
            retry_after: until.wait_time_from(self.limiter.clock().now()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use floe_plugin_api::ErrorKind;

    use super::*;

    fn acme() -> Arc<str> {
        "acme".into()
    }

    /// A quota with a clock, in milliseconds, that a test moves.
    fn timed(rules: &TenantRules) -> (Quota, Arc<AtomicU64>) {
        let clock = Arc::new(AtomicU64::new(0));
        let ticks = Ticks {
            set: Some(Arc::clone(&clock)),
            ..Ticks::new()
        };
        let per_second = rules.calls_per_second.unwrap();
        let rate = Rate::new(per_second, rules.burst.unwrap_or(per_second), ticks);
        let quota = Quota {
            rate: Some(Arc::new(rate)),
            ..Quota::new(rules, None)
        };
        (quota, clock)
    }

    #[test]
    fn nothing_is_limited_where_nothing_is_set() {
        let quota = Quota::new(&TenantRules::default(), None);
        let calls: Vec<_> = (0..1000).map(|_| quota.enter(&acme()).unwrap()).collect();
        assert_eq!((calls.len(), quota.under_way()), (1000, 1000));
    }

    #[test]
    fn so_many_calls_in_a_second() {
        let (quota, clock) = timed(&TenantRules::default().calls_per_second(10).burst(2));
        for _ in 0..2 {
            let _inside = quota.enter(&acme()).unwrap();
        }
        let denial = quota.enter(&acme()).unwrap_err();
        assert_eq!(denial.kind(), ErrorKind::ResourceExhausted);
        assert_eq!(denial.retry_after(), Some(Duration::from_millis(100)));
        assert_eq!(denial.decision(), "denied: `calls_per_second`");
        assert_eq!(
            denial.to_string(),
            "tenant `acme` called more often than its `10` `calls_per_second`; call again in `100ms`"
        );
        clock.store(60, Ordering::Relaxed);
        let denial = quota.enter(&acme()).unwrap_err();
        assert_eq!(denial.retry_after(), Some(Duration::from_millis(40)));
        clock.store(100, Ordering::Relaxed);
        let _inside = quota.enter(&acme()).unwrap();
        assert!(quota.enter(&acme()).is_err());
    }

    #[test]
    fn a_burst_is_as_many_as_in_a_second() {
        let (quota, _clock) = timed(&TenantRules::default().calls_per_second(5));
        let let_in = (0..10).filter(|_| quota.enter(&acme()).is_ok()).count();
        assert_eq!(let_in, 5);
    }

    #[test]
    fn a_refused_call_uses_up_nothing() {
        let rules = TenantRules::default().calls_per_second(3).max_in_flight(1);
        let (quota, clock) = timed(&rules);
        let inside = quota.enter(&acme()).unwrap();
        for _ in 0..10 {
            let denial = quota.enter(&acme()).unwrap_err();
            assert_eq!(denial.decision(), "denied: `max_in_flight`");
            assert_eq!(denial.retry_after(), None);
        }
        drop(inside);
        drop(quota.enter(&acme()).unwrap());
        drop(quota.enter(&acme()).unwrap());
        let denial = quota.enter(&acme()).unwrap_err();
        assert_eq!(denial.decision(), "denied: `calls_per_second`");
        assert_eq!(quota.under_way(), 0);
        clock.store(1000, Ordering::Relaxed);
        drop(quota.enter(&acme()).unwrap());
    }

    #[test]
    fn never_more_at_once_whatever_the_threads_do() {
        let quota = Quota::new(&TenantRules::default().max_in_flight(3), None);
        let most = AtomicUsize::new(0);
        let inside_now = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let Ok(_inside) = quota.enter(&acme()) else {
                            continue;
                        };
                        let now = inside_now.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        inside_now.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.into_inner()));
        assert_eq!(quota.under_way(), 0);
    }

    #[test]
    fn a_panic_ends_a_call() {
        let quota = Quota::new(&TenantRules::default().max_in_flight(1), None);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _inside = quota.enter(&acme()).unwrap();
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(panicked.is_err());
        assert_eq!(quota.under_way(), 0);
    }

    #[test]
    fn new_settings_count_on() {
        let rules = TenantRules::default().max_in_flight(2).calls_per_second(2);
        let (first, _clock) = timed(&rules);
        let inside = [first.enter(&acme()).unwrap(), first.enter(&acme()).unwrap()];
        let same = Quota::new(&rules, Some(&first));
        drop(first);
        assert_eq!(same.under_way(), 2);
        let more = Quota::new(&rules.clone().max_in_flight(3), Some(&same));
        assert_eq!(more.under_way(), 2);
        // The rate is used up, and that was carried over.
        let denial = more.enter(&acme()).unwrap_err();
        assert_eq!(denial.decision(), "denied: `calls_per_second`");
        assert_eq!(more.under_way(), 2);
        let faster = Quota::new(&rules.max_in_flight(3).calls_per_second(3), Some(&more));
        let _third = faster.enter(&acme()).unwrap();
        drop(inside);
        assert_eq!(faster.under_way(), 1);
    }
}
