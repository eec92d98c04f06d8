//! `countersign online serve`: takes changes in over HTTP, from the web heads of an index.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::FalseyValueParser;
use intake::{Intake, IntakeConfig, OpenRepository};
use proxy::{ConnectionLimits, serve_router, serve_router_tls};

use super::token::TokensArgs;
use crate::certificate;
use crate::clock;
use crate::console::{Console, in_one_line};
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::places;
use crate::runtime::{self, GRACE, Shutdown};
use crate::serve::{listen, online};

/// Take changes in over HTTP: files, yanks, removals, and what developers have signed
///
/// What is acknowledged survives a loss of power; a signer (`online run` or `online tick`) publishes it.
/// Needs no key. Who may do what, tokens say: `countersign online token` makes them. The calls are described at
/// /v1/openapi.json, and by `countersign generate openapi`. SIGTERM and Ctrl-C end it once requests
/// under way are answered.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    tokens: TokensArgs,

    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = LISTEN)]
    #[arg(env = "COUNTERSIGN_INTAKE_LISTEN")]
    intake_listen: SocketAddr,

    /// Certificate chain in PEM, for TLS; read again when it changes
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TLS_CERTIFICATE")]
    #[arg(requires = "tls_key")]
    tls_certificate: Option<PathBuf>,

    /// Private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TLS_KEY")]
    #[arg(requires = "tls_certificate")]
    tls_key: Option<PathBuf>,

    /// Listen on more than loopback without TLS, because a proxy in front of it has it: tokens pass in
    /// the clear between the two
    #[arg(long, env = "COUNTERSIGN_BEHIND_PROXY", value_parser = FalseyValueParser::new())]
    behind_proxy: bool,

    /// Folder for what comes in, until it has been looked into [default: the index's]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_SPOOL_DIR")]
    spool_dir: Option<PathBuf>,
}

/// Where it listens if nothing is said.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8433);

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let data_dir = args.data_dir.open();
    let address = args.intake_listen;
    let files = args.tls_certificate.clone().zip(args.tls_key.clone());
    if files.is_none() && !address.ip().is_loopback() && !args.behind_proxy {
        return Err(Failure::TokensInTheClear { address });
    }
    let tls = files
        .map(|(chain, key)| certificate::server_config(chain, key))
        .transpose()?;
    let policy = places::open(&data_dir)?.settings().policy.clone();
    let opened = data_dir.clone();
    let open: OpenRepository = Arc::new(move || {
        let repository = places::open(&opened);
        repository.map_err(|failure| in_one_line(&failure).into())
    });
    let config = IntakeConfig {
        open,
        tokens: args.tokens.file(&data_dir),
        spool: args
            .spool_dir
            .clone()
            .unwrap_or_else(|| data_dir.path().to_owned()),
        policy,
        clock: clock::now,
    };
    runtime::block_on(async move {
        let (shutdown, _stopper) = Shutdown::listen()?;
        let listener = listen(address)?;
        let address = listener.local_addr().unwrap_or(address);
        let router = intake::router(Arc::new(Intake::start(config)?));
        let scheme = if tls.is_some() { "https" } else { "http" };
        console.say(format!(
            "taking changes in at {scheme}://{address}/v1/changes\nCtrl-C ends it"
        ))?;
        let (listener, limits) = (online(listener)?, ConnectionLimits::default());
        let requested = shutdown.clone();
        let until = async move {
            requested.requested().await;
        };
        let server = async move {
            match tls {
                Some(tls) => serve_router_tls(listener, router, limits, tls, until).await,
                None => serve_router(listener, router, limits, until).await,
            }
        };
        let too_late = async {
            shutdown.clone().requested().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            ended = server => ended.map_err(|source| Failure::Server { what: "intake", source })?,
            () = too_late => {}
        }
        shutdown.requested().await.into_result()
    })
}
