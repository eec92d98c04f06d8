//! The part of quickstart that serves: repository, proxy, and the cycle that keeps them fresh.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use proxy::ProxyConfig;
use tokio::task::JoinSet;
use url::Url;

use super::{Built, screen};
use crate::clock;
use crate::commands::client::{Downloaded, Place, download, init};
use crate::commands::online::Keeper;
use crate::commands::proxy as proxy_command;
use crate::console::Console;
use crate::data_dir::{DataDir, make_folder};
use crate::failure::{Failure, UsageError};
use crate::runtime::{self, Shutdown};
use crate::serve;

/// How often it looks for something to sign.
const EVERY: Duration = Duration::from_secs(10);

/// The two ports, taken.
pub(super) struct Ports {
    /// Of the repository.
    pub(super) repository: SocketAddr,
    /// Of the proxy.
    proxy: SocketAddr,
    listeners: [TcpListener; 2],
}

impl Ports {
    /// Takes `port` and the next one; for 0, any two.
    pub(super) fn take(port: u16) -> Result<Self, Failure> {
        let next = match port {
            0 => 0,
            port => port.checked_add(1).ok_or(UsageError::Port { port })?,
        };
        let [first, second] =
            [port, next].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let listeners = [serve::listen(first)?, serve::listen(second)?];
        let address = |listener: &TcpListener| listener.local_addr().map_err(Failure::Runtime);
        Ok(Self {
            repository: address(&listeners[0])?,
            proxy: address(&listeners[1])?,
            listeners,
        })
    }
}

/// Serves, verifies one download, and serves on unless it is to be `once`.
pub(super) fn serve(
    data_dir: &DataDir,
    built: Built,
    ports: Ports,
    once: bool,
    console: &Console,
) -> Result<(), Failure> {
    runtime::block_on(async {
        let (shutdown, stopper) = Shutdown::listen()?;
        let mut tasks = JoinSet::new();
        let opened = tokio::select! {
            opened = open(data_dir, built, ports, once, console, &mut tasks, &shutdown) => opened,
            ended = shutdown.clone().requested() => ended.into_result(),
        };
        let ended = match opened {
            Ok(()) if !once => tokio::select! {
                ended = shutdown.clone().requested() => ended.into_result(),
                Some(task) = tasks.join_next() => match of_task(task) {
                    // It heard the end before this did.
                    Ok(()) => shutdown.requested().await.into_result(),
                    failed => failed,
                },
            },
            other => other,
        };
        stopper.stop();
        while let Some(task) = tasks.join_next().await {
            of_task(task)?;
        }
        ended
    })
}

/// Starts everything, and says so once it was seen to work.
async fn open(
    data_dir: &DataDir,
    built: Built,
    ports: Ports,
    once: bool,
    console: &Console,
    tasks: &mut JoinSet<Result<(), Failure>>,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let [repository, proxy] = ports.listeners;
    let folder = data_dir.repository();
    tasks.spawn(serve::serve(repository, folder, shutdown.clone()));
    let base = base_url(ports.repository)?;
    let Some(first) = built.intake.accepted.first() else {
        return Ok(());
    };
    let verified = verify(data_dir, &base, &built, first.filename.as_str()).await?;
    screen::verified(console, &verified)?;
    let place = Place::of_server(&base, &data_dir.proxy().join("trust"))?;
    let config = ProxyConfig::new(data_dir.proxy().join("cache"));
    let state = proxy_command::set_up(&place, Some(&built.root), config).await?;
    tasks.spawn(proxy_command::serve(proxy, state, shutdown.clone()));
    if !once {
        let keeper = Keeper::new(data_dir.clone(), built.signers.clone(), EVERY);
        tasks.spawn(keeper.keep(shutdown.clone()));
    }
    screen::keep_apart(console, data_dir)?;
    let project = first.filename.project().as_str();
    screen::install(console, ports.repository, ports.proxy, project)?;
    let refused = built.intake.refused.len();
    screen::end(
        console,
        once,
        refused,
        data_dir,
        ports.repository,
        &built.root,
    )
}

/// Downloads one file as an installer's machine would: with nothing but the root to start from.
async fn verify(
    data_dir: &DataDir,
    base: &Url,
    built: &Built,
    filename: &str,
) -> Result<Downloaded, Failure> {
    let place = Place::of_server(base, &data_dir.client().join("trust"))?;
    init(&built.root, None, &place.metadata_dir, &place.rules).await?;
    let session = place.updater()?.refresh(clock::now()).await?;
    let downloads = data_dir.client().join("downloads");
    make_folder(&downloads)?;
    download(&session, filename, &downloads).await
}

fn base_url(address: SocketAddr) -> Result<Url, Failure> {
    let url = format!("http://{address}/");
    Url::parse(&url).map_err(|_| {
        client::ClientError::BaseUrl {
            url,
            why: "it cannot be parsed",
        }
        .into()
    })
}

/// How a task ended; one that died is a defect.
fn of_task(task: Result<Result<(), Failure>, tokio::task::JoinError>) -> Result<(), Failure> {
    let what = "server";
    task.map_err(|source| Failure::Worker { what, source })?
}
