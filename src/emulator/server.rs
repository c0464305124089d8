//! HTTP/1.1 connections on loopback: accepting them, answering each request, ending them.
//!
//! It knows no route: a [`Handler`] answers. A handler may also cut the connection, as a broken network would.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// The body of an answer; an error in it cuts the connection.
pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;
/// An answer.
pub(crate) type Answer = Response<Body>;

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("connection cut on purpose")]
pub(crate) struct Cut;

/// What answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers `request`, or cuts the connection.
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Answer, Cut>> + Send;
}

/// An empty body.
pub(crate) fn empty() -> Body {
    Empty::new()
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// A body of `bytes`.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// Listens on 127.0.0.1 at `port`, or at any free one for 0.
///
/// # Errors
/// What the system says, as when the port is taken.
pub(crate) async fn bind(port: u16) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves `listener` until `stop` turns true; then every connection ends.
pub(crate) fn serve<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    mut stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        // Without it small answers wait for the client's delayed acknowledgement.
                        drop(stream.set_nodelay(true));
                        connections.spawn(connection(stream, Arc::clone(&handler)));
                    }
                    // Out of descriptors, or a client gone already: others can still be served.
                    Err(_) => tokio::task::yield_now().await,
                },
                Some(_) = connections.join_next() => {}
                () = stopped(&mut stop) => break,
            }
        }
        connections.shutdown().await;
    })
}

async fn connection<H: Handler>(stream: tokio::net::TcpStream, handler: Arc<H>) {
    let service = service_fn(move |request| Arc::clone(&handler).answer(request));
    // An error here is a client that went away, or a cut: nobody is left to tell.
    drop(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

/// Waits until `stop` is true, or nobody is left who could say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
