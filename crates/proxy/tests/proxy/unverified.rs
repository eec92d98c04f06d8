//! An index that signs nothing, for the projects that the rules name: what is passed on of it, what is
//! not, and that all of it is named.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::response::Response;
use bytes::Bytes;
use countersign_tests::Simulator;
use futures_util::stream;
use metadata::Sha256;
use tokio::net::TcpListener;

use crate::bench::{
    GREETER, GREETER_WHEEL, Reply, WORDS_PAGE, WORDS_WHEEL, ask, raw, sample, send,
};
use crate::several::Several;

/// What a plain server answers, by path.
#[derive(Clone, Default)]
struct Plain {
    files: Arc<Mutex<BTreeMap<String, Served>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Served {
    content_type: &'static str,
    bytes: Vec<u8>,
    /// What it says of the length, if anything.
    length: Option<u64>,
    /// Where it sends whoever asks, instead.
    location: Option<String>,
}

impl Plain {
    fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        let length = Some(bytes.len() as u64);
        self.serve(path, "text/html", bytes, length);
    }

    fn serve(
        &self,
        path: &str,
        content_type: &'static str,
        bytes: impl Into<Vec<u8>>,
        length: Option<u64>,
    ) {
        let served = Served {
            content_type,
            bytes: bytes.into(),
            length,
            location: None,
        };
        self.files.lock().unwrap().insert(path.to_owned(), served);
    }

    fn redirect(&self, path: &str, to: &str) {
        self.put(path, "");
        let mut files = self.files.lock().unwrap();
        files.get_mut(path).unwrap().location = Some(to.to_owned());
    }

