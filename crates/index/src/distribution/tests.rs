//! File names as they are found, and as they must not be.

use super::*;
use proptest::prelude::*;

fn parts(filename: &str) -> (String, String) {
    let parsed = DistributionFilename::parse(filename).unwrap();
    (parsed.project().to_string(), parsed.version().to_string())
}

#[test]
fn takes_names_apart() {
    for (filename, project, version) in [
        ("requests-2.32.3-py3-none-any.whl", "requests", "2.32.3"),
        (
            "ruamel.yaml-0.18.10-py3-none-any.whl",
            "ruamel-yaml",
            "0.18.10",
        ),
        (
            "ruamel_yaml_clib-0.2-1a-cp39-cp39-linux_x86_64.whl",
            "ruamel-yaml-clib",
            "0.2",
        ),
        ("a-1.0_1-py2.py3-none-any.whl", "a", "1.0.post1"),
        (
            "a-1!2.0+cu118-cp39-abi3-manylinux1_x86_64.manylinux_2_5_x86_64.whl",
            "a",
            "1!2.0+cu118",
        ),
        ("requests-2.32.3.tar.gz", "requests", "2.32.3"),
        ("zope.interface-5.0.zip", "zope-interface", "5.0"),
        ("a-b-c-1.0.tar.gz", "a-b-c", "1.0"),
        ("a-1.0-dev.tar.gz", "a", "1.0.dev0"),
        ("a-1-1.tar.gz", "a-1", "1"),
    ] {
        assert_eq!(
            parts(filename),
            (project.into(), version.into()),
            "{filename}"
        );
    }
}

#[test]
fn a_known_project_divides_old_names() {
    for (project, version) in [("a", "1.post1"), ("a-1", "1")] {
        let project = ProjectName::parse(project).unwrap();
        let parsed = DistributionFilename::parse_for("A-1-1.zip", &project).unwrap();
        assert_eq!(
            (parsed.project(), parsed.version().as_str()),
            (&project, version)
        );
    }
    let other = ProjectName::parse("b").unwrap();
    for filename in ["a-1-1.zip", "a-1-py3-none-any.whl", "b-a-1.tar.gz"] {
        let error = DistributionFilename::parse_for(filename, &other).unwrap_err();
        assert!(
            matches!(error, FilenameError::OtherProject { .. }),
            "{filename}"
        );
    }
}

#[test]
fn refuses_what_is_no_distribution() {
    for bad in [
        "",
        "a",
        ".whl",
        ".tar.gz",
        "a-1.egg",
        "a-1.tar.bz2",
        "a-1.ZIP",
        "a.tar.gz",
        "-1.zip",
        "a-x.tar.gz",
        "a-1-py3-none.whl",
        "a-1-x-py3-none-any.whl",
        "a-1--none-any.whl",
        "a-1-py3-none-.whl",
        "a-1-py3..py2-none-any.whl",
        "a-1-1-1-py3-none-any.whl",
        "../a-1.tar.gz",
        "a/b-1.tar.gz",
        "a-1 .tar.gz",
        "a-1%2e.zip",
        "ä-1.zip",
        "a\0-1.zip",
        "a-1.tar.gz.metadata",
        "a-b-py3-none-any.whl",
        "a-1.0_x-py3-none-any.whl",
    ] {
        assert!(DistributionFilename::parse(bad).is_err(), "{bad:?}");
    }
    let long = |n: usize| format!("{}-{}.zip", "a".repeat(100), "1".repeat(n - 105));
    assert!(matches!(
        DistributionFilename::parse(&long(MAX_FILENAME + 1)),
        Err(FilenameError::TooLong { length: 182, .. })
    ));
}

proptest! {
    /// Whatever parses without the project parses the same with it.
    #[test]
    fn both_parsers_agree(
        filename in "[a-zA-Z][a-zA-Z0-9._-]{0,8}-[0-9](\\.[0-9]){0,2}(-[0-9])?(\\.tar\\.gz|\\.zip|-py3-none-any\\.whl)"
    ) {
        if let Ok(parsed) = DistributionFilename::parse(&filename) {
            let again = DistributionFilename::parse_for(&filename, parsed.project()).unwrap();
            prop_assert_eq!(again, parsed);
        }
    }

    #[test]
    fn never_panics(filename in "\\PC{0,30}(\\.whl|\\.zip|\\.tar\\.gz)?") {
        if let Ok(parsed) = DistributionFilename::parse(&filename) {
            prop_assert!(!filename.contains('/') && filename.is_ascii());
            prop_assert_eq!(parsed.as_str(), filename);
        }
    }
}
