//! What to do next where the repository refuses.

use repository::{RepositoryError, StoreError};

use super::{of_code, of_key};

/// The hint for an error of the repository.
pub(super) fn of(error: &RepositoryError) -> Option<&'static str> {
    of_work(error)
        .or_else(|| of_set(error))
        .or_else(|| of_place(error))
}

/// What a ceremony made.
fn of_set(error: &RepositoryError) -> Option<&'static str> {
    Some(match error {
        RepositoryError::Set { .. } => {
            "a set is the folder `publish-set` that a ceremony's `combine` leaves; \
             one set at a time waits for `countersign online tick`"
        }
        RepositoryError::Shard { flaw, .. } => match **flaw {
            draft::ShardFlaw::TooEarly { .. } => {
                "wait; until then the old keys can still register others, which ends it"
            }
            _ => {
                "nothing was changed; `countersign index claims export`, and have the ceremony for this \
                 shard planned anew from that"
            }
        },
        RepositoryError::NoRoom { .. } => {
            "nothing was changed; fewer and larger bins make room: `countersign index rebin` tries them"
        }
        RepositoryError::NotResigned { .. } => {
            "have its developers sign a release with the new keys, and add `--transaction FILE`"
        }
        RepositoryError::WithSet { source, .. } => return of_code(source.code()),
        RepositoryError::SetPublished { .. } => {
            "nothing has to be done; `countersign index status` shows what is published"
        }
        RepositoryError::SetRejected { .. } | RepositoryError::Refused(_) => {
            "nothing was changed; check the ceremony's folder"
        }
        _ => return None,
    })
}

/// Where the state and the files lie.
fn of_place(error: &RepositoryError) -> Option<&'static str> {
    Some(match error {
        RepositoryError::State { .. } => {
            "`countersign config show` says which database is used, and where its password is from"
        }
        RepositoryError::Store(StoreError::Remote { .. }) => {
            "nothing is lost: the next cycle goes on from here"
        }
        RepositoryError::Store(StoreError::Denied { .. }) => {
            "check the credentials and what they allow: `countersign generate bucket-policy` prints it"
        }
        RepositoryError::Store(_) => {
            "files of the repository were altered behind its back: restore them, \
             `countersign audit` finds others"
        }
        RepositoryError::Moved { .. } => {
            "name the new place in this machine's settings ([storage] state); if `index move --state-to` was cut \
             short, give it again"
        }
        RepositoryError::Arriving { .. } => {
            "`index move --state-to` was cut short: give it again where the state is"
        }
        RepositoryError::HoldsAnother { .. } => {
            "nothing was changed; name an empty database, or a file that is not there"
        }
        RepositoryError::StoreLeft { .. } => {
            "name the new place in this machine's settings ([storage] store); if `index move --to` was cut \
             short, give it again"
        }
        RepositoryError::Schema { found, expected } if found < expected => {
            "copy its state.sqlite, then `countersign index upgrade`"
        }
        RepositoryError::Schema { .. } => "a later version of countersign made it: use that one",
        RepositoryError::StateBehind { .. } => {
            "a backup was restored: `countersign index recover` takes over what is published; \
             never sign on from here by other means"
        }
        RepositoryError::BelowFloor { .. } => {
            "the store shows something older than this machine has seen: find out who replaced it \
             before anything else"
        }
        RepositoryError::NotInStore { .. } => {
            "restore the missing file from a mirror or backup; `countersign audit` finds others"
        }
        _ => return None,
    })
}

/// What the index does every day.
fn of_work(error: &RepositoryError) -> Option<&'static str> {
    Some(match error {
        RepositoryError::Missing { .. } => {
            "`countersign index init` makes an index; --data-dir says where one is"
        }
        RepositoryError::Key { source, .. } => return of_key(source),
        error if error.is_busy() => "it is nothing to worry about; try again in a moment",
        RepositoryError::ClaimsHeld { .. } => {
            "`countersign index claims list` shows them, `countersign index claims confirm` says that \
             their keys are right"
        }
        RepositoryError::NoRoles => {
            "hold a key ceremony, then `countersign index apply` with its publish-set"
        }
        RepositoryError::Unsigned(_) => {
            "sign with the keys that root lists: `countersign config show` shows which are used, \
             `countersign key show` their key ids"
        }
        RepositoryError::ClockBehind { .. } => "set this machine's clock right, then try again",
        RepositoryError::SameBins { .. } => {
            "for other online keys without other bins use `countersign-ceremony plan rotate-online`"
        }
        RepositoryError::Rehearsal { .. } | RepositoryError::RehearsalLookup { .. } => {
            "nothing was published: our own client would have refused it"
        }
        RepositoryError::NotForThisKey { .. } => {
            "run `countersign online tick` where the other online keys are, or hold a ceremony"
        }
        RepositoryError::NothingPublished => {
            "there has to be a first publication: `countersign online tick` makes it"
        }
        RepositoryError::SyncRemoves { .. } => {
            "`countersign index sync --dry-run` lists them; --max-removed allows more, --force any"
        }
        _ => return None,
    })
}
