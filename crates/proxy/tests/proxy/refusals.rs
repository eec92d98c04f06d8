//! What is refused, left out, or passed on unverified, and what comes of an altered cache.

use std::future::IntoFuture;

use axum::Router;
use axum::extract::Request;
use countersign_tests::Bend;
use metadata::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::bench::{
    Bench, GREETER, GREETER_PAGE, GREETER_WHEEL, WORDS_PAGE, WORDS_WHEEL, entry, metadata_path_of,
    path_of, sample, url_of,
};

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
            // Nor a part of it, though the part may be sound.
            let part = "range: bytes=0-9\r\n";
            let part = bench.send("GET", &url_of(filename, &wheel), part).await;
            part.refused(409);
            assert_eq!(bench.cached(), [""; 0]);
        }
    }
    bench.repository.server().unbend();
    let wheel = sample(WORDS_WHEEL);
    assert_eq!(bench.get(&url_of(WORDS_WHEEL, &wheel)).await.body, wheel);
    let verdict = bench.state.verdict();
    assert_eq!(
        (verdict.refused, verdict.files, verdict.problems.len()),
        (12, 1, 12)
    );
}

#[tokio::test]
async fn a_file_altered_in_the_cache_is_fetched_again() {
    let bench = Bench::new().await;
    let wheel = sample(WORDS_WHEEL);
    let url = url_of(WORDS_WHEEL, &wheel);
    bench.get(&url).await;
    let name = bench.cached().remove(0);
    let path = bench.dir.path().join("cache").join(&name[..2]).join(&name);
    let mut evil = wheel.clone();
    evil[0] ^= 1;
    for altered in [b"short".to_vec(), evil] {
        std::fs::write(&path, altered).unwrap();
        assert_eq!(bench.get(&url).await.body, wheel);
    }
}

#[tokio::test]
async fn a_cache_of_an_earlier_run_is_checked_before_it_is_served() {
    let bench = Bench::new().await;
    let (good, evil) = (sample(WORDS_WHEEL), b"evil".repeat(400));
    let sha256 = Sha256::of(&good).to_string();
    let mut poison = evil;
    poison.resize(good.len(), 0);
    let shard = bench.dir.path().join("cache").join(&sha256[..2]);
    std::fs::create_dir_all(&shard).unwrap();
    let url = url_of(WORDS_WHEEL, &good);
    std::fs::write(shard.join(&sha256), &poison).unwrap();
    assert_eq!(bench.get(&url).await.body, good);
    // What fits is taken as it is: nothing is asked for the second time.
    let name = bench.repository.target_name(&path_of(WORDS_WHEEL), &good);
    bench.repository.server().remove(&name);
    let again = bench.again().await;
    assert_eq!(again.get(&url).await.body, good);
    std::fs::write(shard.join(&sha256), &poison).unwrap();
    let last = again.again().await;
    last.get(&url).await.refused(502);
    assert_ne!(last.get(&url).await.body, poison);
}