    fn asked(&self, path: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|it| *it == path).count()
    }

    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let this = self.clone();
        let router = Router::new().fallback(move |request: Request| async move {
            let path = request.uri().path().to_owned();
            this.asked.lock().unwrap().push(path.clone());
            let Some(served) = this.files.lock().unwrap().get(&path).cloned() else {
                return Response::builder().status(404).body(Body::empty()).unwrap();
            };
            let mut builder = Response::builder().header(CONTENT_TYPE, served.content_type);
            if let Some(location) = served.location {
                builder = builder.status(302).header(LOCATION, location);
            }
            if let Some(length) = served.length {
                builder = builder.header(CONTENT_LENGTH, length);
            }
            let pieces: Vec<_> = served
                .bytes
                .chunks(1_000)
                .map(|it| Ok::<_, std::io::Error>(Bytes::copy_from_slice(it)))
                .collect();
            builder
                .body(Body::from_stream(stream::iter(pieces)))
                .unwrap()
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

/// A plain index that has the greeter, and a proxy that takes it from there, all else from a signed one.
struct Stage {
    plain: Plain,
    url: String,
    proxy: Several,
}

const PAGE: &str = "/simple/countersign-sample-greeter/";

impl Stage {
    async fn new(page: &str) -> Self {
        let plain = Plain::default();
        let wheel = sample(GREETER_WHEEL);
        plain.put(&format!("/packages/{GREETER_WHEEL}"), wheel);
        plain.put(PAGE, page);
        let url = format!("http://{}/simple/", plain.start().await);
        let rules = format!(
            "[[rule]]\nprojects = [\"{GREETER}\"]\nunverified = \"{url}\"\n\
             [[rule]]\nprojects = [\"*\"]\nupstream = \"main\"\n"
        );
        let mut signed = Simulator::standard();
        crate::bench::put_page(
            &mut signed,
            crate::bench::WORDS,
            vec![crate::bench::entry(WORDS_WHEEL, &sample(WORDS_WHEEL))],
        );
        // The signed index has the name as well: nobody asks it.
        let evil = vec![crate::bench::entry(GREETER_WHEEL, b"of the signed index")];
        crate::bench::put_page(&mut signed, GREETER, evil);
        signed.publish();
        let proxy = Several::before(&[("main", &signed)], &rules).await;
        Self { plain, url, proxy }
    }

    async fn get(&self, path: &str) -> Reply {
        ask(self.proxy.address, path).await
    }

    async fn page(&self, accept: &str) -> Reply {
        let accept = format!("accept: {accept}\r\n");
        send(self.proxy.address, "GET", PAGE, &accept).await
    }
}

fn linked(hash: &str) -> String {
    format!("<a href=\"../../packages/{GREETER_WHEEL}{hash}\">{GREETER_WHEEL}</a>")
}

fn hashed() -> String {
    linked(&format!("#sha256={}", Sha256::of(&sample(GREETER_WHEEL))))
}

const JSON: &str = "application/vnd.pypi.simple.v1+json";

#[tokio::test]
async fn a_named_project_comes_from_it_and_is_named() {
    let stage = Stage::new(&hashed()).await;
    let (wheel, digest) = (sample(GREETER_WHEEL), Sha256::of(&sample(GREETER_WHEEL)));
    let page = stage.page(JSON).await;
    assert_eq!(page.header("content-type"), JSON);
    let url = format!("../../files/{digest}/{GREETER_WHEEL}");
    assert_eq!(page.json()["files"][0]["url"], url);
    let html = stage.page("text/html").await;
    let text = String::from_utf8(html.body).unwrap();
    assert!(text.contains(&format!("{url}#sha256={digest}")), "{text}");

    let path = format!("/files/{digest}/{GREETER_WHEEL}");
    assert_eq!(stage.get(&path).await.body, wheel);
    let part = send(stage.proxy.address, "GET", &path, "range: bytes=-9\r\n").await;
    assert_eq!(
        (part.status, &part.body[..]),
        (206, &wheel[wheel.len() - 9..])
    );
    // What fitted once is kept, beside what is verified and not among it.
    assert_eq!(stage.plain.asked(&format!("/packages/{GREETER_WHEEL}")), 1);

    assert_eq!(stage.get(WORDS_PAGE).await.status, 200);
    let verdict = stage.proxy.state.verdict();
    assert_eq!((verdict.pages, verdict.files), (1, 0));
    let from = &verdict.unverified[stage.url.as_str()];
    assert!(from.projects.contains(GREETER) && from.projects.len() == 1);
    assert!(from.distributions.contains(GREETER_WHEEL));
    let status = stage.get("/+countersign/status").await.json();
    assert_eq!(status["unverified"][0], stage.url);
    assert_eq!(
        status["verdict"]["unverified"][&stage.url]["distributions"][0],
        GREETER_WHEEL
    );
}

/// It is asked for no project but those named, and nobody else for those.
#[tokio::test]
async fn it_is_no_fallback() {
    let stage = Stage::new(&hashed()).await;
    let evil = Sha256::of(b"of the signed index");
    let other = stage.get(&format!("/files/{evil}/{GREETER_WHEEL}")).await;
    other.refused(404);
    stage.plain.put("/simple/nobody/", hashed());
    stage.get("/simple/nobody/").await.refused(404);
    assert_eq!(stage.plain.asked("/simple/nobody/"), 0);
    let stage = Stage::new(&hashed()).await;
    stage.plain.files.lock().unwrap().remove(PAGE);
    stage.page(JSON).await.refused(404);
    assert!(stage.proxy.state.verdict().unverified.is_empty());
}

#[tokio::test]
async fn the_hash_of_its_own_page_is_enforced() {
    let sha512 = hex::encode(ring::digest::digest(
        &ring::digest::SHA512,
        &sample(GREETER_WHEEL),
    ));
    let sha256 = Sha256::of(&sample(GREETER_WHEEL)).to_string();
    for (name, value, path) in [
        (
            "sha256",
            &sha256,
            format!("/files/{sha256}/{GREETER_WHEEL}"),
        ),
        (
            "sha512",
            &sha512,
            format!("/files/unhashed/{GREETER_WHEEL}"),
        ),
    ] {
        let stage = Stage::new(&linked(&format!("#{name}={value}"))).await;
        assert_eq!(stage.get(&path).await.body, sample(GREETER_WHEEL), "{name}");
        let stage = Stage::new(&linked(&format!("#{name}={value}"))).await;
        let file = format!("/packages/{GREETER_WHEEL}");
        stage.plain.put(&file, &b"something else"[..]);
        let refused = stage.get(&path).await;
        let reason = refused.refused(409);
        assert!(
            reason.contains("another hash than its page says"),
            "{reason}"
        );
        assert_eq!(stage.proxy.state.verdict().refused, 1);
        assert!(stage.proxy.state.verdict().unverified.is_empty());
    }
}

#[tokio::test]
async fn without_a_hash_it_is_passed_on_up_to_a_limit() {
    let path = format!("/files/unhashed/{GREETER_WHEEL}");
    let weak = format!("#md5={}", "0".repeat(32));
    for hash in ["", weak.as_str()] {
        let stage = Stage::new(&linked(hash)).await;
        let page = stage.page("text/html").await;
        let text = String::from_utf8(page.body).unwrap();
        assert!(text.contains(&format!("../..{path}{hash}\"")), "{text}");
        let whole = stage.get(&path).await;
        assert_eq!(whole.body, sample(GREETER_WHEEL));
        assert_eq!(whole.header("cache-control"), "no-store");
    }
    let size = 10;
    let page = format!(
        "{{\"meta\": {{\"api-version\": \"1.0\"}}, \"files\": [{{\"filename\": \"{GREETER_WHEEL}\", \
         \"url\": \"/packages/{GREETER_WHEEL}\", \"hashes\": {{}}, \"size\": {size}}}]}}"
    );
    let stage = Stage::new(&page).await;
    let refused = stage.get(&path).await;
    assert!(refused.refused(409).contains("has more than 10 bytes"));
    // Where nothing is said beforehand it ends in the middle, and the connection with it.
    let file = format!("/packages/{GREETER_WHEEL}");
    stage
        .plain
        .serve(&file, "text/html", sample(GREETER_WHEEL), None);
    let address = stage.proxy.address;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let broken = raw(address, &request).await;
    assert!(!broken.ends_with(b"0\r\n\r\n"), "it says that it is whole");
}

/// A page and a file may be redirected on the host they are of, not over plain HTTP to another: nothing
/// would tell what that one sent from what somebody on the way did.
#[tokio::test]
async fn a_redirect_leads_to_no_other_host_without_tls() {
    let stage = Stage::new("").await;
    let file = format!("/packages/{GREETER_WHEEL}");
    stage.plain.redirect(PAGE, "/moved/");
    stage.plain.put("/moved/", linked(""));
    stage.plain.redirect(&file, "/moved.whl");
    stage.plain.put("/moved.whl", sample(GREETER_WHEEL));
    let unhashed = format!("/files/unhashed/{GREETER_WHEEL}");
    assert_eq!(stage.get(&unhashed).await.body, sample(GREETER_WHEEL));

    let elsewhere = Plain::default();
    elsewhere.put("/moved.whl", "of another host");
    elsewhere.put("/moved/", linked(""));
    let other = format!("http://{}", elsewhere.start().await);
    let stage = Stage::new(&linked("")).await;
    stage.plain.redirect(&file, &format!("{other}/moved.whl"));
    let refused = stage.get(&unhashed).await;
    let reason = refused.refused(502);
    assert!(reason.contains("without TLS"), "{reason}");
    let stage = Stage::new("").await;
    stage.plain.redirect(PAGE, &format!("{other}/moved/"));
    let refused = stage.page(JSON).await;
    let reason = refused.refused(502);
    assert!(reason.contains("without TLS"), "{reason}");
    assert_eq!(
        elsewhere.asked("/moved/") + elsewhere.asked("/moved.whl"),
        0
    );
}

#[tokio::test]
async fn a_page_that_is_none_is_refused() {
    for (page, words) in [
        ("{", "no JSON of PEP 691"),
        (
            "{\"meta\": {\"api-version\": \"2.0\"}, \"files\": []}",
            "another version",
        ),
    ] {
        let stage = Stage::new(page).await;
        let refused = stage.page(JSON).await;
        let reason = refused.refused(409);
        assert!(reason.contains(words), "{reason}");
        assert!(
            refused.json()["detail"]
                .as_str()
                .unwrap()
                .contains(&stage.url)
        );
    }
    let stage = Stage::new("").await;
    let long = vec![b' '; 32_000_001];
    stage.plain.put(PAGE, long);
    assert!(stage.page(JSON).await.refused(409).contains("bytes"));
}

/// Core metadata is held to the hash that the page gives.
#[tokio::test]
async fn core_metadata_is_held_to_its_hash() {
    let digest = Sha256::of(&sample(GREETER_WHEEL));
    let page = format!(
        "<a href=\"/packages/{GREETER_WHEEL}#sha256={digest}\" data-core-metadata=\"sha256={}\">x</a>",
        Sha256::of(b"Metadata-Version: 2.1\n")
    );
    let stage = Stage::new(&page).await;
    let file = format!("/packages/{GREETER_WHEEL}.metadata");
    stage.plain.put(&file, &b"Metadata-Version: 2.1\n"[..]);
    let path = format!("/files/{digest}/{GREETER_WHEEL}.metadata");
    assert_eq!(stage.get(&path).await.body, b"Metadata-Version: 2.1\n");
    let stage = Stage::new(&page).await;
    stage.plain.put(&file, &b"Requires-Dist: evil\n"[..]);
    stage.get(&path).await.refused(409);
}
