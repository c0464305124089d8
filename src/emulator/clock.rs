//! The clock of one service: the machine's, ahead of it by what the caller advanced, or standing still; and who sleeps on it.
//!
//! Time itself comes through `crate::clock`. What happens on the network and in processes takes real time; everything that the
//! service does by itself, as booting nodes, sleeps here, so that a caller can have an hour at once.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Notify;

use super::work::{Tracked, Works};

/// The clock of one service.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    inner: Mutex<Inner>,
    works: Arc<Works>,
    /// Held by the one that advances.
    advancing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Inner {
    /// How far ahead of the machine's clock it is.
    ahead: time::Duration,
    /// The time at which it stands still.
    frozen: Option<OffsetDateTime>,
    skew: time::Duration,
    /// Who sleeps, by the time to wake and the order in which they went to sleep.
    sleepers: BTreeMap<(OffsetDateTime, u64), Arc<Notify>>,
    counter: u64,
}

impl Inner {
    fn now(&self) -> OffsetDateTime {
        self.frozen
            .unwrap_or_else(|| crate::clock::now() + self.ahead)
    }

    /// Moves the clock forward to `time`, never back.
    fn move_to(&mut self, time: OffsetDateTime) {
        match &mut self.frozen {
            Some(frozen) => *frozen = time.max(*frozen),
            None => self.ahead = (time - crate::clock::now()).max(self.ahead),
        }
    }
}

/// Somebody who sleeps; waking up or giving up, they leave the list.
struct Sleeper<'a> {
    clock: &'a Clock,
    key: (OffsetDateTime, u64),
    bell: Arc<Notify>,
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.clock.lock().sleepers.remove(&self.key);
    }
}

impl Clock {
    /// The machine's clock, or one that stands still at the present time.
    pub(crate) fn start(is_frozen: bool) -> Self {
        let clock = Self::default();
        clock.set_frozen(is_frozen);
        clock
    }

