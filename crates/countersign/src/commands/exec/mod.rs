//! `countersign exec`: runs a command whose installers get nothing but what was verified.

mod address;
mod child;
mod mode;
mod verdict;

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::FalseyValueParser;
use policy::ProxyLimits;
use proxy::{AllowedHost, Canonical, ProxyConfig, SharedState, UpstreamRules};
use url::Url;

pub(crate) use address::{Holder, holder};
use mode::Mode;
use verdict::Ran;

use crate::authorities::{self, Authorities};
use crate::commands::proxy::{RulesArgs, set_up, set_up_several};
use crate::console::Console;
use crate::failure::Failure;
use crate::installers::{self, Change, Installer, Leak, Refused, Way};
use crate::runtime;
use crate::serve::{listen, online};
use crate::trusted::{Entry, Home, HomeArgs, TrustError};

/// Run a command whose installers get only what was verified
///
/// pip and uv, started by the command or by what it starts, ask a proxy that verifies each page and file;
/// poetry does where its project names the index, or the URL that `trust show` prints, as its source. The
/// index's own URLs, in lock files and requirements, are answered by the same proxy, over TLS with an
/// authority that is for its hosts alone and ends with the run. Other indexes, folders of files and
/// settings count for nothing, other hosts are refused, git speaks HTTP alone, and `svn`, `hg` and `bzr` do
/// not run. The command's code is passed on; a last line on stderr says what was verified, and by whose
/// signature, and what was not. This is no sandbox: code that a package runs while it is installed can do
/// what the user can.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Index to install from; may be left out where only one is trusted
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_INDEX")]
    index: Option<String>,

    #[command(flatten)]
    home: HomeArgs,

    #[command(flatten)]
    rules: RulesArgs,

    /// Host that may be asked though nothing vouches for what it serves; counted in the last line
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_ALLOW_HOST")]
    allow_host: Vec<AllowedHost>,

    /// URL of the index that installers are told: the proxy's, or the index's own, which lock files
    /// then keep; `auto` takes the index's own where a lock file here or above names it, and where uv
    /// is about to write the first one
    #[arg(long, value_enum, default_value = "auto", env = "COUNTERSIGN_MODE")]
    mode: Mode,

    /// Refuse a project whose page hides a file that its developers signed, instead of saying so
    #[arg(long, env = "COUNTERSIGN_STRICT", value_parser = FalseyValueParser::new())]
    strict: bool,

    /// Bytes of verified files kept from one run to the next
    #[arg(long, value_name = "BYTES", default_value_t = ProxyLimits::default().cache_bytes)]
    #[arg(env = "COUNTERSIGN_CACHE_LIMIT")]
    cache_limit: u64,

    /// Write the last line, on stderr, as one JSON object; later versions may add members
    #[arg(long, env = "COUNTERSIGN_JSON", value_parser = FalseyValueParser::new())]
    json: bool,

    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Why the command was not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecError {
    /// What it needs is not there.
    #[error(transparent)]
    SetUp(Failure),
    /// It would go past the proxy.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It cannot be started.
    #[error("could not run `{program}`")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ExecError {
    /// What to do next.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::SetUp(failure) => crate::hint::of(failure),
            Self::Refused(refused) => Some(refused.hint().to_owned()),
            Self::Start { .. } => Some("check that it is installed and on PATH".to_owned()),
        }
    }
}

impl From<ExecError> for Failure {
    fn from(error: ExecError) -> Self {
        Self::Exec(Box::new(error))
    }
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let failed = |failure| match failure {
        Failure::Exec(error) => Failure::Exec(error),
        other => ExecError::SetUp(other).into(),
    };
    let code = runtime::block_on_one_thread(async { ran(args, console).await }).map_err(failed)?;
    match code {
        0 => Ok(()),
        code => Err(Failure::Ended(code)),
    }
}

async fn ran(args: &Args, console: &Console) -> Result<u8, Failure> {
    let (home, rules) = (args.home.open()?, args.rules.read()?);
    let first = rules.as_ref().and_then(|it| it.rules.names().first());
    let entry = home.chosen(args.index.as_ref().or(first).map(String::as_str))?;
    let (installer, arguments) = Installer::of(&args.command);
    installers::check(installer, arguments).map_err(ExecError::from)?;
    installers::check_named(|name| env::var_os(name)).map_err(ExecError::from)?;
    let local = installers::local_paths(installer, arguments);
    let neutralized = neutralized();

    let folder = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let canonical = entry.anchor().canonical()?;
    if args.mode == Mode::Forward && canonical.is_none() {
        return Err(TrustError::NoCanonicalUrl.into());
    }
    let is_uv = installer == Installer::Uv;
    let is_forward = args.mode.is_forward(&folder, canonical.as_ref(), is_uv);
    let mut others: Vec<_> = args.allow_host.iter().map(ToString::to_string).collect();
    others.extend(
        rules
            .as_ref()
            .map(|rules| format!("rules {}", rules.sha256)),
    );
    let mut names = vec![entry.name()];
    if let Some(rules) = &rules {
        names.extend(rules.rules.names().iter().map(String::as_str));
    }
    let other_ports = home.other_ports(&names)?;
    let several = rules.map(|rules| (rules.rules, home));
    let stand = Stand::up(args, &entry, canonical, other_ports, several).await?;
    let authorities = stand.authorities.as_deref();
    let way = Way {
        index: stand.url(is_forward)?,
        proxy: stand.proxy,
        authorities: authorities.map(Authorities::path),
    };
    let changes = installers::changes(&entry, &others, &way)?;
    let code = child::run(&args.command, &changes).await?;
    let ran = Ran {
        entry: &entry,
        state: &stand.state,
        neutralized,
        local,
        taken: stand.taken,
        command_code: code,
    };
    let report = ran.report().await;
    let line = if args.json {
        serde_json::to_string(&report).map_err(std::io::Error::from)?
    } else {
        for hint in report.hints() {
            console.note(&hint, report.is_refusal());
        }
        report.line()
    };
    console.note(&line, report.is_refusal());
    Ok(report.code)
}

