//! What state is served, for how long, and when the index is asked for a newer one.

use std::time::Duration;

use countersign_tests::{Bend, Key};

use crate::bench::{
    Bench, GREETER_PAGE, WORDS, WORDS_PAGE, WORDS_WHEEL, entry, project, sample, url_of,
};

#[tokio::test]
async fn metadata_that_cannot_be_verified_is_no_start() {
    let mut bench = Bench::new().await;
    forge(&mut bench);
    let reply = bench.get(WORDS_PAGE).await;
    assert!(reply.refused(409).starts_with("TUF signatures timestamp: "));
    assert_eq!(reply.json()["role"], "timestamp");
    assert_eq!(reply.json()["type"], "urn:countersign:problem:signatures");
    let wheel = url_of(WORDS_WHEEL, &sample(WORDS_WHEEL));
    bench.get(&wheel).await.refused(409);
    let status = bench.get("/+countersign/status").await.json();
    assert_eq!(status["problem"]["status"], 409);
    assert!(status.get("trusted").is_none());
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
async fn a_refused_refresh_leaves_the_last_state_in_force_until_it_expires() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.get(WORDS_PAGE).await.status, 200);
    let before = bench.get("/+countersign/status").await.json();
    forge(&mut bench);
    let wheel = sample(WORDS_WHEEL);
    assert_eq!(bench.get(WORDS_PAGE).await.status, 200);
    assert_eq!(bench.get(&url_of(WORDS_WHEEL, &wheel)).await.body, wheel);
    let status = bench.get("/+countersign/status").await.json();
    assert_eq!(status["trusted"], before["trusted"]);
    assert_eq!(
        status["problem"]["type"],
        "urn:countersign:problem:signatures"
    );
    let left = bench.session().await.unwrap().valid_until() - bench.repository.now;
    bench.advance(left - chrono::Duration::seconds(1));
    assert_eq!(bench.get(WORDS_PAGE).await.status, 200);
    bench.advance(chrono::Duration::seconds(1));
    let reply = bench.get(WORDS_PAGE).await;
    assert!(reply.refused(409).starts_with("TUF signatures timestamp: "));
    bench.get(&url_of(WORDS_WHEEL, &wheel)).await.refused(409);
    // An honest timestamp ends it.
    bench.repository.touch("timestamp");
    bench.repository.publish();
    assert_eq!(bench.get(WORDS_PAGE).await.status, 200);
}

/// A new state in which the words have another page: all of it is right but the snapshot, so that
/// whoever served what came before it would serve a mixture.
#[tokio::test]
async fn a_refresh_that_fails_half_way_changes_nothing() {
    let mut bench = Bench::new().await;
    let before = bench.get(WORDS_PAGE).await;
    let newer = "countersign_sample_words-2.0.0-py3-none-any.whl";
    bench.put_page(WORDS, vec![entry(newer, b"new")]);
    bench.repository.publish();
    bench
        .repository
        .server()
        .bend("*.snapshot.json", Bend::one_bit());
    for _ in 0..3 {
        let reply = bench.get(WORDS_PAGE).await;
        assert_eq!((reply.status, &reply.body), (200, &before.body));
    }
    bench.repository.server().unbend();
    let page = bench.get(WORDS_PAGE).await.json();
    assert_eq!(page["versions"], serde_json::json!(["2.0.0"]));
}

#[tokio::test]
async fn one_refresh_an_interval_however_many_requests() {
    let interval = Duration::from_secs(2);
    let bench = Bench::with_interval(interval).await;
    bench.get(WORDS_PAGE).await;
    let timestamps = || {
        let asked = bench.repository.server().take_requests();
        asked
            .iter()
            .filter(|name| *name == "metadata/timestamp.json")
            .count()
    };
    assert_eq!(timestamps(), 1);
    let started = std::time::Instant::now();
    while started.elapsed() < interval + interval / 2 {
        let replies = futures_util::future::join_all((0..20).map(|_| bench.get(WORDS_PAGE))).await;
        assert!(replies.iter().all(|reply| reply.status == 200));
    }
    assert_eq!(timestamps(), 1, "a refresh in the background");
}

/// An index that accepts requests and never answers must not hold up what is verified already.
#[tokio::test]
async fn a_silent_index_holds_nobody_up() {
    let bench = Bench::with_interval(Duration::from_millis(100)).await;
    bench.get(WORDS_PAGE).await;
    bench
        .repository
        .server()
        .bend("metadata/timestamp.json", Bend::Stalled(0));
    tokio::time::sleep(Duration::from_millis(150)).await;
    for _ in 0..3 {
        let started = std::time::Instant::now();
        assert_eq!(bench.get(WORDS_PAGE).await.status, 200);
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

/// What an earlier run has left is served while the index cannot be reached, or another process
/// keeps the datastore for itself.
#[tokio::test]
async fn a_restart_goes_on_from_what_was_verified() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.get(WORDS_PAGE).await.status, 200);
    bench
        .repository
        .server()
        .bend("metadata/timestamp.json", Bend::Refused);
    let again = bench.again().await;
    assert_eq!(again.get(WORDS_PAGE).await.status, 200);
    bench.repository.server().unbend();
    let datastore = client::Datastore::open(bench.dir.path().join("trusted")).unwrap();
    let lock = datastore.lock().await.unwrap();
    let again = again.again().await;
    let started = std::time::Instant::now();
    assert_eq!(again.get(WORDS_PAGE).await.status, 200);
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(lock);
    bench.advance(chrono::Duration::days(2));
    bench
        .repository
        .server()
        .bend("metadata/timestamp.json", Bend::Refused);
    let again = again.again().await;
    again.get(WORDS_PAGE).await.refused(502);
}

fn forge(bench: &mut Bench) {
    bench
        .repository
        .tamper("timestamp")
        .signed_by([&Key::ed25519("thief")]);
    bench.repository.publish();
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
    let left = bench.session().await.unwrap().valid_until() - bench.repository.now;
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