    /// The time of everything that the service keeps.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.lock().now()
    }

    /// The time with which the dates of requests are compared, and which answers tell: the machine's, wrong by the skew.
    pub(crate) fn dated(&self) -> OffsetDateTime {
        crate::clock::now() + self.skew()
    }

    /// The time at which a SAS is judged.
    pub(crate) fn judging(&self) -> OffsetDateTime {
        let inner = self.lock();
        inner.now() + inner.skew
    }

    /// How wrong the dates of answers are.
    pub(crate) fn skew(&self) -> time::Duration {
        self.lock().skew
    }

    /// Sets how wrong they are, in seconds.
    pub(crate) fn set_skew(&self, seconds: i64) {
        self.lock().skew = time::Duration::seconds(seconds);
    }

    /// Whether it stands still.
    pub(crate) fn is_frozen(&self) -> bool {
        self.lock().frozen.is_some()
    }

    /// Lets it stand still, or go on from where it stands.
    pub(crate) fn set_frozen(&self, is_frozen: bool) {
        let mut inner = self.lock();
        let now = inner.now();
        inner.frozen = is_frozen.then_some(now);
        inner.ahead = now - crate::clock::now();
        // How long they have to wait has changed.
        inner.sleepers.values().for_each(|bell| bell.notify_one());
    }

    /// Waits until the clock shows `duration` more than now; for ever if it never will.
    pub(crate) async fn sleep(&self, duration: Duration) {
        let deadline = time::Duration::try_from(duration)
            .ok()
            .and_then(|duration| self.now().checked_add(duration));
        match deadline {
            Some(deadline) => self.sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }

    /// Waits until the clock shows `deadline`.
    pub(crate) async fn sleep_until(&self, deadline: OffsetDateTime) {
        while let Some((sleeper, left)) = self.lie_down(deadline) {
            match left {
                None => sleeper.bell.notified().await,
                Some(left) => tokio::select! {
                    () = sleeper.bell.notified() => {}
                    () = crate::clock::sleep(left) => {}
                },
            }
        }
    }

    /// Enters the list, with the real time that is left unless the clock stands still; `None` if it is time.
    fn lie_down(&self, deadline: OffsetDateTime) -> Option<(Sleeper<'_>, Option<Duration>)> {
        let mut inner = self.lock();
        let left = Duration::try_from(deadline - inner.now())
            .ok()
            .filter(|left| !left.is_zero())?;
        inner.counter += 1;
        let (key, bell) = ((deadline, inner.counter), Arc::new(Notify::new()));
        inner.sleepers.insert(key, Arc::clone(&bell));
        let left = inner.frozen.is_none().then_some(left);
        drop(inner);
        Some((
            Sleeper {
                clock: self,
                key,
                bell,
            },
            left,
        ))
    }

    /// Moves the clock forward by `duration`, from one sleeper's time to the next; each has done what it does, up to its next
    /// wait, before the clock goes on. What then waits for the network or a process is not waited for.
    pub(crate) async fn advance(&self, duration: Duration) {
        let _alone = self.advancing.lock().await;
        self.works.idle().await;
        let target = time::Duration::try_from(duration)
            .ok()
            .and_then(|duration| self.now().checked_add(duration));
        let Some(target) = target else { return };
        loop {
            self.works.idle().await;
            if !self.wake_next(target) {
                return;
            }
        }
    }

    /// Moves to the time of the next sleeper up to `target` and wakes it; else moves to `target`.
    fn wake_next(&self, target: OffsetDateTime) -> bool {
        let mut inner = self.lock();
        let next = inner
            .sleepers
            .first_key_value()
            .map(|(key, _)| *key)
            .filter(|(deadline, _)| *deadline <= target);
        inner.move_to(next.map_or(target, |(deadline, _)| deadline));
        if next.is_none() && inner.frozen.is_none() {
            // The others have less real time to wait than they thought.
            inner.sleepers.values().for_each(|bell| bell.notify_one());
        }
        let bell = next.and_then(|key| inner.sleepers.remove(&key));
        drop(inner);
        bell.map(|bell| bell.notify_one()).is_some()
    }

    /// `work`, of which [`advance`](Self::advance) knows whether it has something to do.
    pub(crate) fn track<F: Future<Output = ()> + Send + 'static>(&self, work: F) -> Tracked {
        Tracked::new(&self.works, work)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sleeps twice for each of `spans` seconds and notes when it woke, in seconds from the start.
    async fn sleepers(spans: &'static [i64], advance: u64) -> Vec<(i64, i64)> {
        let clock = Arc::new(Clock::start(true));
        let start = clock.now();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut set = tokio::task::JoinSet::new();
        for span in spans {
            let (own, log) = (Arc::clone(&clock), Arc::clone(&log));
            set.spawn(clock.track(async move {
                for _ in 0..2 {
                    own.sleep(Duration::from_secs(span.unsigned_abs())).await;
                    let woke = (own.now() - start).whole_seconds();
                    log.lock().expect("log").push((*span, woke));
                }
            }));
        }
        clock.advance(Duration::from_secs(advance)).await;
        assert_eq!(
            clock.now() - start,
            time::Duration::seconds(advance.cast_signed())
        );
        log.lock().expect("log").clone()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn sleepers_wake_in_order_at_their_own_times() {
        let log = sleepers(&[30, 10, 25], 55).await;
        assert_eq!(log, [(10, 10), (10, 20), (25, 25), (30, 30), (25, 50)]);
    }

    #[tokio::test]
    async fn a_clock_that_stands_still_wakes_nobody() {
        assert_eq!(sleepers(&[1], 0).await, []);
    }

    #[tokio::test]
    async fn an_hour_passes_at_once_and_time_goes_on_from_there() {
        let clock = Arc::new(Clock::start(false));
        let (before, own) = (clock.now(), Arc::clone(&clock));
        let sleeper =
            tokio::spawn(clock.track(async move { own.sleep(Duration::from_secs(3600)).await }));
        clock.advance(Duration::from_secs(3700)).await;
        sleeper.await.expect("woken");
        assert!(clock.now() - before >= time::Duration::seconds(3700));
        assert!(clock.dated() - before < time::Duration::seconds(3000));
    }
}
