//! What happens beside the requests, counted: whether any of it has something to do now.
//!
//! It starts nothing; `batch` does.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;

/// How many works have something to do: they were started or woken, and have not come to their next wait.
#[derive(Debug, Default)]
pub(crate) struct Works {
    busy: AtomicUsize,
    idle: Notify,
}

impl Works {
    /// Waits until none has anything to do.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if self.busy.load(Ordering::SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }

    fn begin(&self) {
        self.busy.fetch_add(1, Ordering::SeqCst);
    }

    fn end(&self) {
        if self.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.idle.notify_waiters();
        }
    }
}

/// A work whose waking is counted.
pub(crate) struct Tracked {
    work: Pin<Box<dyn Future<Output = ()> + Send>>,
    bell: Arc<Bell>,
}

impl std::fmt::Debug for Tracked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tracked")
    }
}

/// Counts that the work was woken, then wakes it.
#[derive(Debug)]
struct Bell {
    works: Arc<Works>,
    state: Mutex<BellState>,
}

#[derive(Debug, Default)]
struct BellState {
    /// Rung, and not polled since.
    has_rung: bool,
    /// The work is gone: a late ring says nothing.
    is_over: bool,
    outer: Option<Waker>,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, BellState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, state: &mut BellState) {
        if !state.has_rung && !state.is_over {
            state.has_rung = true;
            self.works.begin();
        }
    }

    fn quiet(&self, state: &mut BellState) {
        if std::mem::take(&mut state.has_rung) {
            self.works.end();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.lock();
        self.ring(&mut state);
        let outer = state.outer.clone();
        drop(state);
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

/// One poll, which is something to do whoever asked for it.
struct Turn<'a>(&'a Works);

impl<'a> Turn<'a> {
    fn begin(works: &'a Works) -> Self {
        works.begin();
        Self(works)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Tracked {
    /// `work`, which has something to do from now on.
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(
        works: &Arc<Works>,
        work: F,
    ) -> Self {
        let bell = Bell {
            works: Arc::clone(works),
            state: Mutex::default(),
        };
        bell.ring(&mut bell.lock());
        Self {
            work: Box::pin(work),
            bell: Arc::new(bell),
        }
    }
}

impl Future for Tracked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let bell = Arc::clone(&self.bell);
        let _turn = Turn::begin(&bell.works);
        {
            let mut state = bell.lock();
            state.outer = Some(context.waker().clone());
            bell.quiet(&mut state);
        }
        let waker = Waker::from(Arc::clone(&bell));
        self.work.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let mut state = self.bell.lock();
        state.is_over = true;
        self.bell.quiet(&mut state);
    }
}
