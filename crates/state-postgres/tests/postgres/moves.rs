//! The state is carried from SQLite to PostgreSQL and back, and whatever is cut short leaves one state whole.

use std::path::{Path, PathBuf};

use countersign_repository::rows::Mark;
use countersign_repository::{
    Arrival, Parts, Repository, RepositoryError, Rows, SqliteArrival, SqliteState, State, Table,
    TakeRows, TickOptions, WithRows,
};
use countersign_state_postgres::{PostgresArrival, PostgresState};
use policy::StateLimits;

use crate::same::{Life, all};
use crate::site::{PostgresSite, database};
use crate::support::{FolderSite, Site, samples, start};

/// Where a move dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Death {
    /// Before so many tables are copied.
    Filling(usize),
    /// Copied, and nobody has heard of it.
    Filled,
    /// The copy is read back.
    Reading,
    /// The state is left, and the copy is none yet.
    Left,
    /// The copy is the state, and the settings name the other.
    Arrived,
    /// Nowhere.
    Never,
}

const DEATHS: [Death; 8] = [
    Death::Filling(0),
    Death::Filling(1),
    Death::Filling(10),
    Death::Filling(20),
    Death::Filled,
    Death::Reading,
    Death::Left,
    Death::Arrived,
];

fn died() -> RepositoryError {
    RepositoryError::Damaged {
        what: "the fuse".to_owned(),
    }
}

/// A place whose copying dies.
struct Dying {
    inner: Box<dyn Arrival>,
    death: Death,
}

struct Few<'a> {
    rows: &'a mut dyn Rows,
    left: Option<usize>,
}

impl Rows for Few<'_> {
    fn each(&mut self, table: &Table, take: TakeRows<'_>) -> Result<(), RepositoryError> {
        match &mut self.left {
            Some(0) => return Err(died()),
            Some(left) => *left -= 1,
            None => {}
        }
        self.rows.each(table, take)
    }

    fn last_number(&mut self, table: &str) -> Result<i64, RepositoryError> {
        self.rows.last_number(table)
    }
}

impl Arrival for Dying {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn fill(&mut self, from: &Mark, rows: &mut dyn Rows) -> Result<(), RepositoryError> {
        let left = match self.death {
            Death::Filling(left) => Some(left),
            _ => None,
        };
        self.inner.fill(from, &mut Few { rows, left })?;
        if self.death == Death::Filled {
            return Err(died());
        }
        Ok(())
    }

    fn read(&mut self, with: WithRows<'_>) -> Result<(), RepositoryError> {
        self.inner.read(with)?;
        if self.death == Death::Reading {
            return Err(died());
        }
        Ok(())
    }

    fn arrive(&mut self, id: &str) -> Result<(), RepositoryError> {
        if self.death == Death::Left {
            return Err(died());
        }
        self.inner.arrive(id)
    }
}

/// An index whose state is in one of two places.
struct Carried<'a> {
    site: &'a PostgresSite,
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum In {
    Sqlite,
    Postgres,
}

impl In {
    fn other(self) -> Self {
        match self {
            Self::Sqlite => Self::Postgres,
            Self::Postgres => Self::Sqlite,
        }
    }
}

impl Carried<'_> {
    fn file(&self) -> PathBuf {
        self.folder.join(Parts::STATE)
    }

    fn name(&self, place: In) -> String {
        match place {
            In::Sqlite => self.file().display().to_string(),
            In::Postgres => self.site.address(&self.folder).to_string(),
        }
    }

    fn state(&self, place: In) -> Result<Box<dyn State>, RepositoryError> {
        Ok(match place {
            In::Sqlite => Box::new(SqliteState::open(&self.file())?),
            In::Postgres => Box::new(PostgresState::open(self.site.address(&self.folder))?),
        })
    }

    fn open(&self, place: In) -> Result<Repository, RepositoryError> {
        match place {
            In::Sqlite => Repository::open(&self.folder),
            In::Postgres => {
                // Opened once more by the site, which takes it that there is one.
                drop(self.state(place)?);
                Repository::assemble(self.site.parts(&self.folder))
            }
        }
    }

    fn move_to(&self, place: In, death: Death) -> Result<(), RepositoryError> {
        let mut from = self.open(place.other())?;
        let settings = from.settings().clone();
        let inner: Box<dyn Arrival> = match place {
            In::Sqlite => Box::new(SqliteArrival::at(self.file(), settings)),
            In::Postgres => {
                let address = self.site.address(&self.folder);
                Box::new(PostgresArrival::at(
                    address,
                    StateLimits::default(),
                    settings,
                ))
            }
        };
        let mut to = Dying { inner, death };
        let id = format!("{death:?}");
        let switch = || match death {
            Death::Arrived => Err(died()),
            _ => Ok(()),
        };
        from.move_state_to(&self.name(place.other()), &mut to, &id, start(), switch)?;
        Ok(())
    }

    /// The move once more, as `index move` goes on with it.
    fn move_again(&self, place: In) -> Result<(), RepositoryError> {
        match self.move_to(place, Death::Never) {
            Err(RepositoryError::Moved { to, id }) => {
                assert_eq!(to, self.name(place));
                match place {
                    In::Sqlite => SqliteArrival::arrive_at(&self.file(), &id),
                    In::Postgres => {
                        PostgresArrival::arrive_at(self.site.address(&self.folder), &id)
                    }
                }
            }
            done => done,
        }
    }
}

