//! `client audit-env` on environments that pip and uv have made.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::locks::{done, tool};
use crate::program::{Place, Run};

const METADATA: &str = "countersign-data/repository/metadata";

const TOOL: &str = "sample_tool-1.0-py3-none-any.whl";

/// A wheel with everything that installers put elsewhere or write anew.
fn wheel(path: &Path) {
    const INFO: &str = "sample_tool-1.0.dist-info";
    let mut files = [
        (
            "sample_tool-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: sample-tool\nVersion: 1.0\n",
        ),
        (
            "sample_tool-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        (
            "sample_tool-1.0.dist-info/entry_points.txt",
            "[console_scripts]\nsample-run = sample_tool:main\n",
        ),
        ("sample_tool.py", "def main():\n    print(1)\n"),
        (
            "sample_tool-1.0.data/scripts/sample-script",
            "#!python\nprint(2)\n",
        ),
        ("sample_tool-1.0.data/data/share/sample.txt", "3\n"),
        ("sample_tool-1.0.data/purelib/sample_more.py", "four = 4\n"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .to_vec();
    let record: Vec<String> = files
        .iter()
        .map(|(name, _)| format!("{name},,\n"))
        .collect();
    let record = format!("{}{INFO}/RECORD,,\n", record.concat());
    files.push((format!("{INFO}/RECORD"), record));
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).expect("a file"));
    for (name, text) in files {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(name, options).expect("an entry");
        archive.write_all(text.as_bytes()).expect("its bytes");
    }
    archive.finish().expect("an archive");
}

/// An environment with a sample and a tool, installed by `installer`.
fn environment(installer: &str) -> (Place, PathBuf) {
    let place = Place::after_quickstart();
    place
        .run("client init countersign-data/ceremony/publish-set/1.root.json")
        .expect_code(0);
    wheel(&place.at(TOOL));
    place.run(&format!("index add {TOOL}")).expect_code(0);
    place.run("online tick --at-once").expect_code(0);
    done(
        tool(&place, "uv")
            .args(["venv", "env", "--no-cache", "--python"])
            .arg(python()),
    );
    let served = place.serve("serve --listen 127.0.0.1:0", "Ctrl-C ends it");
    let index = format!("{}/simple/", served.url("serving"));
    let wanted = ["sample-tool", "countersign-sample-words"];
    let interpreter = place.at("env/bin/python");
    let mut command = tool(&place, installer);
    if installer == "uv" {
        command.args(["pip", "install", "--no-cache", "--default-index", &index]);
        command.arg("--python").arg(&interpreter);
    } else {
        command.arg("--python").arg(&interpreter);
        command.args(["install", "--no-cache-dir", "-q", "-i", &index]);
    }
    done(command.arg("--only-binary=:all:").args(wanted));
    let site = std::fs::read_dir(place.at("env/lib")).expect("a folder");
    let site = site.map(|it| it.expect("an entry").path().join("site-packages"));
    let site = site
        .into_iter()
        .find(|it| it.is_dir())
        .expect("site-packages");
    (place, site)
}

fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/.env/venv/bin/python")
}

fn audit(place: &Place, words: &str) -> Run {
    let url = place.url(METADATA);
    place.run(&format!("client audit-env {words} --metadata-url {url}"))
}

#[test]
fn environments_of_both_installers_are_what_is_signed() {
    for installer in ["uv", "pip"] {
        let (place, site) = environment(installer);
        let run = audit(&place, "env --json").expect_code(0);
        let report = run.json();
        let all = report["distributions"].as_array().expect("a list");
        let signed = all.iter().filter(|it| it["verdict"] == "signed").count();
        assert!(signed >= 2, "{report}");
        assert_eq!(
            report["unowned"].as_array().map(Vec::len),
            Some(0),
            "{report}"
        );
        for words in [
            "env/bin/python".to_owned(),
            format!("--path {}", site.display()),
        ] {
            audit(&place, &words)
                .expect_code(0)
                .expect_text("distributions are what is signed, 0 deviate");
        }
    }
}

