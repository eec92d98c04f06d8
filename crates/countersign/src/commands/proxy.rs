//! `countersign proxy`: an index for unmodified installers that holds nothing unverified.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use client::{Pace, UnverifiedIndex};
use metadata::Sha256;
use policy::ProxyLimits;
use proxy::{Canonical, ProxyConfig, ProxyState, SharedState, UpstreamRules};
use url::Url;

use crate::authorities::Authorities;
use crate::commands::client::{Place, PlaceArgs, init};
use crate::console::Console;
use crate::credentials::with_credentials;
use crate::failure::Failure;
use crate::installers;
use crate::runtime::{self, GRACE, Shutdown};
use crate::serve::{listen, online};
use crate::trusted::{Home, TrustError};

/// Serve pip, uv and others only what was verified
///
/// Point the installer's index URL at it, and at nothing else. A page or file leaves the proxy after
/// its last byte was verified; what fails is refused with status 409 and a reason.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    rules: RulesArgs,

    /// Root to trust at the first start, when the metadata folder holds none yet
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_ROOT")]
    root: Option<PathBuf>,

    /// Address to listen on; keep it, installers know cached files by their URL [default: the
    /// index's own, or 127.0.0.1:8432]
    #[arg(long, value_name = "ADDRESS:PORT", env = "COUNTERSIGN_PROXY_LISTEN")]
    listen: Option<SocketAddr>,

    /// Refuse a project whose page hides a file that its developers signed, instead of saying so
    #[arg(long, env = "COUNTERSIGN_STRICT", value_parser = FalseyValueParser::new())]
    strict: bool,

    /// Answer for the index's own URLs, too, to installers that take this for their proxy: lock files
    /// keep those URLs. A local authority vouches for them; what to set is printed
    #[arg(long, requires = "index", env = "COUNTERSIGN_FORWARD")]
    #[arg(value_parser = FalseyValueParser::new())]
    forward: bool,

    /// Folder of verified files [default: `cache` in the metadata folder]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_CACHE_DIR")]
    cache_dir: Option<PathBuf>,

    /// Seconds between two looks at the index
    #[arg(long, value_name = "SECONDS")]
    #[arg(default_value_t = ProxyLimits::default().refresh_interval.as_secs())]
    #[arg(env = "COUNTERSIGN_REFRESH_INTERVAL")]
    refresh_interval: u64,

    /// Bytes of verified files kept
    #[arg(long, value_name = "BYTES", default_value_t = ProxyLimits::default().cache_bytes)]
    #[arg(env = "COUNTERSIGN_CACHE_LIMIT")]
    cache_limit: u64,

    /// Host name, beside those of loopback, under which installers reach the proxy
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_ALLOWED_HOST")]
    allowed_host: Vec<String>,
}

/// Where a proxy listens if nothing is said.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8432);

/// File of the local authority, in the folder of a trusted index.
pub(crate) const AUTHORITIES: &str = "authorities.pem";

/// How long another process may keep the trusted metadata to itself before what was verified last is
/// served instead.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let rules = args.rules.read()?;
    let place = args.place.place()?;
    let (mut proxied, mut other_ports) = (None, BTreeSet::new());
    if let Some(entry) = args.place.entry()? {
        let mut names = vec![entry.name()];
        names.extend(
            rules
                .iter()
                .flat_map(|it| it.rules.names())
                .map(String::as_str),
        );
        other_ports = args.place.home()?.other_ports(&names)?;
        proxied = Some(entry.proxied()?);
    }
    let cache = proxied.as_ref().map(|it| it.cache.clone());
    let cache = args.cache_dir.clone().or(cache);
    let wanted = proxied.as_ref().map(|it| it.address);
    let address = args.listen.or(wanted).unwrap_or(LISTEN);
    let canonical = match args.place.entry()?.filter(|_| args.forward) {
        Some(entry) => Some(
            entry
                .anchor()
                .canonical()?
                .ok_or(TrustError::NoCanonicalUrl)?,
        ),
        None => None,
    };
    let file = place.metadata_dir.with_file_name(AUTHORITIES);
    let authorities = match &canonical {
        Some(canonical) => Authorities::at(file, canonical)?.map(Arc::new),
        None => None,
    };
    let config = ProxyConfig {
        authority: authorities.as_ref().map(|it| it.authority()),
        canonical: canonical.clone(),
        strict: args.strict,
        limits: ProxyLimits {
            cache_bytes: args.cache_limit,
            refresh_interval: Duration::from_secs(args.refresh_interval),
            ..ProxyLimits::default()
        },
        allowed_hosts: args.allowed_host.clone(),
        other_ports,
        identity: proxied.map(|it| it.identity),
        ..ProxyConfig::new(cache.unwrap_or_else(|| place.metadata_dir.join("cache")))
    };
    runtime::block_on_one_thread(async move {
        let (shutdown, _stopper) = Shutdown::listen()?;
        let listener = listen(address)?;
        let address = listener.local_addr().unwrap_or(address);
        let state = match rules {
            Some(rules) => set_up_several(rules.rules, &args.place.home()?, config).await?,
            None => set_up(&place, args.root.as_deref(), config).await?,
        };
        let mut lines = installers::command_lines(address, "PACKAGE");
        if let Some(canonical) = &canonical {
            let file = authorities.as_deref().map(Authorities::path);
            lines = format!("{lines}\n{}", forward_lines(address, canonical, file));
        }
        console.say(format!(
            "serving what was verified at http://{address}/simple/\n{lines}\nCtrl-C ends it"
        ))?;
        if let Some(authorities) = authorities.clone() {
            tokio::spawn(async move { authorities.keep().await });
        }
        installers::warn_of_leaks();
        serve(listener, state, shutdown.clone()).await?;
        shutdown.requested().await.into_result()
    })
}

