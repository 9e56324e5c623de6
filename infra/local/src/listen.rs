//! Where the service listens: loopback alone, by both of its addresses.

use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, bail};
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How many free ports are tried until one is free on both addresses.
const TRIES_MAX: usize = 20;

/// Binds `port` on 127.0.0.1 and, where the machine has it, on `[::1]`; 0 takes a free one. Returns the port, too.
///
/// Browsers may ask for localhost over IPv6 first, so a stranger on that address would get our callers: such a port is taken.
pub async fn bind(port: u16) -> anyhow::Result<(u16, Vec<TcpListener>)> {
    for _ in 0..TRIES_MAX {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| refused(port, error))?;
        let bound = first.local_addr().context("asking for the port")?.port();
        match TcpListener::bind((Ipv6Addr::LOCALHOST, bound)).await {
            Ok(second) => return Ok((bound, vec![first, second])),
            Err(error) if error.kind() != ErrorKind::AddrInUse => return Ok((bound, vec![first])),
            Err(error) if port != 0 => return Err(refused(port, error)),
            Err(_) => {}
        }
    }
    bail!("no port is free on both 127.0.0.1 and [::1]: choose one with --port")
}

fn refused(port: u16, error: Error) -> anyhow::Error {
    let what_to_do = match error.kind() {
        ErrorKind::AddrInUse => format!("port {port} is taken: stop what listens there, or choose another with --port"),
        ErrorKind::PermissionDenied => format!("port {port} is not for this user: choose one above 1023 with --port"),
        _ => format!("listening on port {port}"),
    };
    anyhow::Error::new(error).context(what_to_do)
}

/// Serves until told to stop (or until nobody is left who could tell), then answers what it has begun.
pub async fn serve(listener: TcpListener, router: Router, mut stopping: watch::Receiver<bool>) {
    let stop = async move {
        let _told_or_alone = stopping.wait_for(|stopping| *stopping).await;
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stop).await {
        tracing::error!(error = edge::problem::chain(&error), "the server ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_on_either_address_is_refused_with_what_to_do() {
        let (port, listeners) = bind(0).await.unwrap();
        for listener in listeners {
            let alone = listener;
            let refused = bind(port).await.unwrap_err().to_string();
            assert!(refused.contains("--port"), "{refused}");
            drop(alone);
        }
        assert!(bind(port).await.is_ok(), "free again");
    }
}
