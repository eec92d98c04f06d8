//! `countersign index move --state-to`: carries the state of an index to another database.

use repository::RepositoryError;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::clock;
use crate::config::{Config, Setting, keep_state, portable};
use crate::console::Console;
use crate::data_dir::{DataDir, DataDirArgs};
use crate::failure::{Failure, UsageError};
use crate::places::{self, StatePlace, StorageArgs};

#[derive(Serialize)]
struct Report {
    from: String,
    to: String,
    /// Rows copied; `null` where an earlier call had copied them.
    rows: Option<u64>,
}

pub(super) fn run(
    args: &DataDirArgs,
    to: &StatePlace,
    json: JsonArgs,
    console: &Console,
) -> Result<(), Failure> {
    let given = args.open();
    let storage = given.storage();
    if storage.state.is_some() {
        return Err(UsageError::MovesByStateTo.into());
    }
    let data_dir = DataDir::at(given.path().to_owned());
    let config = Config::load(&data_dir)?;
    let new = kept(to, storage, &data_dir)?;
    let mut target = Config::load(&data_dir)?;
    target.state = Setting::given(absolute(to)?);
    target.state_password = Setting::given(storage.state_password());
    target.state_authorities = Setting::given(storage.state_authorities.clone());
    let from = absolute(&config.state.value)?.to_string();
    if target.state.value.to_string() == from {
        return Err(UsageError::MovesNowhere.into());
    }
    let keep = || keep_state(&data_dir.config(), &new);
    let rows = match places::open(&data_dir) {
        Ok(mut repository) => {
            let mut arrival = places::arrival(&target, repository.settings())?;
            let id = new_id()?;
            let done =
                repository.move_state_to(&from, arrival.as_mut(), &id, clock::now(), keep)?;
            Some(done.rows)
        }
        Err(failure) => {
            finish(&failure, &target)?.ok_or(failure)?;
            keep()?;
            None
        }
    };
    let report = Report {
        from,
        to: target.state.value.to_string(),
        rows,
    };
    console.report(json.json, &report, || report.text())
}

/// Goes on with a move to the same place that was cut short after the state was left; `None` if there was
/// none.
fn finish(failure: &Failure, target: &Config) -> Result<Option<()>, Failure> {
    match failure {
        Failure::Repository(RepositoryError::Moved { to, id })
            if *to == target.state.value.to_string() =>
        {
            places::arrive(target, id).map(Some)
        }
        _ => Ok(None),
    }
}

/// What the settings say of the new place.
fn kept(to: &StatePlace, given: &StorageArgs, data_dir: &DataDir) -> Result<StorageArgs, Failure> {
    let portable = |path: &std::path::PathBuf| {
        portable(path, data_dir.path()).map_err(|source| Failure::Io {
            doing: "find",
            path: path.clone(),
            source,
        })
    };
    let state = match to {
        StatePlace::File(path) => StatePlace::File(portable(path)?),
        database @ StatePlace::Postgres(_) => database.clone(),
    };
    let usual = StatePlace::File(repository::Parts::STATE.into());
    Ok(StorageArgs {
        state: (state != usual).then_some(state),
        state_password_file: given
            .state_password_file
            .as_ref()
            .map(portable)
            .transpose()?,
        state_password_credential: given.state_password_credential.clone(),
        state_authorities: given.state_authorities.as_ref().map(portable).transpose()?,
        ..StorageArgs::default()
    })
}

fn absolute(place: &StatePlace) -> Result<StatePlace, Failure> {
    match place {
        StatePlace::File(path) => {
            let absolute = std::path::absolute(path).map_err(|source| Failure::Io {
                doing: "find",
                path: path.clone(),
                source,
            })?;
            Ok(StatePlace::File(absolute))
        }
        database @ StatePlace::Postgres(_) => Ok(database.clone()),
    }
}

/// A number that no other copy has.
fn new_id() -> Result<String, Failure> {
    let mut id = [0; 16];
    let filled = SystemRandom::new().fill(&mut id);
    filled.map_err(|_| Failure::NoRandomness)?;
    Ok(format!("{:032x}", u128::from_be_bytes(id)))
}

impl Report {
    fn text(&self) -> String {
        let (from, to) = (&self.from, &self.to);
        let done = match self.rows {
            Some(rows) => format!("carried {rows} rows from {from} to {to}, and read them back"),
            None => format!("finished the move from {from} to {to} that was cut short"),
        };
        format!(
            "{done}\nnext: name the new place in the settings of other machines, if there are any; what is \
             left at the old one is refused to every program and can be put away\n"
        )
    }
}
