//! The first root: given by hand, trusted from then on (TUF 5.2).

use metadata::{Role, Sha256};
use trust::{RootChain, Rules};

use crate::{ClientError, Datastore};

/// Pins `root` in an empty datastore: from now on it is trusted (TUF 5.2). It must be signed by its
/// own keys; nothing is fetched. A datastore that was given this very root before is left as it is,
/// whatever newer root has followed; one that was given another refuses.
pub async fn init(datastore: &Datastore, root: &[u8], rules: &Rules) -> Result<(), ClientError> {
    let chain = RootChain::pinned(root, *rules)?;
    let _lock = datastore.lock().await?;
    match pinned(datastore, rules).await {
        Ok(held) if held.root().file() == root => return Ok(()),
        Ok(held) => {
            if datastore.anchor().await? == Some(Sha256::of(root)) {
                return Ok(());
            }
            let path = datastore.dir().to_path_buf();
            return Err(ClientError::OtherRoot {
                path,
                version: held.root().version,
                sha256: held.root().sha256(),
            });
        }
        Err(ClientError::NoRoot { .. }) => {}
        Err(error) => return Err(error),
    }
    // If we die in between: an anchor without a root, which trusts nobody.
    datastore.set_anchor(Sha256::of(root)).await?;
    datastore.store(chain.root()).await
}

/// Like [`init`], but in place of whatever root is trusted so far. What else the datastore holds is
/// kept and counts as far as the new root vouches for it.
pub async fn init_again(
    datastore: &Datastore,
    root: &[u8],
    rules: &Rules,
) -> Result<(), ClientError> {
    let chain = RootChain::pinned(root, *rules)?;
    let _lock = datastore.lock().await?;
    datastore.set_anchor(Sha256::of(root)).await?;
    datastore.store(chain.root()).await
}

/// The root trusted so far, verified again.
pub(crate) async fn pinned(datastore: &Datastore, rules: &Rules) -> Result<RootChain, ClientError> {
    let file = datastore.read(&Role::Root, rules.limits.root).await?;
    let file = file.ok_or_else(|| ClientError::NoRoot {
        path: datastore.dir().to_path_buf(),
    })?;
    Ok(RootChain::pinned(&file, *rules)?)
}
