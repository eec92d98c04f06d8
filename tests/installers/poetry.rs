//! Projects of poetry, which has no variable for its index: each names its sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::environment::prepared;

use crate::machine::{Machine, Ran};

/// A project with an environment of its own.
pub(crate) struct PoetryProject {
    folder: PathBuf,
}

impl PoetryProject {
    /// A project in a new folder of this name.
    pub(crate) fn new(machine: &Machine, name: &str) -> Self {
        let folder = machine.home.path().join(name);
        fs::create_dir(&folder).unwrap();
        Self { folder }
    }

    /// What starts poetry, without what it is told to do.
    pub(crate) fn words() -> Vec<String> {
        let python = prepared("venv/bin/python").display().to_string();
        [&python, "-m", "poetry"].map(str::to_owned).to_vec()
    }

    /// Installs what the project depends on, given as a line of its file, from `sources`, the first
    /// of which is the primary one. The environment stays, for time's sake, without what an
    /// earlier installation left in it. `command` is poetry already, however it is started.
    pub(crate) fn install(&self, mut command: Command, sources: &[&str], depends: &str) -> Ran {
        for left in self.installed() {
            fs::remove_dir_all(left).unwrap();
        }
        let _ = fs::remove_file(self.folder.join("poetry.lock"));
        let mut text = format!(
            "[tool.poetry]\nname = \"p\"\nversion = \"1\"\ndescription = \"\"\nauthors = []\n\
             package-mode = false\n[tool.poetry.dependencies]\npython = \">=3.10\"\n{depends}\n"
        );
        for (at, url) in sources.iter().enumerate() {
            let priority = if at == 0 { "primary" } else { "supplemental" };
            let source =
                format!("name = \"source-{at}\"\nurl = \"{url}\"\npriority = \"{priority}\"\n");
            text = text + "[[tool.poetry.source]]\n" + &source;
        }
        fs::write(self.folder.join("pyproject.toml"), text).unwrap();
        command
            .args(["install", "-n"])
            .env("PYTHONPATH", prepared("installers/poetry-2.5.1"))
            .env("POETRY_VIRTUALENVS_IN_PROJECT", "true")
            .current_dir(&self.folder);
        let output = command.output().unwrap();
        Ran::of(&output, &self.site_packages())
    }

    /// Where it installs into; the project's folder while there is no environment.
    pub(crate) fn site_packages(&self) -> PathBuf {
        let lib = fs::read_dir(self.folder.join(".venv/lib")).ok();
        let python = lib.and_then(|mut lib| Some(lib.next()?.unwrap().path()));
        python.map_or_else(|| self.folder.clone(), |it| it.join("site-packages"))
    }

    /// The packages of the tests' own that are installed.
    fn installed(&self) -> Vec<PathBuf> {
        let is_ours = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            ["matrix_", "countersign_"]
                .iter()
                .any(|it| name.starts_with(it))
        };
        let all = fs::read_dir(self.site_packages()).unwrap();
        all.map(|it| it.unwrap().path())
            .filter(|path| is_ours(path))
            .collect()
    }
}
