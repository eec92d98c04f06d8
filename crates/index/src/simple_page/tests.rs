//! Pages: exact bytes, and what is refused.

use super::*;
use chrono::TimeZone;

pub(super) fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

pub(super) fn file(name: &str) -> PageFile {
    PageFile {
        filename: DistributionFilename::parse(name).unwrap(),
        sha256: Sha256::of(name.as_bytes()),
        size: 7,
        requires_python: None,
        upload_time: None,
        yanked: Yanked::No,
        core_metadata: None,
    }
}

pub(super) fn page(files: Vec<PageFile>) -> SimplePage {
    SimplePage::new(project("requests"), files, Status::default()).unwrap()
}

fn parse(text: &str) -> Result<SimplePage, PageError> {
    SimplePage::parse_json(
        text.as_bytes(),
        &project("requests"),
        &PageLimits::default(),
    )
}

#[test]
fn exact_json() {
    let wheel = PageFile {
        requires_python: Some(">=3.8".into()),
        upload_time: Utc.with_ymd_and_hms(2024, 5, 29, 15, 37, 47).single(),
        yanked: Yanked::Because("say \"no\"".into()),
        core_metadata: Some(Sha256::from_bytes([0xcd; 32])),
        sha256: Sha256::from_bytes([0xab; 32]),
        ..file("requests-2.10+l-py3-none-any.whl")
    };
    let sdist = PageFile {
        sha256: Sha256::from_bytes([1; 32]),
        ..file("requests-2.9.tar.gz")
    };
    let (ab, cd, one) = ("ab".repeat(32), "cd".repeat(32), "01".repeat(32));
    let expected = format!(
        "{{\"files\":[{{\"core-metadata\":{{\"sha256\":\"{cd}\"}},\
         \"filename\":\"requests-2.10+l-py3-none-any.whl\",\"hashes\":{{\"sha256\":\"{ab}\"}},\
         \"requires-python\":\">=3.8\",\"size\":7,\"upload-time\":\"2024-05-29T15:37:47Z\",\
         \"url\":\"../../packages/ec/requests/requests-2.10%2Bl-py3-none-any.whl\",\
         \"yanked\":\"say \\\"no\\\"\"}},\
         {{\"filename\":\"requests-2.9.tar.gz\",\"hashes\":{{\"sha256\":\"{one}\"}},\"size\":7,\
         \"url\":\"../../packages/ec/requests/requests-2.9.tar.gz\"}}],\
         \"meta\":{{\"api-version\":\"1.4\"}},\"name\":\"requests\",\
         \"versions\":[\"2.9\",\"2.10+l\"]}}"
    );
    let page = page(vec![sdist, wheel]);
    assert_eq!(String::from_utf8(page.render_json()).unwrap(), expected);
    assert_eq!(parse(&expected).unwrap(), page);
    assert_eq!(page.file("requests-2.9.tar.gz").unwrap().size, 7);
    assert!(page.file("requests-3.tar.gz").is_none());
    assert_eq!(
        page.filtered(|file| file.core_metadata.is_some())
            .files()
            .len(),
        1
    );
}

#[test]
fn html_escapes_what_people_wrote() {
    let hostile = PageFile {
        requires_python: Some(">=3,<\"4'".into()),
        yanked: Yanked::Because("\"><script>&".into()),
        core_metadata: Some(Sha256::from_bytes([0xcd; 32])),
        sha256: Sha256::from_bytes([0xab; 32]),
        ..file("requests-1-py3-none-any.whl")
    };
    let status = Status {
        marker: ProjectStatus::Archived,
        reason: Some("<gone>".into()),
    };
    let page = SimplePage::new(project("requests"), vec![hostile], status).unwrap();
    let html = page.render_html(|_| "/files/a?b&c".into());
    let (ab, cd) = ("ab".repeat(32), "cd".repeat(32));
    assert!(html.contains(&format!(
        "<a href=\"/files/a?b&amp;c#sha256={ab}\" \
         data-requires-python=\"&gt;=3,&lt;&quot;4&#x27;\" \
         data-yanked=\"&quot;&gt;&lt;script&gt;&amp;\" data-core-metadata=\"sha256={cd}\" \
         data-dist-info-metadata=\"sha256={cd}\">requests-1-py3-none-any.whl</a><br>\n"
    )));
    assert!(html.contains("name=\"pypi:project-status\" content=\"archived\""));
    assert!(html.contains("name=\"pypi:project-status-reason\" content=\"&lt;gone&gt;\""));
    assert!(html.contains("name=\"pypi:repository-version\" content=\"1.4\""));
}

