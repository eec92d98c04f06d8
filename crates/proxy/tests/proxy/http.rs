//! The proxy over real HTTP: what it serves, in which form, and what it refuses.

use std::time::Duration;

use crate::bench::{
    Bench, GREETER, GREETER_WHEEL, WORDS, WORDS_WHEEL, distribution, entry, metadata_path_of,
    path_of, project, sample, url_of,
};
use countersign_tests::{Bend, Key};
use index::{PageLimits, SimplePage};
use metadata::Sha256;

const WORDS_PAGE: &str = "/simple/countersign-sample-words/";
const GREETER_PAGE: &str = "/simple/countersign-sample-greeter/";

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
async fn no_byte_of_a_tampered_file_leaves() {
    let bench = Bench::new().await;
    for (filename, role) in [(WORDS_WHEEL, "bin-"), (GREETER_WHEEL, "project-greeter")] {
        let wheel = sample(filename);
        let name = bench.repository.target_name(&path_of(filename), &wheel);
        for bend in [
            Bend::one_bit(),
            Bend::Truncated(wheel.len() - 1),
            Bend::Endless,
        ] {
            bench.repository.server().bend(&name, bend);
            let reply = bench.get(&url_of(filename, &wheel)).await;
            let reason = reply.refused(409);
            assert!(
                reason.starts_with(&format!("TUF mismatch {role}")),
                "{reason}"
            );
            assert!(reply.json()["detail"].as_str().unwrap().contains(filename));
            assert_eq!(bench.cached(), [""; 0]);
        }
    }
    bench.repository.server().unbend();
    let wheel = sample(WORDS_WHEEL);
    assert_eq!(bench.get(&url_of(WORDS_WHEEL, &wheel)).await.body, wheel);
    let verdict = bench.state.verdict();
    assert_eq!(
        (verdict.refused, verdict.files, verdict.problems.len()),
        (6, 1, 6)
    );
}

#[tokio::test]
async fn a_file_that_changes_in_the_cache_in_length_is_fetched_again() {
    let bench = Bench::new().await;
    let wheel = sample(WORDS_WHEEL);
    let url = url_of(WORDS_WHEEL, &wheel);
    bench.get(&url).await;
    let name = bench.cached().remove(0);
    std::fs::write(
        bench.dir.path().join("cache").join(&name[..2]).join(&name),
        b"short",
    )
    .unwrap();
    assert_eq!(bench.get(&url).await.body, wheel);
}

#[tokio::test]
async fn metadata_that_cannot_be_verified_stops_everything() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.get(WORDS_PAGE).await.status, 200);
    bench
        .repository
        .tamper("timestamp")
        .signed_by([&Key::ed25519("thief")]);
    bench.repository.publish();
    let reply = bench.get(WORDS_PAGE).await;
    assert!(reply.refused(409).starts_with("TUF signatures timestamp: "));
    assert_eq!(reply.json()["role"], "timestamp");
    assert_eq!(reply.json()["type"], "urn:countersign:problem:signatures");
    let wheel = url_of(WORDS_WHEEL, &sample(WORDS_WHEEL));
    bench.get(&wheel).await.refused(409);
    let status = bench.get("/+countersign/status").await.json();
    assert_eq!(status["problem"]["status"], 409);
    // Pip gets the reason where it shows it, and no page.
    let pip = bench
        .send("GET", WORDS_PAGE, "user-agent: pip/26.3 {}\r\n")
        .await;
    assert_eq!(pip.status, 200);
    let shown = pip.header("content-type");
    let start = "application/problem+json; refused=\"TUF signatures timestamp: ";
    assert!(shown.starts_with(start), "{shown}");
    assert_eq!(pip.json()["status"], 409);
}

#[tokio::test]
async fn an_unreachable_index_is_bridged_until_the_timestamp_expires() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.get(WORDS_PAGE).await.status, 200);
    bench.repository.server().bend("*.json", Bend::Refused);
    let reply = bench.get(WORDS_PAGE).await;
    assert_eq!(
        (reply.status, reply.header("cache-control")),
        (200, "max-age=0")
    );
    bench.advance(chrono::Duration::days(400));
    assert!(
        bench
            .get(WORDS_PAGE)
            .await
            .refused(502)
            .starts_with("TUF unreachable root: ")
    );
    bench.repository.server().unbend();
    assert!(
        bench
            .get(WORDS_PAGE)
            .await
            .refused(409)
            .starts_with("TUF expired root: ")
    );
}

#[tokio::test]
async fn pages_are_not_kept_beyond_the_expiry_of_the_timestamp() {
    let mut bench = Bench::with_interval(Duration::from_secs(10)).await;
    assert_eq!(
        bench.get(WORDS_PAGE).await.header("cache-control"),
        "max-age=10"
    );
    let left = bench.state.session().await.unwrap().valid_until() - bench.repository.now;
    bench.advance(left - chrono::Duration::seconds(3));
    assert_eq!(
        bench.get(WORDS_PAGE).await.header("cache-control"),
        "max-age=3"
    );
    // Within the interval nothing is asked for, unless what vouches for the session expires.
    bench.repository.server().take_requests();
    bench.get(WORDS_PAGE).await;
    assert_eq!(bench.repository.server().take_requests(), [""; 0]);
    bench.advance(chrono::Duration::seconds(3));
    bench.get(WORDS_PAGE).await.refused(409);
    assert!(!bench.repository.server().take_requests().is_empty());
}

