//! What to do next, for failures that have an answer. Kept apart from the errors themselves: what
//! helps depends on this program's commands, which the libraries do not know.

mod repository;

use ceremony::key_command::{KeyCommandError, hint as key_hint};
use client::{ClientError, Kind};
use developer::ProjectError;
use keys::KeyError;
use keys_kms::KmsError;
use store_bucket::BucketError;

use crate::commands::DeliveryError;
use crate::failure::{Failure, UsageError};

/// What renews which role.
pub(crate) const EXPIRED: &str = "`countersign online tick` renews timestamp, snapshot and bins; \
     root, targets and bins (the role) take a key ceremony";

/// What a file of rules looks like.
const RULES: &str = "write [[rule]] tables: `projects = [\"acme-*\", \"tool\"]` and `upstream = \"NAME\"`; the \
     first that matches a project counts. An index that signs nothing can have single names: \
     `unverified = \"https://…/simple/\"`";

/// The hint for a failure.
pub(crate) fn of(failure: &Failure) -> Option<String> {
    let hint = match failure {
        Failure::Repository(error) => return repository::of(error).map(str::to_owned),
        Failure::Bucket(error) => of_bucket(error)?,
        Failure::ServedElsewhere { .. } => {
            "point clients at the bucket's own URL, or at a CDN before it"
        }
        Failure::Client(error) | Failure::Audit(audit::AuditError::Client(error)) => {
            of_client(error)?
        }
        Failure::Trust(error) => return Some(error.hint()),
        Failure::Exec(error) => return error.hint(),
        Failure::Findings { .. } | Failure::Broken { .. } => "each is named above",
        Failure::Usage(UsageError::NoPlace) => {
            "`countersign trust add NAME URL --root FILE` trusts an index"
        }
        Failure::NothingToMirror { .. } => {
            "name projects; later runs bring them up to date without naming them"
        }
        Failure::Environment(_) => {
            "name the folder of a virtual environment, an interpreter, or --path SITE-PACKAGES"
        }
        Failure::Deviates { .. } => {
            "each is named above; what is known and meant can be left out with --ignore"
        }
        Failure::NotARequirement { .. } => {
            "name a requirement such as requests>=2.31, a file of the index, or a target path"
        }
        Failure::NothingFits {
            only_digests: true, ..
        } => of_kind(Kind::Digest)?,
        Failure::NothingFits { .. } => {
            "--only, --platform and --pre say which files count; yanked ones have to be pinned with =="
        }
        Failure::NotALock { source: None, .. } => {
            "name a uv.lock, poetry.lock, pylock.toml or pylock.NAME.toml, or requirements as *.txt"
        }
        Failure::NotADistribution { .. } => {
            "name a wheel or sdist, by the file name under which the index lists it"
        }
        Failure::Rules { .. } => RULES,
        Failure::Project(error) => return of_project(error).map(str::to_owned),
        Failure::Key(error) | Failure::Ceremony(ceremony::CeremonyError::Key(error)) => {
            of_key(error)?
        }
        Failure::KeyCommand(KeyCommandError::Key(error)) => of_key(error)?,
        Failure::KeyCommand(error) => error.hint()?,
        Failure::Config(_) => {
            "`countersign config show` shows every setting and where it comes from"
        }
        Failure::Database(error) => of_database(error),
        Failure::Delivery(_) | Failure::TokensInTheClear { .. } | Failure::Tokens(_) => {
            of_intake(failure)?
        }
        Failure::UnknownPolicy { .. } => {
            let known: Vec<_> = policy::Policy::built_in_names().collect();
            return Some(format!("shipped are {}; or name a file", known.join(", ")));
        }
        Failure::Policy { .. } => {
            "start from a shipped policy: every value there cites the clause it comes from"
        }
        Failure::Target(_) => {
            "name a wheel or sdist, or a target path such as packages/ec/requests/requests-2.32.3.tar.gz"
        }
        Failure::Taken { .. } => {
            "choose another folder with --data-dir, or go on in this one with `countersign index`, \
             `countersign online` and `countersign serve`"
        }
        Failure::NoOnlineKey { .. } => {
            "name one with --online-key file:PATH, or under [online] in countersign.toml; \
             `countersign key new` makes one"
        }
        Failure::NotARoot { .. } => {
            "the index's operators hand out its root; its name is like 1.root.json"
        }
        Failure::UnknownProject { .. } => of_kind(Kind::NotSigned)?,
        Failure::NotARepository { .. } => {
            "name the URL or folder in which `metadata` and `targets` lie, or the folder of an index"
        }
        Failure::RootDigest { .. } => {
            "do not trust this file; get it again, and the digest by another way"
        }
        Failure::PartlyRefused { .. } => "each is named above with the reason",
        Failure::NothingToAdd { .. }
        | Failure::NothingTakenIn { .. }
        | Failure::StillQueued { .. }
        | Failure::NotPublished { .. }
        | Failure::OthersPublished { .. } => of_queued(failure)?,
        Failure::Receive(error) => return of_code(error.code()).map(str::to_owned),
        Failure::Attention { expired: true, .. } => EXPIRED,
        Failure::Attention { .. } => "`countersign index status` shows the whole",
        Failure::Listen { .. } => "choose another port; port 0 takes a free one",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// What to do about files and releases on their way into the index.
fn of_queued(failure: &Failure) -> Option<&'static str> {
    Some(match failure {
        Failure::NothingToAdd { .. } => {
            "wheels end in .whl, source distributions in .tar.gz or .zip"
        }
        Failure::NothingTakenIn { .. } => {
            "mend the files named above and queue them with `countersign index add`, \
             or remove the folder and start again"
        }
        Failure::StillQueued { .. } => {
            "nothing is lost: `countersign online tick --at-once` publishes them now, \
             `countersign online run` as they come"
        }
        Failure::NotPublished { .. } => {
            "nothing is lost: `countersign project accepted --index NAME --wait` looks again; if the index \
             has refused it, `countersign project refused`"
        }
        Failure::OthersPublished { .. } => {
            "somebody else with a key of this role has released meanwhile, or the index lies: compare \
             with the other maintainers before you sign again"
        }
        _ => return None,
    })
}

fn of_database(error: &state_postgres::AddressError) -> &'static str {
    match error {
        state_postgres::AddressError::Password => {
            "leave it out; --state-password-file, a systemd credential or ~/.pgpass hold it"
        }
        state_postgres::AddressError::WithoutTls { .. } => {
            "leave `sslmode` out: another machine is asked over TLS, by a certificate of an authority \
             that the system or --state-authorities knows"
        }
        _ => "an address looks like `postgres://USER@HOST/DATABASE`",
    }
}

