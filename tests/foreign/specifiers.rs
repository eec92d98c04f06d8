//! Version specifiers mean to us what they mean to pip, whose own copy of `packaging` is asked.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use countersign_tests::environment::{clean_command, prepared};
use index::{
    DistributionFilename, PageFile, ProjectName, SimplePage, Specifiers, Status, Version440,
    Yanked, choose,
};
use metadata::Sha256;

/// Numbers that are the same on every run: xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn version(&mut self) -> String {
        let mut version = self.one(&["", "", "", "", "1!"]).to_owned();
        version += self.one(&["0", "1", "2", "10"]);
        for _ in 0..self.below(4) {
            version += self.one(&[".0", ".1", ".2", ".10"]);
        }
        version += self.one(&["", "", "", "a1", "b2", "rc1", "a10"]);
        version += self.one(&["", "", "", ".post1", ".post0", "-1"]);
        version += self.one(&["", "", "", ".dev1", ".dev0"]);
        version += self.one(&["", "", "", "", "+a", "+1.b"]);
        version
    }

    fn specifier(&mut self) -> String {
        let operators = ["==", "!=", "<=", ">=", "<", ">", "~=", "==="];
        let (operator, space) = (self.one(&operators), self.one(&["", " "]));
        let (version, star) = (self.version(), self.one(&["", "", ".*"]));
        format!("{operator}{space}{version}{star}")
    }
}

struct Case {
    specifiers: String,
    versions: Vec<String>,
}

fn cases(count: usize) -> Vec<Case> {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let mut case = || {
        let specifiers: Vec<String> = (0..=dice.below(2)).map(|_| dice.specifier()).collect();
        // One version of each that are equal, so that "the newest" is one.
        let mut seen = BTreeSet::new();
        let versions = (0..12).map(|_| dice.version());
        let versions = versions.filter(|it| seen.insert(Version440::parse(it).unwrap()));
        Case {
            versions: versions.collect(),
            specifiers: specifiers.join(","),
        }
    };
    (0..count).map(|_| case()).collect()
}

fn packaging(cases: &[Case]) -> Vec<String> {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/readers/packaging_specifiers.py"
    );
    let folder = tempfile::tempdir().unwrap();
    let mut command: Command = clean_command(prepared("venv/bin/python"), folder.path());
    let mut child = command
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = String::new();
    for case in cases {
        lines.extend([&*case.specifiers, "\t", &*case.versions.join("\t"), "\n"]);
    }
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().map(str::to_owned).collect()
}

fn bits(flags: impl Iterator<Item = bool>) -> String {
    flags.map(|flag| if flag { '1' } else { '0' }).collect()
}

/// What `choose` takes of a page that has one file of each version.
fn chosen(case: &Case, specifiers: &Specifiers) -> Option<Version440> {
    let file = |version: &String| {
        let version = Version440::parse(version).unwrap();
        let name = format!("a-{version}.tar.gz");
        PageFile {
            filename: DistributionFilename::parse(&name).unwrap(),
            sha256: Sha256::of(name.as_bytes()),
            size: 1,
            requires_python: None,
            upload_time: None,
            yanked: Yanked::No,
            core_metadata: None,
        }
    };
    let files = case.versions.iter().map(file).collect();
    let page = SimplePage::new(ProjectName::parse("a").unwrap(), files, Status::default()).unwrap();
    choose(&page, specifiers, false, |_| true).map(|choice| choice.version.clone())
}

/// 4,000 sets of one or two specifiers, each with a dozen versions: the same sets are valid, they take the same
/// versions, and the newest that pip would look at is the one chosen.
#[test]
fn specifiers_are_read_as_pip_reads_them() {
    let cases = cases(4_000);
    let answers = packaging(&cases);
    assert_eq!(answers.len(), cases.len());
    let (mut valid, mut taken) = (0, 0);
    for (case, answer) in cases.iter().zip(&answers) {
        let context = format!("{:?} {:?}", case.specifiers, case.versions);
        let Ok(specifiers) = Specifiers::parse(&case.specifiers) else {
            assert_eq!(answer, "invalid", "{context}");
            continue;
        };
        let (inside, left) = answer
            .split_once('\t')
            .unwrap_or_else(|| panic!("{context}"));
        let versions = case
            .versions
            .iter()
            .map(|it| Version440::parse(it).unwrap());
        let versions: Vec<Version440> = versions.collect();
        assert_eq!(
            bits(versions.iter().map(|it| specifiers.contains(it))),
            inside,
            "{context}"
        );
        let left = versions.iter().zip(left.chars());
        let newest = left.filter(|(_, bit)| *bit == '1').map(|(it, _)| it).max();
        assert_eq!(chosen(case, &specifiers).as_ref(), newest, "{context}");
        valid += 1;
        taken += inside.matches('1').count();
    }
    assert!(
        valid > 1_500 && taken > 5_000,
        "{valid} valid, {taken} taken"
    );
}