#[tokio::test]
async fn files_that_the_developers_did_not_sign_are_left_out() {
    let mut bench = Bench::new().await;
    let evil = "countersign_sample_greeter-9.0.0-py3-none-any.whl";
    let good = entry(GREETER_WHEEL, &sample(GREETER_WHEEL));
    bench.put_page(GREETER, vec![good, entry(evil, b"evil")]);
    bench.repository.serve_target(&path_of(evil), b"evil");
    let bin = bench.repository.bin_of("bins", &path_of(evil));
    bench.repository.add_target(&bin, &path_of(evil), b"evil");
    bench.repository.publish();
    let page = bench.get(GREETER_PAGE).await.json();
    assert_eq!(page["files"].as_array().unwrap().len(), 1);
    assert_eq!(page["versions"], serde_json::json!(["1.0.0"]));
    let reply = bench.get(&url_of(evil, b"evil")).await;
    assert!(
        reply
            .refused(409)
            .starts_with("TUF not-signed project-greeter: ")
    );
    assert_eq!(bench.state.verdict().withheld, 1);
    // With nothing left to show, the page itself is refused.
    bench.put_page(GREETER, vec![entry(evil, b"evil")]);
    bench.repository.publish();
    let reply = bench.get(GREETER_PAGE).await;
    assert!(
        reply
            .refused(409)
            .starts_with("TUF not-signed project-greeter: ")
    );
}

#[tokio::test]
async fn files_of_a_role_that_fails_stay_listed_and_are_refused() {
    let mut bench = Bench::new().await;
    let mut file = entry(GREETER_WHEEL, &sample(GREETER_WHEEL));
    file.core_metadata = Some(Sha256::of(b"x"));
    bench.put_page(GREETER, vec![file]);
    bench
        .repository
        .set_lifetime("project-greeter", chrono::Duration::hours(1));
    bench.repository.touch("project-greeter");
    bench.repository.publish();
    bench.advance(chrono::Duration::hours(2));
    let page = bench.get(GREETER_PAGE).await.json();
    assert_eq!(page["files"].as_array().unwrap().len(), 1);
    assert!(page["files"][0].get("core-metadata").is_none());
    let reply = bench
        .get(&url_of(GREETER_WHEEL, &sample(GREETER_WHEEL)))
        .await;
    assert!(
        reply
            .refused(409)
            .starts_with("TUF expired project-greeter: ")
    );
    assert_eq!(bench.get(WORDS_PAGE).await.status, 200);
}

#[tokio::test]
async fn a_page_whose_role_expires_is_no_longer_served() {
    let mut bench = Bench::new().await;
    let path = index::page_path(&project(WORDS)).to_string();
    let bin = bench.repository.bin_of("bins", &path);
    bench
        .repository
        .set_lifetime(&bin, chrono::Duration::hours(1));
    bench.repository.touch(&bin);
    bench.repository.publish();
    assert_eq!(bench.get(WORDS_PAGE).await.status, 200);
    bench.advance(chrono::Duration::hours(2));
    let reply = bench.get(WORDS_PAGE).await;
    assert!(
        reply
            .refused(409)
            .starts_with(&format!("TUF expired {bin}: "))
    );
}

#[tokio::test]
async fn a_page_that_was_swept_is_found_in_the_newer_snapshot() {
    let mut bench = Bench::with_interval(Duration::from_secs(3600)).await;
    bench.get(GREETER_PAGE).await;
    let names = |bench: &Bench| bench.repository.server().names();
    let old: Vec<_> = names(&bench)
        .into_iter()
        .filter(|it| it.contains("vnd.pypi"))
        .collect();
    let wheel = sample(WORDS_WHEEL);
    let other = "countersign_sample_words-1.0.1-py3-none-any.whl";
    bench.put_page(
        WORDS,
        vec![entry(WORDS_WHEEL, &wheel), entry(other, b"new")],
    );
    bench.repository.publish();
    for name in old.iter().filter(|name| name.contains(WORDS)) {
        bench.repository.server().remove(name);
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let page = bench.get(WORDS_PAGE).await;
    assert_eq!(
        (page.status, page.json()["files"].as_array().unwrap().len()),
        (200, 2)
    );
}

#[tokio::test]
async fn only_requests_that_name_this_machine_are_answered() {
    let bench = Bench::new().await;
    bench
        .send("GET", WORDS_PAGE, "host: rebound.index.example\r\n")
        .await
        .refused(421);
    let port = bench.address.port();
    let by_name = format!("host: localhost:{port}\r\n");
    assert_eq!(bench.send("GET", WORDS_PAGE, &by_name).await.status, 200);
    bench
        .send("GET", "http://rebound.index.example/healthz", &by_name)
        .await
        .refused(421);
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