#[tokio::test]
async fn the_cache_stays_within_its_limit_while_it_runs() {
    let bench = Bench::new().await;
    let (words, greeter) = (sample(WORDS_WHEEL), sample(GREETER_WHEEL));
    let limit = words.len() as u64;
    let bench = bench
        .again_with(|config| config.limits.cache_bytes = limit)
        .await;
    for (filename, bytes) in [(WORDS_WHEEL, &words), (GREETER_WHEEL, &greeter)] {
        assert_eq!(&bench.get(&url_of(filename, bytes)).await.body, bytes);
        assert_eq!(bench.cached(), [Sha256::of(bytes).to_string()]);
    }
    assert_eq!(bench.get(&url_of(WORDS_WHEEL, &words)).await.body, words);
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
async fn core_metadata_that_the_developers_did_not_sign_is_left_out() {
    let mut bench = Bench::new().await;
    let mut file = entry(GREETER_WHEEL, &sample(GREETER_WHEEL));
    file.core_metadata = Some(Sha256::of(b"Requires-Dist: evil"));
    bench.put_page(GREETER, vec![file.clone()]);
    bench.repository.publish();
    let page = bench.get(GREETER_PAGE).await.json();
    assert_eq!(page["files"][0]["core-metadata"], serde_json::Value::Null);
    assert_eq!(bench.state.verdict().withheld, 1);
    // With what they signed it is served. The control: so it would be if the page alone were asked.
    let path = metadata_path_of(GREETER_WHEEL);
    bench
        .repository
        .add_target("project-greeter", &path, b"Requires-Dist: evil");
    bench.repository.publish();
    let page = bench.get(GREETER_PAGE).await.json();
    let digest = Sha256::of(b"Requires-Dist: evil").to_string();
    assert_eq!(page["files"][0]["core-metadata"]["sha256"], digest);
    assert_eq!(bench.state.verdict().withheld, 1);
}

#[tokio::test]
async fn files_that_the_index_hides_are_named_and_refused_where_asked_for() {
    let mut bench = Bench::new().await;
    let hidden = "countersign_sample_greeter-1.0.1-py3-none-any.whl";
    let role = "project-greeter";
    bench
        .repository
        .add_target(role, &path_of(hidden), b"mended");
    bench.repository.publish();
    let page = bench.get(GREETER_PAGE).await.json();
    assert_eq!(page["files"].as_array().unwrap().len(), 1);
    let verdict = bench.state.verdict();
    assert_eq!(
        verdict.hidden.iter().map(|it| &**it).collect::<Vec<_>>(),
        [hidden]
    );
    assert_eq!((verdict.refused, verdict.withheld), (0, 0));
    let strict = bench.again_with(|config| config.strict = true).await;
    let reply = strict.get(GREETER_PAGE).await;
    let reason = reply.refused(409);
    assert!(
        reason.starts_with("TUF hidden project-greeter: "),
        "{reason}"
    );
    assert!(reason.contains(hidden), "{reason}");
    // The control: once the page shows it, there is nothing to refuse.
    let good = entry(GREETER_WHEEL, &sample(GREETER_WHEEL));
    bench.put_page(GREETER, vec![good, entry(hidden, b"mended")]);
    bench.repository.publish();
    let page = strict.get(GREETER_PAGE).await.json();
    assert_eq!(page["files"].as_array().unwrap().len(), 2);
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
        .refused(409);
}

#[tokio::test]
async fn connections_to_other_hosts_are_refused_named_and_counted() {
    let bench = Bench::new().await;
    let port = bench.address.port();
    for (method, to, host) in [
        ("CONNECT", "files.example:443", "files.example:443"),
        ("CONNECT", "127.0.0.1:22", "127.0.0.1:22"),
        ("GET", "http://files.example/simple/x/", "files.example:80"),
        (
            "GET",
            "http://files.example:8080/x.whl",
            "files.example:8080",
        ),
    ] {
        let reply = bench.send(method, to, "").await;
        assert!(
            reply
                .refused(409)
                .starts_with(&format!("TUF other-host {host}: "))
        );
        assert_eq!(bench.state.verdict().refused_hosts[host], 1);
    }
    assert!(bench.state.verdict().has_refusals());
    // The proxy itself may be named in full, as programs do that have it for their proxy.
    let whole = format!("http://127.0.0.1:{port}{WORDS_PAGE}");
    assert_eq!(bench.send("GET", &whole, "").await.status, 200);
}

/// A port of this machine at which another index is known is not answered from this one: its projects
/// would be taken from an index that they do not belong to.
#[tokio::test]
async fn the_port_of_another_index_is_not_answered() {
    let bench = Bench::new().await;
    let to = |port: u16| format!("http://localhost:{port}{WORDS_PAGE}");
    // A lock file names the port of an earlier run.
    assert_eq!(bench.send("GET", &to(4_321), "").await.status, 200);
    let bench = bench
        .again_with(|config| config.other_ports = [4_321].into())
        .await;
    let refused = bench.send("GET", &to(4_321), "").await;
    let reason = refused.refused(409);
    assert!(reason.contains("another index"), "{reason}");
    assert_eq!(bench.state.verdict().refused_hosts["localhost:4321"], 1);
    assert_eq!(bench.send("GET", &to(4_322), "").await.status, 200);

    // What the user allowed as it is comes from there, and is counted.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let elsewhere = Router::new().fallback(|| async { "not ours" });
    tokio::spawn(axum::serve(listener, elsewhere).into_future());
    let allowed = vec![host.parse().unwrap()];
    let bench = bench
        .again_with(|config| config.passed_hosts = allowed)
        .await;
    let url = format!("http://{host}{WORDS_PAGE}");
    assert_eq!(bench.send("GET", &url, "").await.body, b"not ours");
    assert_eq!(bench.state.verdict().passed_hosts[&*host], 1);
}

#[tokio::test]
async fn an_allowed_host_is_passed_on_unverified_and_counted() {
    let elsewhere = Router::new().fallback(|request: Request| async move {
        let hidden = request.headers().contains_key("proxy-authorization");
        format!("{} {} {hidden}", request.method(), request.uri())
    });
    // Another address of loopback, which is not the proxy's own.
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(axum::serve(listener, elsewhere).into_future());
    let bench = Bench::new().await;
    let allowed = vec![host.parse().unwrap()];
    let bench = bench
        .again_with(|config| config.passed_hosts = allowed)
        .await;
    let secret = "proxy-authorization: Basic eDp5\r\n";
    let reply = bench
        .send("GET", &format!("http://{host}/a?b"), secret)
        .await;
    assert_eq!(reply.body, b"GET /a?b false");

    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    let tunnel = format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    stream.write_all(tunnel.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200 "));
    let inside = format!("PUT /c HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(inside.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("PUT /c false"), "{answer}");
    let verdict = bench.state.verdict();
    assert_eq!(verdict.passed_hosts[&*host], 2);
    assert!(!verdict.has_refusals());
    let other = host.replace("127.0.0.2", "127.0.0.3");
    bench.send("CONNECT", &other, "").await.refused(409);
}
