//! An index with a project for each row of the matrix, and its mirror, which tampers with them all.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use countersign_tests::environment::{clean_command, prepared, said};
use countersign_tests::published::Made;
use metadata::Sha256;
use policy::Encoding;

use super::rows::{DEPENDENCY, Files, Pages, ROWS, Row};
use crate::stage::Stage;

/// Makes, for each project, the wheel that is signed, one with evil code, and one that requires more.
const SCRIPT: &str = "
import base64, hashlib, sys, zipfile
folder, *projects = sys.argv[1:]
def wheel(kind, project, requires):
    module = project.replace('-', '_')
    info = f'{module}-1.0.0.dist-info'
    requires = ''.join(f'Requires-Dist: {it}\\n' for it in requires)
    files = {
        f'{module}/__init__.py': 'evil = True\\n' if kind == 'evil' else 'evil = False\\n' * 9,
        f'{info}/METADATA': f'Metadata-Version: 2.1\\nName: {project}\\nVersion: 1.0.0\\n{requires}',
        f'{info}/WHEEL': 'Wheel-Version: 1.0\\nGenerator: matrix\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n',
    }
    digest = lambda text: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')
    record = ''.join(f'{path},sha256={digest(text)},{len(text)}\\n' for path, text in files.items())
    files[f'{info}/RECORD'] = record + f'{info}/RECORD,,\\n'
    with zipfile.ZipFile(f'{folder}/{kind}/{module}-1.0.0-py3-none-any.whl', 'w') as out:
        out.comment = b'a comment, the last bytes of a wheel'
        for path, text in files.items():
            out.writestr(zipfile.ZipInfo(path), text)
for it in projects:
    project, *requires = it.split()
    wheel('good', project, requires)
    wheel('evil', project, requires)
    wheel('demanding', project, [*requires, 'matrix-dependency'])
";

/// The index, all of it signed, and tampered with by its mirror since.
pub(super) fn tampered() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    make_wheels(folder.path());
    let good = |project: &str| folder.path().join("good").join(file_name(project));
    let mut signed = vec![good(DEPENDENCY)];
    signed.extend(ROWS.iter().map(|row| good(&row.project())));
    let stage = Stage::of(Made::small(Encoding::PathHashPrefixes), &signed);
    for row in &ROWS {
        let project = row.project();
        let name = file_name(&project);
        let read = |kind: &str| fs::read(folder.path().join(kind).join(&name)).unwrap();
        let metadata = stage.index.stored(&format!("/{project}/{name}.metadata"));
        let files = Files {
            wheel: read("good"),
            metadata: fs::read(metadata).unwrap(),
            evil: read("evil"),
            demanding: read("demanding"),
        };
        tamper(&stage, row, &files);
    }
    stage
}

fn file_name(project: &str) -> String {
    format!("{}-1.0.0-py3-none-any.whl", project.replace('-', "_"))
}

fn make_wheels(folder: &Path) {
    for kind in ["good", "evil", "demanding"] {
        fs::create_dir(folder.join(kind)).unwrap();
    }
    let requiring = |row: &Row| {
        let requires = if row.requires { DEPENDENCY } else { "" };
        format!("{} {requires}", row.project())
    };
    let output = clean_command(prepared("venv/bin/python"), folder)
        .args(["-c", SCRIPT])
        .arg(folder)
        .arg(DEPENDENCY)
        .args(ROWS.iter().map(requiring))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// Puts what the row serves in place of what was signed, wherever it lies.
fn tamper(stage: &Stage, row: &Row, files: &Files) {
    let swaps = [
        (&files.wheel, (row.wheel)(files)),
        (&files.metadata, (row.metadata)(files)),
    ];
    let bent = Cell::new(0);
    stage
        .index
        .tamper(&format!("/{}/", row.project()), |bytes| {
            let swap = swaps.iter().find(|(genuine, _)| **genuine == bytes);
            let after = swap.map_or_else(|| page(row.pages, &bytes, &swaps), |(_, it)| it.clone());
            bent.set(bent.get() + usize::from(after != bytes));
            after
        });
    assert!(bent.get() > 0, "{} changes nothing", row.name);
}

fn page(pages: Pages, bytes: &[u8], swaps: &[(&Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let is_signed = bytes.starts_with(b"{");
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let text = match pages {
        Pages::Fitting => swaps.iter().fold(text, |text, (before, after)| {
            let size = |it: &[u8]| format!("\"size\":{},", it.len());
            let digest = |it: &[u8]| Sha256::of(it).to_string();
            text.replace(&digest(before), &digest(after))
                .replace(&size(before), &size(after))
        }),
        Pages::WithoutHashes => {
            let digest = Sha256::of(swaps[0].0).to_string();
            text.replace(&format!("\"sha256\":\"{digest}\""), "")
                .replace(&format!("#sha256={digest}"), "")
        }
        Pages::Cut(percent) if is_signed => text[..text.len() * percent / 100].to_owned(),
        Pages::AsSigned | Pages::Cut(_) => text,
    };
    text.into_bytes()
}
