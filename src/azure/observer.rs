//! Who is told of every try of a request: for a log, or to say that the service throttles.
//!
//! It decides nothing and sees no secret: URLs have no query.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;

/// One try of a request, when it has ended.
#[derive(Clone, Debug)]
pub struct Tried<'a> {
    /// What is being done, as in "create pool `p`".
    pub operation: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The URL without its query.
    pub url: &'a str,
    /// Which try it was, from 1.
    pub attempt: u32,
    /// The status, if an answer came.
    pub status: Option<u16>,
    /// What went wrong; nothing for a success.
    pub trouble: Option<&'a str>,
    /// How long this try took.
    pub elapsed: Duration,
    /// When there is another try.
    pub next_in: Option<Duration>,
}

/// Somebody who is told.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&Tried<'_>) + Send + Sync>);

impl Observer {
    /// `tell` is called at the end of each try, from any thread; it should be quick.
    pub fn new(tell: impl Fn(&Tried<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn tell(&self, tried: &Tried<'_>) {
        (self.0)(tried);
    }
}

impl Default for Observer {
    /// Nobody.
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)?;
        if let Some(status) = self.status {
            write!(f, " {status}")?;
        }
        if let Some(trouble) = self.trouble {
            write!(f, " {trouble}")?;
        }
        write!(f, " ({} ms", self.elapsed.as_millis())?;
        if self.attempt > 1 {
            write!(f, ", try {}", self.attempt)?;
        }
        if let Some(next_in) = self.next_in {
            write!(f, ", again in {} ms", next_in.as_millis())?;
        }
        f.write_str(")")
    }
}
