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
    for missing in [
        "/simple/",
        "/simple/nobody/",
        "/simple/-/",
        "/",
        "/pypi/x/json",
    ] {
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
    let reply = bench.get(&url(GREETER_WHEEL)).await;
    assert!(
        reply
            .refused(409)
            .starts_with("TUF not-signed project-greeter: ")
    );
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