/// What a developer can do, by the code of the reason.
fn of_project(error: &ProjectError) -> Option<&'static str> {
    Some(match error {
        ProjectError::NoProject { .. } => {
            "`countersign project claim` begins one; --project-dir says where one is"
        }
        ProjectError::Taken { .. } => "choose another folder with --project-dir",
        ProjectError::NothingToSign { .. } | ProjectError::NothingToSend => {
            "`countersign project sign DIST… --yes` makes a new version"
        }
        ProjectError::NothingSent => "`countersign project upload` writes an archive for the index",
        ProjectError::OnItsWay => {
            "say `countersign project accepted` or `countersign project refused` first"
        }
        ProjectError::NotDelegated { .. } => "`countersign project sub-role set` names sub-roles",
        ProjectError::NotItsKey { .. } => {
            "`countersign project status` shows the keys, `countersign project key show` the id of one"
        }
        ProjectError::Refused(reason) => of_code(reason.code())?,
        ProjectError::Claim(claims::ClaimError::Expired { .. }) => {
            "ask the operator of the index for a new one"
        }
        ProjectError::Claim(claims::ClaimError::NotPossessed { .. }) => {
            "its holder signs with `countersign project claim PROJECT --add-signature --key KEY`"
        }
        _ => return None,
    })
}

