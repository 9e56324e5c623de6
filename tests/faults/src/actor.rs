//! One invocation of a function: it may be frozen, killed when its time is up, or crash. What crashes is left as it stands: no
//! destructor runs, as in a Lambda that is killed.

use std::any::Any;
use std::cell::RefCell;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

thread_local! {
    static CURRENT: RefCell<Option<Arc<Actor>>> = const { RefCell::new(None) };
}

/// An invocation under way.
#[derive(Debug)]
pub struct Actor {
    /// Counts up over a run.
    pub number: usize,
    /// What it does, for the trace.
    pub name: String,
    deadline: Instant,
    crashed: AtomicBool,
    over: AtomicBool,
    skew_secs: AtomicI64,
    frozen_until: Mutex<Option<Instant>>,
}

impl Actor {
    /// An invocation that ends after `limit`.
    pub fn new(number: usize, name: String, limit: Duration) -> Arc<Self> {
        Arc::new(Self {
            number,
            name,
            deadline: Instant::now() + limit,
            crashed: AtomicBool::new(false),
            over: AtomicBool::new(false),
            skew_secs: AtomicI64::new(0),
            frozen_until: Mutex::new(None),
        })
    }

    /// The invocation that is being polled at this moment.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// It never runs again.
    pub fn crash(&self) {
        self.crashed.store(true, Ordering::Relaxed);
    }

    /// It stands still for so long.
    pub fn freeze(&self, time: Duration) {
        *self.frozen() = Some(Instant::now() + time);
    }

    /// Its clock jumps.
    pub fn skew(&self, secs: i64) {
        self.skew_secs.store(secs, Ordering::Relaxed);
    }

    /// How far its clock is ahead.
    pub fn skew_secs(&self) -> i64 {
        self.skew_secs.load(Ordering::Relaxed)
    }

    /// Whether it may still do something.
    pub fn is_alive(&self) -> bool {
        !self.over.load(Ordering::Relaxed) && !self.is_dead()
    }

    fn is_dead(&self) -> bool {
        self.crashed.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }

    fn frozen(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.frozen_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where killed invocations lie until the run is judged.
pub type Morgue = Arc<Mutex<Vec<Box<dyn Any>>>>;

/// How an invocation ended.
#[derive(Debug)]
pub enum End<T> {
    /// It answered.
    Done(T),
    /// It crashed, or its time ran out.
    Killed,
}

/// An invocation as a future.
pub struct Invocation<F: Future + 'static> {
    actor: Arc<Actor>,
    work: Option<Pin<Box<F>>>,
    alarm: Pin<Box<Sleep>>,
    morgue: Morgue,
}

impl<F: Future + 'static> Invocation<F> {
    /// `work` as `actor`.
    pub fn new(actor: Arc<Actor>, morgue: Morgue, work: F) -> Self {
        let alarm = Box::pin(tokio::time::sleep_until(actor.deadline));
        Self { actor, work: Some(Box::pin(work)), alarm, morgue }
    }

    fn bury(&mut self) -> Poll<End<F::Output>> {
        if let Some(work) = self.work.take() {
            self.morgue.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(work));
        }
        Poll::Ready(End::Killed)
    }

    fn wait_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<End<F::Output>> {
        self.alarm.as_mut().reset(at.min(self.actor.deadline));
        if self.alarm.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<F: Future + 'static> Future for Invocation<F> {
    type Output = End<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.actor.is_dead() {
            return self.bury();
        }
        let frozen = *self.actor.frozen();
        if let Some(until) = frozen.filter(|until| Instant::now() < *until) {
            return self.wait_until(until, cx);
        }
        *self.actor.frozen() = None;
        let outer = CURRENT.replace(Some(self.actor.clone()));
        let Some(work) = self.work.as_mut() else { return Poll::Ready(End::Killed) };
        let polled = work.as_mut().poll(cx);
        CURRENT.set(outer);
        if self.actor.is_dead() {
            return self.bury();
        }
        match polled {
            Poll::Ready(output) => {
                self.actor.over.store(true, Ordering::Relaxed);
                Poll::Ready(End::Done(output))
            }
            Poll::Pending => {
                let until = self.actor.frozen().unwrap_or(self.actor.deadline);
                self.wait_until(until, cx)
            }
        }
    }
}