/// What installers need to be told, to take the proxy for theirs.
fn forward_lines(address: SocketAddr, canonical: &Canonical, file: Option<&Path>) -> String {
    let index = canonical.index();
    let mut lines = vec![
        format!("or at {index}, which lock files keep, in an environment with"),
        format!("  HTTP_PROXY=http://{address} HTTPS_PROXY=http://{address}"),
    ];
    if let Some(file) = file {
        let names = ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"];
        let set = names.map(|name| format!("{name}={}", file.display()));
        lines.push(format!("  {}", set.join(" ")));
    }
    lines.join("\n")
}

/// Sets up a proxy for a repository, which must be trusted already or through `root`.
pub(crate) async fn set_up(
    place: &Place,
    root: Option<&Path>,
    config: ProxyConfig,
) -> Result<SharedState, Failure> {
    if let Some(root) = root {
        init(root, None, &place.metadata_dir, &place.rules).await?;
    }
    let datastore = place.datastore()?.with_patience(PATIENCE);
    let state = ProxyState::new(place.updater_of(datastore)?, config)?;
    // A machine may start before its index does: until it can verify, the proxy refuses with the
    // reason. What only its operator can mend is said now and not to every installer.
    state.start().await?;
    Ok(state)
}

/// The same before the trusted indexes that rules name.
pub(crate) async fn set_up_several(
    rules: UpstreamRules,
    home: &Home,
    config: ProxyConfig,
) -> Result<SharedState, Failure> {
    let updater = |name: &String| {
        let place = home.entry(name)?.place()?;
        place.updater_of(place.datastore()?.with_patience(PATIENCE))
    };
    let unverified = |url: &Url| {
        tracing::warn!(%url, "the rules name an index that signs nothing: what it serves is unverified");
        Ok(UnverifiedIndex::new(
            with_credentials(url, home.keyring()),
            Pace::default(),
        )?)
    };
    let state = ProxyState::before(rules, updater, unverified, config)?;
    state.start().await?;
    Ok(state)
}

/// Which of several indexes each project belongs to.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RulesArgs {
    /// TOML file that says to which trusted index each project belongs, on which several have to
    /// agree, and which come from an unverified one; the first rule that matches counts, and no other
    /// index is asked
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_RULES")]
    rules: Option<PathBuf>,
}

/// A file of rules.
pub(crate) struct Rules {
    pub(crate) rules: UpstreamRules,
    pub(crate) sha256: Sha256,
}

impl RulesArgs {
    /// The rules, if there are some.
    pub(crate) fn read(&self) -> Result<Option<Rules>, Failure> {
        let Some(path) = &self.rules else {
            return Ok(None);
        };
        let path = path.clone();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => {
                let doing = "read";
                return Err(Failure::Io {
                    doing,
                    path,
                    source,
                });
            }
        };
        match UpstreamRules::parse(&text) {
            Ok(rules) => Ok(Some(Rules {
                rules,
                sha256: Sha256::of(text.as_bytes()),
            })),
            Err(source) => Err(Failure::Rules { path, source }),
        }
    }
}

/// Serves until told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    state: SharedState,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    let requested = shutdown.clone();
    let server = proxy::serve(online(listener)?, state, async move {
        requested.requested().await;
    });
    let too_late = async {
        shutdown.requested().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = server => ended.map_err(|source| Failure::Server { what: "proxy", source }),
        () = too_late => Ok(()),
    }
}