#[test]
fn each_deviation_is_named() {
    let (place, site) = environment("uv");
    let module = site.join("countersign_sample_words/__init__.py");
    let honest = std::fs::read(&module).expect("a file");
    let altered = |say: &dyn Fn()| {
        say();
        audit(&place, "env").expect_code(1)
    };
    altered(&|| std::fs::write(&module, [&honest[..], b"\nimport evil\n"].concat()).unwrap())
        .expect_text("altered countersign-sample-words")
        .expect_text("countersign_sample_words/__init__.py\n");
    altered(&|| std::fs::remove_file(&module).unwrap()).expect_text("  missing ");
    std::fs::write(&module, &honest).unwrap();
    let evil = site.join("evil.pth");
    altered(&|| std::fs::write(&evil, "import evil\n").unwrap())
        .expect_text("unowned ")
        .expect_text("1 distributions or files of this environment");
    // A record is no excuse.
    let record = site.join("countersign_sample_words-1.0.0.dist-info/RECORD");
    let listed = std::fs::read_to_string(&record).unwrap();
    altered(&|| std::fs::write(&record, format!("{listed}evil.pth,,\n")).unwrap())
        .expect_text("  added ");
    std::fs::write(&record, &listed).unwrap();
    audit(&place, "env --ignore evil.pth").expect_code(0);
    std::fs::remove_file(&evil).unwrap();

    let programs = std::fs::read_dir(place.at("env/bin")).expect("a folder");
    let programs = programs.map(|it| it.unwrap().path());
    let program = programs
        .into_iter()
        .find(|it| std::fs::read_to_string(it).is_ok_and(|it| it.contains("from sample_tool")))
        .expect("a program");
    let text = std::fs::read_to_string(&program).unwrap();
    altered(&|| std::fs::write(&program, format!("{text}import evil\n")).unwrap())
        .expect_text("  script ");
    std::fs::write(&program, &text).unwrap();
    for file in ["bin/sample-script", "share/sample.txt"] {
        let path = place.at("env").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        altered(&|| std::fs::write(&path, format!("{text}more\n")).unwrap())
            .expect_text("altered sample-tool")
            .expect_text(&format!("{file}\n"));
        std::fs::write(&path, &text).unwrap();
    }
    audit(&place, "env").expect_code(0);
}

#[test]
fn what_no_index_speaks_for_is_named() {
    let (place, site) = environment("uv");
    let info = |name: &str, files: &[(&str, &str)]| {
        let folder = site.join(format!("{name}-1.dist-info"));
        std::fs::create_dir(&folder).unwrap();
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1\n");
        std::fs::write(folder.join("METADATA"), metadata).unwrap();
        let mut record = vec![format!("{name}-1.dist-info/METADATA,,\n")];
        for (file, text) in files {
            std::fs::write(folder.join(file), text).unwrap();
            record.push(format!("{name}-1.dist-info/{file},,\n"));
        }
        record.push(format!("{name}-1.dist-info/RECORD,,\n"));
        std::fs::write(folder.join("RECORD"), record.concat()).unwrap();
    };
    let wheel = ("WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n");
    let editable = r#"{"url": "file:///p", "dir_info": {"editable": true}}"#;
    let direct = r#"{"url": "https://code.example/b.zip", "archive_info": {}}"#;
    info("aa", &[wheel, ("direct_url.json", editable)]);
    info("bb", &[wheel, ("direct_url.json", direct)]);
    info("cc", &[wheel]);
    info("dd", &[]);
    let run = audit(&place, "env").expect_code(1);
    run.expect_text("editable aa 1")
        .expect_text("elsewhere bb 1: it comes from https://code.example/b.zip")
        .expect_text("not-signed cc 1")
        .expect_text("unknown dd 1")
        .expect_text("2 distributions are what is signed, 4 deviate");
    audit(&place, "env --ignore aa,BB,cc,dd").expect_code(0);
    audit(&place, "nowhere")
        .expect_code(1)
        .expect_text("hint: name the folder of a virtual");
}