/// What the developer of a project can do about the code of a refusal.
pub(crate) fn of_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "nobody-signs" => {
            "the operator adds the table `claims` to the policy, and a ceremony renews targets"
        }
        "unknown" => {
            "send what `countersign project upload` writes, or request.json with the grant for it"
        }
        "claim-alone" => "send request.json and the grant for it in one call",
        "no-operator" => "say whose grants count: --operator-public-key FILE --index-url URL",
        "claim-used" | "claim-expired" | "claim-other-origin" => {
            "begin anew: `countersign index claims challenge`, `countersign project claim`"
        }
        "claim-other-index" | "claim-other-project" => {
            "send the request and the grant that were made for this index and this project"
        }
        "claim-document" => {
            "send the files as `countersign project claim` and `index claims grant` write them"
        }
        "claim-keys" => {
            "claim with at most 32 keys of other kinds, and a threshold that they can reach"
        }
        "claim-before-recovery" => {
            "the operator looks at the request once more: `countersign index claims grant`"
        }
        "claim-not-yet" => "set the clock of the machine that signed it, or of this one",
        "held" => {
            "the operator confirms its keys, `countersign index claims confirm`, or grants others"
        }
        "claim-not-possessed" => {
            "its holder signs with `countersign project claim PROJECT --add-signature --key KEY`"
        }
        "claim-not-granted" => {
            "the operator grants it with `countersign index claims grant`, with the key named here"
        }
        "unregistered" => "claim the project first: `countersign project claim`",
        "claimed" => "ask those who hold the keys of `claimed`: they plan it with `--release`",
        "awaits-ceremony" => {
            "sign with the old keys, too; if nobody has them, hand the file to the operator, for \
             `countersign index apply SET --transaction FILE`"
        }
        "name-taken" | "file-reused" => {
            "a name never comes back with other bytes: build a new version"
        }
        "head-room" => "ask the operator: a ceremony that moves claimed projects makes room",
        "signatures" => {
            "sign with `countersign project sign --add-signature --key KEY`; a sub-role whose key \
             was replaced is signed anew with --sub-role NAME"
        }
        "role-missing" => {
            "a new sub-role goes with its first version: `countersign project sign --sub-role NAME`"
        }
        "role-not-delegated" => "name it with `countersign project sub-role set`",
        "version" => {
            "another version was published meanwhile: copy it into the project's folder and sign again"
        }
        "archive" | "archive-too-large" | "entry-name" | "entry-twice" | "entry-kind"
        | "entry-compressed" | "entry-too-large" | "no-role" | "other-project" | "role-name" => {
            "send the archive as `countersign project upload` writes it"
        }
        "role" | "delegation" | "key" | "threshold" | "path" | "no-sha256" | "withdrawal" => {
            "make the role anew with `countersign project sign` and `project sub-role`"
        }
        "versions-used-up" => "the project needs another sub-role, or another name",
        "distribution" => "build the file anew: what is in it is not what its name says",
        "metadata-missing" | "metadata-differs" => {
            "sign the wheel again: `countersign project sign` takes its metadata from it"
        }
        "expiry" => "sign again with --days from 8 to 400",
        "file-missing" => "name the file to `countersign project upload` too",
        "file-differs" | "file-changed" => {
            "a file never changes under its name: build a new version of it"
        }
        "files-dropped" => {
            "list the files with `countersign project sign FILE…`, or give them up with --withdraw"
        }
        "file-unlisted" => "sign it first, or leave it out",
        "file-in-two-roles" => "withdraw it from one of them in the same transaction",
        "sub-roles" | "path-not-delegated" | "pattern" => {
            "`countersign project sub-role set` says what a sub-role may sign; eight names, ever"
        }
        "private-key" => {
            "make a new key, and destroy the one that was written where it can be read"
        }
        _ => return None,
    })
}