/// There and back, dying at every step of the way; after each death what can be opened holds everything, and
/// at no time can both.
#[test]
fn a_move_that_is_cut_short_leaves_one_state_whole() {
    let site = PostgresSite::start();
    let life = Life::new();
    let folder = tempfile::tempdir().unwrap();
    let _ = site.server().database(&database(folder.path()));
    life.live(&FolderSite, folder.path());
    let index = Carried {
        site: &site,
        folder: folder.path().to_owned(),
    };
    let before = all(index.state(In::Sqlite).unwrap().as_ref());
    for to in [In::Postgres, In::Sqlite, In::Postgres] {
        for death in DEATHS {
            let died = index.move_to(to, death);
            assert!(
                matches!(died, Err(RepositoryError::Damaged { .. })),
                "{to:?}, {death:?}: {died:?}"
            );
            let there = index.state(to);
            match index.state(to.other()) {
                Ok(here) => {
                    assert!(there.is_err(), "{to:?}, {death:?}");
                    assert_eq!(all(here.as_ref()), before, "{to:?}, {death:?}");
                }
                Err(error) => {
                    assert!(matches!(error, RepositoryError::Moved { .. }), "{error:?}");
                    assert_eq!(there.is_ok(), death == Death::Arrived);
                    index.move_again(to).unwrap();
                    // The same again does no harm.
                    index.move_again(to).unwrap();
                    let there = index.state(to).unwrap();
                    assert_eq!(all(there.as_ref()), before, "{to:?}, {death:?}");
                    // Back, for the next death.
                    index.move_to(to.other(), Death::Never).unwrap();
                }
            }
        }
        index.move_to(to, Death::Never).unwrap();
        let there = index.state(to).unwrap();
        assert_eq!(all(there.as_ref()), before, "{to:?}");
    }
    // It is a state like any other: what waited is published.
    let mut repository = index.open(In::Postgres).unwrap();
    let at_once = TickOptions { at_once: true };
    let report = repository.tick(life.signers(), start(), at_once).unwrap();
    assert!(
        report.timestamp.is_some() && !report.outcomes.is_empty(),
        "{report:?}"
    );
}

/// Whoever has the state open while it is moved writes nothing to it afterwards, whatever it is.
#[test]
fn a_state_that_was_moved_takes_nothing_in() {
    let site = PostgresSite::start();
    let life = Life::new();
    let folder = tempfile::tempdir().unwrap();
    let _ = site.server().database(&database(folder.path()));
    life.live(&FolderSite, folder.path());
    let index = Carried {
        site: &site,
        folder: folder.path().to_owned(),
    };
    for to in [In::Postgres, In::Sqlite] {
        let mut open = index.open(to.other()).unwrap();
        let mut state = index.state(to.other()).unwrap();
        index.move_to(to, Death::Never).unwrap();
        let at_once = TickOptions { at_once: true };
        let refused = [
            open.tick(life.signers(), start(), at_once).map(drop),
            open.add_files(&[new_wheel(folder.path(), to)], start())
                .map(drop),
            open.sweep(start()).map(drop),
            state.enqueue_set(&[], &[], start()).map(drop),
            state.check_place(),
            index.state(to.other()).map(drop),
        ];
        for (at, refused) in refused.into_iter().enumerate() {
            let name = index.name(to);
            assert!(
                matches!(&refused, Err(RepositoryError::Moved { to, .. }) if *to == name),
                "{at} at {to:?}: {refused:?}"
            );
        }
    }
}

/// A database of somebody else's stays theirs.
#[test]
fn another_state_is_not_written_over() {
    let site = PostgresSite::start();
    let life = Life::new();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    life.live(&FolderSite, folders[0].path());
    life.live(&site, folders[1].path());
    let theirs = Carried {
        site: &site,
        folder: folders[1].path().to_owned(),
    };
    let before = all(theirs.state(In::Postgres).unwrap().as_ref());
    let mut ours = Repository::open(folders[0].path()).unwrap();
    let settings = ours.settings().clone();
    let address = site.address(folders[1].path());
    let mut to = PostgresArrival::at(address, StateLimits::default(), settings.clone());
    let done = ours.move_state_to("here", &mut to, "1", start(), || {
        Ok::<_, RepositoryError>(())
    });
    assert!(
        matches!(done, Err(RepositoryError::HoldsAnother { .. })),
        "{done:?}"
    );
    assert_eq!(all(theirs.state(In::Postgres).unwrap().as_ref()), before);
    // Nor is a file.
    life.live(&FolderSite, &folders[0].path().join("other"));
    let file = folders[0].path().join("other").join(Parts::STATE);
    let mut to = SqliteArrival::at(file.clone(), settings);
    let done = ours.move_state_to("here", &mut to, "1", start(), || {
        Ok::<_, RepositoryError>(())
    });
    assert!(
        matches!(done, Err(RepositoryError::HoldsAnother { .. })),
        "{done:?}"
    );
    SqliteState::open(&file).unwrap();
}

fn new_wheel(folder: &Path, to: In) -> PathBuf {
    let sample = &samples()[0];
    let is_words = |path: &&PathBuf| path.to_str().unwrap().contains("sample_words");
    let sample = samples()
        .into_iter()
        .find(|path| is_words(&path))
        .unwrap_or(sample.clone());
    let name = format!(
        "countersign_sample_words-1.0.0-{}-py3-none-any.whl",
        to as u8 + 1
    );
    std::fs::copy(sample, folder.join(&name)).unwrap();
    folder.join(name)
}
