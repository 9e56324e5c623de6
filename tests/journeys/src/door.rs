//! A door between the service and the platforms: closed, a platform cannot be reached, and not a byte is sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// An address of this machine behind which a server stands while the door is open.
pub struct Door {
    address: SocketAddr,
    leads_to: Arc<Mutex<Option<SocketAddr>>>,
    open: Option<JoinHandle<()>>,
}

impl Door {
    /// An open door that leads nowhere yet.
    pub async fn new() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let mut door = Self { address: listener.local_addr()?, leads_to: Arc::default(), open: None };
        door.serve(listener);
        Ok(door)
    }

    /// Where the door is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it leads to the service whose address this is.
    pub fn lead_to(&self, base_url: &str) -> anyhow::Result<()> {
        let port = url::Url::parse(base_url)?.port().context("an address with a port")?;
        *self.leads_to.lock().expect("nobody panics with it") = Some((std::net::Ipv4Addr::LOCALHOST, port).into());
        Ok(())
    }

    /// Nobody listens any more.
    pub async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
            // The listener is gone when the task is.
            drop(open.await);
        }
    }

    /// Whoever knocks is let through again.
    pub async fn open(&mut self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        self.serve(listener);
        Ok(())
    }

    fn serve(&mut self, listener: TcpListener) {
        let leads_to = self.leads_to.clone();
        self.open = Some(tokio::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                let behind = *leads_to.lock().expect("nobody panics with it");
                tokio::spawn(async move {
                    if let Some(behind) = behind
                        && let Ok(mut server) = TcpStream::connect(behind).await
                    {
                        drop(copy_bidirectional(&mut caller, &mut server).await);
                    }
                });
            }
        }));
    }
}