/// What helps at an intake, and with its tokens.
fn of_intake(failure: &Failure) -> Option<&'static str> {
    Some(match failure {
        Failure::Delivery(error) => of_delivery(error)?,
        Failure::TokensInTheClear { .. } => {
            "give --tls-certificate and --tls-key, listen on 127.0.0.1, or say --behind-proxy if a \
             proxy in front has TLS"
        }
        Failure::Tokens(intake::TokenFileError::Taken { .. }) => {
            "idempotency keys belong to the name: give the new token another, such as hooks-2"
        }
        Failure::Tokens(intake::TokenFileError::Unknown { .. }) => {
            "`countersign online token list` lists them"
        }
        _ => return None,
    })
}

fn of_delivery(error: &DeliveryError) -> Option<&'static str> {
    Some(match error {
        DeliveryError::InTheClear { .. } => "give an https:// address",
        DeliveryError::Unreachable { .. } => "check the address, then send the same archive again",
        DeliveryError::Nonsense { .. } => {
            "--intake-url is where `countersign online serve` listens"
        }
        DeliveryError::NotPublished { .. } => "say `countersign project refused` and sign again",
        DeliveryError::Refused { problem } => match problem.code.as_deref() {
            Some(code) => of_code(code)?,
            None if problem.status == 401 || problem.status == 403 => {
                "ask the operator of the index for a token that may `transaction` for this project"
            }
            None => return None,
        },
    })
}

fn of_bucket(error: &BucketError) -> Option<&'static str> {
    Some(match error {
        BucketError::Place { .. } => "write s3://BUCKET or s3://BUCKET/PREFIX",
        BucketError::Endpoint { .. } => {
            "use https; --store-plain-http is for a network that nobody else reads"
        }
        BucketError::NoRegion => "name it with --store-region, or set AWS_REGION",
        BucketError::Credentials { .. } => {
            "set AWS_PROFILE or the like, or name a file with --store-credentials-file"
        }
        BucketError::NoConditions { .. } => {
            "use a service that knows conditional writes (Amazon S3, MinIO, R2, Ceph from 19), or a folder"
        }
        BucketError::MissingIsDenied { .. } => {
            "grant readers s3:ListBucket as well: `countersign generate bucket-policy` prints what they need"
        }
        BucketError::Unusable { .. } => {
            "check the bucket's name, its endpoint, and what the credentials allow: \
             `countersign generate bucket-policy` prints what they need"
        }
        _ => return None,
    })
}

fn of_client(error: &ClientError) -> Option<&'static str> {
    Some(match error {
        ClientError::NoRoot { .. } => {
            "`countersign client init ROOT` trusts a root that you got by a safe way, \
             `countersign trust add` a whole index"
        }
        ClientError::OtherRoot { .. } => {
            "leave the root out to go on with what is trusted there; \
             for another repository choose another --metadata-dir"
        }
        ClientError::Busy { .. } => "another countersign uses this folder; try again in a moment",
        ClientError::BaseUrl { .. } => "give a URL such as https://index.example/metadata/",
        other => of_kind(other.kind())?,
    })
}

/// What an installer can do about a verdict.
fn of_kind(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Digest => {
            "what was served is not what was signed: do not use it, and tell the index's operators"
        }
        Kind::Signatures => {
            "somebody serves metadata without the keys for it: tell the index's operators"
        }
        Kind::Expired => {
            "the repository is not being updated, or a mirror serves an old copy; \
             check this machine's clock, then ask the index's operators"
        }
        Kind::Rollback => {
            "something older than this machine has seen is being served: \
             do not reset the metadata folder, tell the index's operators"
        }
        Kind::NotSigned => "check the spelling; what is signed, the project's page lists",
        Kind::Network => "check the URL and the connection, then try again",
        Kind::Refused | Kind::Local => return None,
    })
}

fn of_key(error: &KeyError) -> Option<&'static str> {
    match error {
        KeyError::Other { source, .. } => Some(source.downcast_ref::<KmsError>()?.hint()),
        error => key_hint(error),
    }
}