#[test]
fn what_cannot_be_published() {
    let new = |files, status| SimplePage::new(project("requests"), files, status);
    let good = || file("requests-1.zip");
    for bad in [
        file("flask-1.zip"),
        PageFile {
            size: 1 << 53,
            ..good()
        },
        PageFile {
            requires_python: Some("≥3".into()),
            ..good()
        },
        PageFile {
            requires_python: Some(String::new()),
            ..good()
        },
        PageFile {
            yanked: Yanked::Because("a\nb".into()),
            ..good()
        },
        PageFile {
            yanked: Yanked::Because(String::new()),
            ..good()
        },
        PageFile {
            upload_time: Some(DateTime::<Utc>::MAX_UTC),
            ..good()
        },
    ] {
        assert!(
            new(vec![bad.clone()], Status::default()).is_err(),
            "{bad:?}"
        );
    }
    let twice = new(
        vec![good(), file("requests-2.zip"), good()],
        Status::default(),
    );
    assert!(matches!(twice, Err(PageError::Duplicate { .. })));
    let quarantined = || Status {
        marker: ProjectStatus::Quarantined,
        reason: None,
    };
    assert!(matches!(
        new(vec![good()], quarantined()),
        Err(PageError::Quarantined { files: 1, .. })
    ));
    assert!(new(vec![], quarantined()).is_ok());
}

/// Every change to a good page that must be refused, as text replaced and its replacement.
#[test]
fn parser_refuses() {
    let good = String::from_utf8(page(vec![file("requests-1.zip")]).render_json()).unwrap();
    let sha = Sha256::of(b"requests-1.zip").to_string();
    assert!(parse(&good).is_ok());
    for (from, to) in [
        ("\"name\":", "\"name\":\"requests\",\"name\":"),
        ("\"name\":", "\"x\":{\"y\":1,\"y\":1},\"name\":"),
        ("\"size\":7", "\"size\":7,\"size\":7"),
        ("\"size\":7", "\"size\":7.0"),
        ("\"size\":7", "\"size\":-7"),
        ("\"size\":7", "\"size\":\"7\""),
        ("\"size\":7,", ""),
        ("\"size\":7", "\"size\":9007199254740992"),
        ("\"size\":7", "\"size\":7,\"yanked\":\"\""),
        ("\"size\":7", "\"size\":7,\"yanked\":0"),
        ("\"size\":7", "\"size\":7,\"yanked\":\"a\\u0000\""),
        ("\"size\":7", "\"size\":7,\"core-metadata\":true"),
        (
            "\"size\":7",
            "\"size\":7,\"upload-time\":\"2024-01-01T00:00:60Z\"",
        ),
        (
            "\"size\":7",
            "\"size\":7,\"upload-time\":\"2024-01-01T00:00:00+00:00\"",
        ),
        (
            "\"size\":7",
            "\"size\":7,\"upload-time\":\"2024-01-01T00:00:00.1234567Z\"",
        ),
        (
            "\"size\":7",
            "\"size\":7,\"upload-time\":\"+024-01-01T00:00:00Z\"",
        ),
        ("\"requests\"", "\"Requests\""),
        ("\"requests\"", "\"flask\""),
        ("\"requests-1.zip\"", "\"flask-1.zip\""),
        ("\"requests-1.zip\"", "\"../requests-1.zip\""),
        ("\"requests-1.zip\"", "null"),
        ("\"sha256\":", "\"md5\":"),
        (sha.as_str(), &sha.to_uppercase()),
        ("\"1.4\"", "\"2.0\""),
        ("\"api-version\":\"1.4\"", ""),
        (
            "\"meta\"",
            "\"project-status\":{\"status\":\"odd\"},\"meta\"",
        ),
        (
            "\"meta\"",
            "\"project-status\":{\"status\":\"quarantined\"},\"meta\"",
        ),
        ("\"files\":[", "\"files\":[[],"),
        ("\"files\":[", "\"files\":[{},"),
        ("\"files\":", "\"file\":"),
    ] {
        assert!(good.contains(from), "{from}");
        let bad = good.replacen(from, to, 1);
        assert!(parse(&bad).is_err(), "{bad}");
    }
    assert!(parse(&format!("{good}x")).is_err());
    assert!(parse("[]").is_err());
}

#[test]
fn parser_passes_over_what_it_does_not_know() {
    let good = String::from_utf8(page(vec![file("requests-1.zip")]).render_json()).unwrap();
    let more = good
        .replace(
            "\"size\":7",
            "\"size\":7,\"provenance\":null,\"yanked\":false",
        )
        .replace("\"1.4\"", "\"1.9\",\"_last-serial\":5");
    assert_eq!(parse(&more).unwrap(), parse(&good).unwrap());
}

#[test]
fn limits_hold() {
    let bytes = page(vec![file("requests-1.zip"), file("requests-2.zip")]).render_json();
    let parse = |limits| SimplePage::parse_json(&bytes, &project("requests"), &limits);
    assert!(
        parse(PageLimits {
            bytes: bytes.len(),
            files: 2
        })
        .is_ok()
    );
    let error = parse(PageLimits {
        bytes: bytes.len() - 1,
        files: 2,
    });
    assert!(matches!(error, Err(PageError::TooLarge { .. })));
    let error = parse(PageLimits {
        bytes: bytes.len(),
        files: 1,
    });
    assert!(matches!(
        error,
        Err(PageError::TooManyFiles {
            files: 2,
            limit: 1,
            ..
        })
    ));
}
