//! `countersign serve`: the repository over HTTP.

use std::net::SocketAddr;

use crate::config::{Config, Given};
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::places;
use crate::runtime::{self, Shutdown};
use crate::serve::{listen, serve};

/// Serve the repository over HTTP, read-only
///
/// For trying out and for small indexes behind a reverse proxy. Any web server can do the same: the
/// folder `repository` in the index's folder is all that clients fetch, and they verify all of it.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:8431]
    #[arg(long, value_name = "ADDRESS:PORT", env = "COUNTERSIGN_SERVE_LISTEN")]
    listen: Option<SocketAddr>,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let data_dir = args.data_dir.open();
    let folder = places::served_folder(&data_dir)?;
    let given = Given {
        listen: args.listen,
        ..Given::default()
    };
    let address = Config::load(&data_dir)?.with(&given).listen.value;
    runtime::block_on(async move {
        let (shutdown, _stopper) = Shutdown::listen()?;
        let listener = listen(address)?;
        let address = listener.local_addr().unwrap_or(address);
        console.say(format!(
            "serving {} at http://{address}/\n  metadata http://{address}/metadata/\n  \
             targets  http://{address}/targets/\n\
             Ctrl-C ends it",
            folder.display()
        ))?;
        serve(listener, folder, shutdown.clone()).await?;
        shutdown.requested().await.into_result()
    })
}
