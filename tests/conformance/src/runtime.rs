//! On which runtime a program runs.

use std::env;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::time::Duration;

use mcp_tokio::{Client, ClientConfig, ConnectError, Router};

/// One of those that have an adapter.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Runtime {
    /// `mcp-tokio`, on one thread.
    Tokio,
    /// `mcp-smol`
    Smol,
    /// `mcp-async-std`: tasks on async-std's threads, on the reactor that it shares with smol.
    AsyncStd,
}

impl Runtime {
    /// What the environment variable `RUNTIME` says: `tokio`, which it is by default, `smol` or `async-std`.
    ///
    /// # Errors
    ///
    /// If it says something else.
    pub fn chosen() -> Result<Self, Box<dyn Error>> {
        match env::var("RUNTIME").as_deref() {
            Err(_) | Ok("tokio") => Ok(Self::Tokio),
            Ok("smol") => Ok(Self::Smol),
            Ok("async-std") => Ok(Self::AsyncStd),
            Ok(other) => Err(format!("no runtime is called {other:?}").into()),
        }
    }

    /// Runs a program.
    ///
    /// # Errors
    ///
    /// Its own, and that the system gives no threads.
    pub fn block_on<T>(
        self,
        program: impl Future<Output = Result<T, Box<dyn Error>>>,
    ) -> Result<T, Box<dyn Error>> {
        match self {
            Self::Tokio => {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                runtime.enable_all().build()?.block_on(program)
            }
            Self::Smol => smol::block_on(program),
            Self::AsyncStd => async_std::task::block_on(program),
        }
    }

    /// Ready after a while.
    pub(crate) fn sleep(self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self {
            Self::Tokio => Box::pin(tokio::time::sleep(time)),
            Self::Smol => Box::pin(async move {
                smol::Timer::after(time).await;
            }),
            Self::AsyncStd => Box::pin(async_std::task::sleep(time)),
        }
    }

    /// Serves a router's tools on a socket, until the program is ended.
    ///
    /// # Errors
    ///
    /// As the adapter's `run_http`.
    pub async fn run_http(self, socket: TcpListener, router: Router) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        let (options, never) = (Default::default(), std::future::pending());
        match self {
            Self::Tokio => {
                let socket = tokio::net::TcpListener::from_std(socket)?;
                mcp_tokio::run_http(socket, router, options, never).await
            }
            Self::Smol => mcp_smol::run_http(socket.try_into()?, router, options, never).await,
            Self::AsyncStd => mcp_async_std::run_http(socket.into(), router, options, never).await,
        }
    }

    /// Connects to the server at a URL.
    ///
    /// # Errors
    ///
    /// As the adapter's `connect_url`.
    pub async fn connect_url(
        self,
        url: &str,
        config: ClientConfig,
    ) -> Result<Client, ConnectError> {
        match self {
            Self::Tokio => mcp_tokio::connect_url(url, config).await,
            Self::Smol => mcp_smol::connect_url(url, config).await,
            Self::AsyncStd => mcp_async_std::connect_url(url, config).await,
        }
    }
}
