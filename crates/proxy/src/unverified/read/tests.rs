//! Pages as real index servers write them, and as nobody should.

use proptest::prelude::*;

use super::*;

const SHA256: &str = "c8efaa31a2b0f2ea54e4cb4a1a9b3f6f0e3b2d0e9d1b6f6a7a8b9c0d1e2f3a4b";

fn project() -> ProjectName {
    ProjectName::parse("old-tool").unwrap()
}

fn url() -> Url {
    "https://old.example/simple/old-tool/".parse().unwrap()
}

fn of(text: &str) -> Result<UnverifiedPage, UnverifiedPageError> {
    read(text.as_bytes(), &project(), &url(), |it| {
        it.scheme() == "https"
    })
}

/// The names of the files, and where they lie.
fn files(text: &str) -> Vec<(String, String)> {
    let page = of(text).unwrap();
    let files = page.files.into_iter();
    files
        .map(|(name, file)| (name, file.url.to_string()))
        .collect()
}

#[test]
fn an_html_page_is_read_as_installers_read_it() {
    let page = format!(
        "<html><body>\n\
         <a href=\"../../packages/old_tool-1.0-py3-none-any.whl#sha256={SHA256}\" \
         data-requires-python=\"&gt;=3.8\" data-yanked=\"it&#39;s broken\" \
         data-core-metadata=\"sha256={SHA256}\">whatever</a><br/>\n\
         <A HREF='old-tool-1.0.tar.gz#md5=d41d8cd98f00b204e9800998ecf8427e&egg=x'>x</A>\n\
         <a href=/packages/old_tool-1.0%2Blocal.1-py3-none-any.whl?token=1>x</a>\n\
         <a href=\"other-1.0.tar.gz\">other</a> <a>nothing</a> <a href=\"../\">up</a>\n\
         <!-- <a href=\"old-tool-2.0.tar.gz\">commented out</a> -->\n\
         <a href=\"http://elsewhere.example/old-tool-3.0.tar.gz\">not over TLS</a>\n\
         <a href=\"old-tool-4.0.tar.gz#sha256=beef\">no hash can be that</a>\n\
         <a href=\"old-tool-1.0.tar.gz\">the first counts</a>"
    );
    assert_eq!(
        files(&page),
        [
            (
                "old-tool-1.0.tar.gz".to_owned(),
                "https://old.example/simple/old-tool/old-tool-1.0.tar.gz".to_owned()
            ),
            (
                "old_tool-1.0+local.1-py3-none-any.whl".to_owned(),
                "https://old.example/packages/old_tool-1.0%2Blocal.1-py3-none-any.whl?token=1"
                    .to_owned()
            ),
            (
                "old_tool-1.0-py3-none-any.whl".to_owned(),
                "https://old.example/packages/old_tool-1.0-py3-none-any.whl".to_owned()
            ),
        ]
    );
    let page = of(&page).unwrap();
    let wheel = &page.files["old_tool-1.0-py3-none-any.whl"];
    assert_eq!(wheel.requires_python.as_deref(), Some(">=3.8"));
    assert_eq!(wheel.yanked, Yanked::Because("it's broken".to_owned()));
    assert_eq!(wheel.digests.fragment(), format!("#sha256={SHA256}"));
    assert!(wheel.core_metadata.is_some());
    let sdist = &page.files["old-tool-1.0.tar.gz"];
    assert_eq!(sdist.digests.all().len(), 1);
    let html = String::from_utf8(page.render_html(|file| file.url.to_string())).unwrap();
    assert_eq!(of(&html).unwrap().files, page.files);
    let based = "<base href=\"https://files.example/x/\"><a href=\"old-tool-1.0.zip\">x</a>";
    assert_eq!(
        files(based)[0].1,
        "https://files.example/x/old-tool-1.0.zip"
    );
}

#[test]
fn a_json_page_is_read_and_written_alike() {
    let page = format!(
        r#" {{"meta": {{"api-version": "1.1"}}, "name": "old-tool", "files": [
            {{"filename": "old_tool-1.0-py3-none-any.whl", "url": "../f/x.whl", "size": 3,
              "hashes": {{"sha256": "{SHA256}", "blake2b": "zz"}}, "yanked": false, "requires-python": null,
              "upload-time": "2020-01-01T00:00:00Z", "core-metadata": {{"sha256": "{SHA256}"}}}},
            {{"filename": "old-tool-2.0.tar.gz", "url": "https://files.example/s", "yanked": "no",
              "hashes": {{}}, "core-metadata": true, "requires-python": "\u0007"}},
            {{"filename": "old-tool-2.0.exe", "url": "s", "hashes": {{}}}},
            {{"filename": "../old-tool-2.0.tar.gz", "url": "s", "hashes": {{}}}}]}}"#
    );
    let read = of(&page).unwrap();
    assert_eq!(read.files.len(), 2);
    let sdist = &read.files["old-tool-2.0.tar.gz"];
    assert_eq!(sdist.requires_python, None);
    assert_eq!(sdist.core_metadata, None);
    assert!(sdist.digests.sha256().is_none());
    let again = read.render_json(|file| file.url.to_string());
    assert_eq!(
        of(std::str::from_utf8(&again).unwrap()).unwrap().files,
        read.files
    );
    for broken in [
        page.replace("1.1", "2.0"),
        page.replace("\"files\"", "\"file\""),
        page.replace("\"size\": 3", "\"size\": -3"),
        "{".to_owned(),
    ] {
        assert!(of(&broken).is_err(), "{broken}");
    }
    assert!(read_bytes(b"\xff").is_err());
}

fn read_bytes(bytes: &[u8]) -> Result<UnverifiedPage, UnverifiedPageError> {
    read(bytes, &project(), &url(), |_| true)
}

proptest! {
    /// Whatever a page says, what comes of it is of the project and can be written and read again.
    #[test]
    fn any_page_is_read_or_refused(
        parts in prop::collection::vec(
            prop_oneof![
                Just("<a href=\"".to_owned()), Just("old-tool-1.0.tar.gz".to_owned()),
                Just("#sha256=".to_owned()), Just(SHA256.to_owned()), Just("\">".to_owned()),
                Just("{\"files\":[".to_owned()), Just(" data-yanked='".to_owned()),
                Just("old_tool-1-py3-none-any.whl".to_owned()), "[ -~]{0,8}", "\\PC{0,4}",
            ],
            0..24,
        ),
    ) {
        let text = parts.concat();
        if let Ok(page) = of(&text) {
            for file in page.files.values() {
                prop_assert_eq!(file.filename.project(), &project());
            }
            let html = String::from_utf8(page.render_html(|file| file.url.to_string())).unwrap();
            prop_assert_eq!(of(&html).unwrap().files, page.files);
        }
    }
}