/// What would have counted without us.
fn neutralized() -> Vec<Leak> {
    let mut leaks = installers::in_variables(env::vars_os());
    let folder = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    leaks.extend(installers::in_files(&folder, |name| env::var_os(name)));
    leaks
}

/// The proxy of this run, and the address under which installers know the index.
struct Stand {
    state: SharedState,
    index: SocketAddr,
    proxy: SocketAddr,
    /// What vouches for the index's own URLs, where they are asked over TLS.
    authorities: Option<Arc<Authorities>>,
    canonical: Option<Canonical>,
    /// Who holds the fixed port instead, if somebody else does.
    taken: Option<Holder>,
}

impl Stand {
    /// Takes the index's fixed port. Where a proxy of this user's for the same anchor has it, that
    /// address stays in the URLs, but requests go to a proxy of this run, which keeps its own count;
    /// where somebody else has it, neither does.
    async fn up(
        args: &Args,
        entry: &Entry,
        canonical: Option<Canonical>,
        other_ports: BTreeSet<u16>,
        several: Option<(UpstreamRules, Home)>,
    ) -> Result<Self, Failure> {
        let proxied = entry.proxied()?;
        let (fixed, free) = (proxied.address, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let (listener, index, taken) = match listen(fixed) {
            Ok(listener) => (listener, fixed, None),
            Err(_) => match holder(fixed, &proxied.identity).await {
                Holder::Ours => (listen(free)?, fixed, None),
                other => {
                    tracing::warn!("port {} is taken by {other}: another is used", fixed.port());
                    let listener = listen(free)?;
                    let address = listener.local_addr().map_err(Failure::Runtime)?;
                    (listener, address, Some(other))
                }
            },
        };
        let proxy = listener.local_addr().map_err(Failure::Runtime)?;
        let authorities = authorities(args, entry, canonical.as_ref())?;
        let config = ProxyConfig {
            limits: ProxyLimits {
                cache_bytes: args.cache_limit,
                ..ProxyLimits::default()
            },
            passed_hosts: args.allow_host.clone(),
            other_ports,
            strict: args.strict,
            canonical: canonical.clone(),
            authority: authorities.as_ref().map(|it| it.authority()),
            identity: Some(proxied.identity),
            ..ProxyConfig::new(proxied.cache)
        };
        let state = match several {
            Some((rules, home)) => set_up_several(rules, &home, config).await?,
            None => set_up(&entry.place()?, None, config).await?,
        };
        let served = proxy::serve(online(listener)?, state.clone(), std::future::pending());
        // Both end with this process, and not before.
        tokio::spawn(served);
        if let Some(authorities) = authorities.clone() {
            tokio::spawn(async move { authorities.keep().await });
        }
        Ok(Self {
            state,
            index,
            proxy,
            authorities,
            canonical,
            taken,
        })
    }

    /// The index's URL for installers.
    fn url(&self, is_forward: bool) -> Result<Url, Failure> {
        if let Some(canonical) = self.canonical.as_ref().filter(|_| is_forward) {
            return Ok(canonical.index().clone());
        }
        let url = format!("http://{}/simple/", self.index);
        let parsed = url.parse();
        parsed.map_err(|_| Failure::Runtime(std::io::ErrorKind::InvalidInput.into()))
    }
}

/// What vouches for the index's own URLs. Where no host is allowed past the proxy, nobody else is
/// believed.
fn authorities(
    args: &Args,
    entry: &Entry,
    canonical: Option<&Canonical>,
) -> Result<Option<Arc<Authorities>>, Failure> {
    let Some(canonical) = canonical else {
        return Ok(None);
    };
    let beside = if args.allow_host.is_empty() {
        Vec::new()
    } else {
        authorities::of_others()
    };
    let made = Authorities::of_run(entry.folder(), canonical, beside)?;
    Ok(made.map(Arc::new))
}

/// Changes as `std::process::Command` takes them.
fn apply(command: &mut std::process::Command, changes: &[Change]) {
    for (name, value) in changes {
        match value {
            Some(value) => command.env(&**name, value),
            None => command.env_remove(&**name),
        };
    }
}
