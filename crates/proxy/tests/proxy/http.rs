//! The proxy over real HTTP: what it serves, and in which form.

use std::time::Duration;

use crate::bench::{
    Bench, GREETER, GREETER_WHEEL, WORDS, WORDS_PAGE, WORDS_WHEEL, distribution, entry,
    metadata_path_of, path_of, project, sample, url_of,
};
use countersign_tests::Bend;
use index::{PageLimits, SimplePage};
use metadata::Sha256;

#[tokio::test]
async fn a_page_in_json_and_html() {
    let bench = Bench::new().await;
    let reply = bench.get(WORDS_PAGE).await;
    assert_eq!((reply.status, reply.header("vary")), (200, "Accept"));
    assert_eq!(
        reply.header("content-type"),
        "application/vnd.pypi.simple.v1+json"
    );
    let limits = PageLimits::default();
    let page = SimplePage::parse_json(&reply.body, &project(WORDS), &limits).unwrap();
    assert_eq!(page.files()[0].sha256, Sha256::of(&sample(WORDS_WHEEL)));
    let url = reply.json()["files"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(
        url,
        format!("../..{}", url_of(WORDS_WHEEL, &sample(WORDS_WHEEL)))
    );

    let html = bench.send("GET", WORDS_PAGE, "accept: text/html\r\n").await;
    assert_eq!(html.header("content-type"), "text/html; charset=utf-8");
    assert!(String::from_utf8(html.body).unwrap().contains(&url));

    let known = format!(
        "accept: text/html\r\nif-none-match: {}\r\n",
        reply.header("etag")
    );
    assert_eq!(bench.send("GET", WORDS_PAGE, &known).await.status, 200);
    let known = known.replace("text/html", "application/vnd.pypi.simple.v1+json");
    assert_eq!(bench.send("GET", WORDS_PAGE, &known).await.status, 304);
    let head = bench.send("HEAD", WORDS_PAGE, "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    bench
        .send("GET", WORDS_PAGE, "accept: image/png\r\n")
        .await
        .refused(406);
}

#[tokio::test]
async fn names_are_redirected_and_nothing_else_is_there() {
    let bench = Bench::new().await;
    for other in [
        "/simple/countersign-sample-words",
        "/simple/Countersign_Sample.Words/",
    ] {
        let reply = bench.get(other).await;
        assert_eq!((reply.status, reply.header("location")), (301, WORDS_PAGE));
    }
    for missing in ["/simple/nobody/", "/simple/-/", "/", "/pypi/x/json"] {
        bench.get(missing).await.refused(404);
    }
    let wheel = sample(WORDS_WHEEL);
    for missing in [
        format!("/files/abc/{WORDS_WHEEL}"),
        url_of("index.html", &wheel),
        url_of(WORDS_WHEEL, b"other bytes"),
        url_of("countersign_sample_words-2.0.0-py3-none-any.whl", &wheel),
        url_of("..%2F..%2Ftrusted%2Froot.json", &wheel),
    ] {
        bench.get(&missing).await.refused(404);
    }
    assert_eq!(bench.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_file_is_fetched_once_and_served_whole_or_in_part() {
    let bench = Bench::new().await;
    let wheel = sample(WORDS_WHEEL);
    let url = url_of(WORDS_WHEEL, &wheel);
    let name = bench.repository.target_name(&path_of(WORDS_WHEEL), &wheel);
    bench.repository.server().bend(
        &name,
        Bend::Slow {
            piece: 400,
            pause: Duration::from_millis(20),
        },
    );
    let (one, two) = tokio::join!(bench.get(&url), bench.get(&url));
    assert!(one.body == wheel && two.body == wheel);
    let asked = bench.repository.server().requests();
    assert_eq!(
        asked.iter().filter(|request| request.name == name).count(),
        1
    );
    assert_eq!(one.header("content-type"), "application/octet-stream");
    assert!(one.header("cache-control").contains("immutable"));

    let etag = one.header("etag").to_owned();
    let part = async |headers: &str| bench.send("GET", &url, headers).await;
    let tail = part("range: bytes=-100\r\n").await;
    assert_eq!(
        (tail.status, &tail.body[..]),
        (206, &wheel[wheel.len() - 100..])
    );
    let last = wheel.len() - 1;
    let range = format!("bytes {}-{last}/{}", wheel.len() - 100, wheel.len());
    assert_eq!(tail.header("content-range"), range);
    let resumed = part(&format!("range: bytes=10-\r\nif-range: {etag}\r\n")).await;
    assert_eq!((resumed.status, &resumed.body[..]), (206, &wheel[10..]));
    assert_eq!(
        part("range: bytes=10-\r\nif-range: \"other\"\r\n")
            .await
            .body,
        wheel
    );
    assert_eq!(part("range: bytes=9999999-\r\n").await.status, 416);
    assert_eq!(
        part(&format!("if-none-match: {etag}\r\n")).await.status,
        304
    );
    let head = bench.send("HEAD", &url, "").await;
    assert_eq!(head.header("content-length"), wheel.len().to_string());
}

#[tokio::test]
async fn core_metadata_is_bound_by_the_page_or_the_project_role() {
    let mut bench = Bench::new().await;
    for (name, filename) in [(WORDS, WORDS_WHEEL), (GREETER, GREETER_WHEEL)] {
        let mut file = entry(filename, &sample(filename));
        file.core_metadata = Some(Sha256::of(b"Metadata-Version: 2.1\n"));
        bench.put_page(name, vec![file]);
    }
    bench.repository.publish();
    let metadata = b"Metadata-Version: 2.1\n";
    bench
        .repository
        .serve_target(&metadata_path_of(WORDS_WHEEL), metadata);
    let url = |filename| format!("{}.metadata", url_of(filename, &sample(filename)));
    assert_eq!(bench.get(&url(WORDS_WHEEL)).await.body, metadata);
    // The developers of the other have not signed it.
    bench
        .repository
        .serve_target(&metadata_path_of(GREETER_WHEEL), metadata);
    // What is served instead is what they signed with the wheel.
    let own = bench.get(&url(GREETER_WHEEL)).await.body;
    assert!(own != metadata && own.starts_with(b"Metadata-Version: "));
    bench.repository.add_target(
        "project-greeter",
        &metadata_path_of(GREETER_WHEEL),
        metadata,
    );
    bench.repository.publish();
    assert_eq!(bench.get(&url(GREETER_WHEEL)).await.body, metadata);
}

#[tokio::test]
async fn status_tells_what_is_trusted() {
    let bench = Bench::new().await;
    bench.get(WORDS_PAGE).await;
    let status = bench.get("/+countersign/status").await.json();
    assert_eq!(status["trusted"]["root"], 1);
    assert_eq!(status["verdict"]["pages"], 1);
    assert!(status.get("problem").is_none());
    assert_eq!(distribution(WORDS_WHEEL).project(), &project(WORDS));
}

/// The list is made of every bin of the snapshot.
#[tokio::test]
async fn the_list_has_every_project_whose_page_is_signed() {
    let mut bench = Bench::new().await;
    let names = async |bench: &Bench| {
        let reply = bench.get("/simple/").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let list = reply.json();
        let named = list["projects"].as_array().unwrap().iter();
        named
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&bench).await, [GREETER, WORDS]);
    let html = bench.send("GET", "/simple/", "accept: text/html\r\n").await;
    let text = String::from_utf8(html.body.clone()).unwrap();
    assert!(
        text.contains(&format!("<a href=\"{WORDS}/\">{WORDS}</a>")),
        "{text}"
    );
    let known = format!(
        "accept: text/html\r\nif-none-match: {}\r\n",
        html.header("etag")
    );
    assert_eq!(bench.send("GET", "/simple/", &known).await.status, 304);

    // A page that another bin lists than the one that is asked for it is nobody's.
    bench.put_page("another", vec![]);
    let path = index::page_path(&project("misplaced")).to_string();
    let bin = bench.repository.bin_of("bins", &path);
    let wrong = if bin == "bin-0" { "bin-1" } else { "bin-0" };
    bench.repository.add_target(wrong, &path, b"{}");
    bench.repository.publish();
    assert_eq!(names(&bench).await, ["another", GREETER, WORDS]);

    // A bin that is not there is not passed over.
    bench.repository.touch("bin-1");
    bench.repository.publish();
    bench
        .repository
        .server()
        .bend("*.bin-1.json", Bend::Status(404));
    let refused = bench.get("/simple/").await;
    assert_ne!(refused.status, 200);
    refused.refused(refused.status);
}

/// Where the index lists no core metadata, it comes out of the verified wheel: offered once that is here.
#[tokio::test]
async fn core_metadata_is_taken_out_of_a_verified_wheel() {
    let bench = Bench::new().await;
    for (name, filename) in [(WORDS, WORDS_WHEEL), (GREETER, GREETER_WHEEL)] {
        let page = format!("/simple/{name}/");
        let url = url_of(filename, &sample(filename));
        let listed = async || bench.get(&page).await.json()["files"][0].clone();
        assert!(listed().await.get("core-metadata").is_none());
        assert_eq!(bench.get(&url).await.body, sample(filename));
        let sha256 = listed().await["core-metadata"]["sha256"]
            .as_str()
            .unwrap()
            .to_owned();
        let metadata = bench.get(&format!("{url}.metadata")).await;
        assert!(metadata.body.starts_with(b"Metadata-Version: "));
        assert_eq!(sha256, Sha256::of(&metadata.body).to_string());
        // Of an earlier run's cache, too.
        let again = bench.again().await;
        let reply = again.get(&page).await.json();
        assert_eq!(
            reply["files"][0]["core-metadata"]["sha256"],
            sha256.as_str()
        );
        let metadata = again.get(&format!("{url}.metadata")).await.body;
        assert_eq!(sha256, Sha256::of(&metadata).to_string());
    }
}

/// Nothing is taken out of a wheel that is not what was signed.
#[tokio::test]
async fn no_core_metadata_comes_out_of_an_altered_wheel() {
    for (filename, role) in [(WORDS_WHEEL, "bin-"), (GREETER_WHEEL, "project-greeter")] {
        let bench = Bench::new().await;
        let wheel = sample(filename);
        let name = bench.repository.target_name(&path_of(filename), &wheel);
        bench.repository.server().bend(&name, Bend::one_bit());
        let url = format!("{}.metadata", url_of(filename, &wheel));
        let reply = bench.get(&url).await;
        let reason = reply.refused(409);
        assert!(
            reason.starts_with(&format!("TUF mismatch {role}")),
            "{reason}"
        );
    }
}

/// While a file is fetched and verified, those whom it helps are told that they are waited for.
#[tokio::test]
async fn interim_responses_come_before_a_slow_file() {
    let wheel = sample(WORDS_WHEEL);
    let url = url_of(WORDS_WHEEL, &wheel);
    for (agent, is_told) in [
        ("pip/26.3", true),
        ("poetry/2.5.1", true),
        ("uv/0.13.8", false),
    ] {
        let bench = Bench::new().await;
        let again = bench
            .again_with(|config| config.limits.interim_interval = Duration::from_millis(20))
            .await;
        let name = bench.repository.target_name(&path_of(WORDS_WHEEL), &wheel);
        let slow = Bend::Slow {
            piece: 400,
            pause: Duration::from_millis(50),
        };
        bench.repository.server().bend(&name, slow);
        for version in ["HTTP/1.1", "HTTP/1.0"] {
            std::fs::remove_dir_all(bench.dir.path().join("cache")).unwrap();
            std::fs::create_dir(bench.dir.path().join("cache")).unwrap();
            let address = again.address;
            let request = format!(
                "GET {url} {version}\r\nhost: {address}\r\nuser-agent: {agent}\r\nconnection: close\r\n\r\n"
            );
            let reply = crate::bench::raw(address, &request).await;
            let told = b"HTTP/1.1 100 Continue\r\n\r\n";
            let mut rest = &reply[..];
            let mut times = 0;
            while let Some(after) = rest.strip_prefix(told) {
                (rest, times) = (after, times + 1);
            }
            assert_eq!(
                times >= 2,
                is_told && version == "HTTP/1.1",
                "{agent} {version}: {times}"
            );
            assert!(rest.starts_with(b"HTTP/1.") && rest[8..].starts_with(b" 200 OK"));
            assert!(rest.ends_with(&wheel));
        }
        // What is here already is sent at once.
        let whole = again
            .send("GET", &url, &format!("user-agent: {agent}\r\n"))
            .await;
        assert_eq!((whole.status, whole.body), (200, wheel.clone()));
    }
}
