//! Several upstreams behind one proxy: whose word counts for which file.

use std::sync::Arc;

use client::{ClientError, Datastore, Pace, UnverifiedIndex, Updater, UpdaterConfig, init};
use countersign_proxy::{ProxyConfig, ProxyState, SharedState, UpstreamRules, router};
use countersign_tests::Simulator;
use tokio::net::TcpListener;

use crate::bench::{Bench, GREETER, GREETER_WHEEL, ask, entry, path_of, put_page, sample, url_of};

const EVIL: &[u8] = b"not what the developers signed";

/// A proxy before repositories by name; ends with the test.
pub(crate) struct Several {
    pub(crate) state: SharedState,
    pub(crate) address: std::net::SocketAddr,
    _dir: tempfile::TempDir,
}

impl Several {
    pub(crate) async fn before(repositories: &[(&str, &Simulator)], rules: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, repository) in repositories {
            let datastore = Datastore::open(dir.path().join(name)).unwrap();
            let root = repository.archived("root", 1);
            init(&datastore, &root, &trust::Rules::default())
                .await
                .unwrap();
        }
        let now = repositories[0].1.now;
        let updater = |name: &String| {
            let found = repositories.iter().find(|(it, _)| it == name);
            let (name, repository) = found.unwrap();
            let url = |path: &str| format!("http://{name}.example/{path}/").parse().unwrap();
            let config = UpdaterConfig::new(url("metadata"), url("targets"));
            let datastore = Datastore::open(dir.path().join(name))?;
            Updater::new(config, datastore, Arc::new(repository.server().clone()))
        };
        let config = ProxyConfig {
            clock: Arc::new(move || now),
            ..ProxyConfig::new(dir.path().join("cache"))
        };
        let rules = UpstreamRules::parse(rules).unwrap();
        let unverified = |url: &url::Url| UnverifiedIndex::new(url.clone(), Pace::default());
        let state = ProxyState::before::<ClientError>(rules, updater, unverified, config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = axum::serve(listener, router(Arc::clone(&state)));
        tokio::spawn(async move { served.await });
        Self {
            state,
            address,
            _dir: dir,
        }
    }
}

/// The page of the greeter has these bytes for its wheel; nobody claims the project.
fn unclaimed(bytes: &[u8]) -> Simulator {
    let mut repository = Simulator::standard();
    let files = vec![entry(GREETER_WHEEL, bytes)];
    put_page(&mut repository, GREETER, files);
    repository.serve_target(&path_of(GREETER_WHEEL), bytes);
    repository.publish();
    repository
}

/// A page that was forged with a stolen online key does not agree with anybody on a file that
/// developers sign, since it does not speak for the file.
#[tokio::test]
async fn a_page_does_not_vouch_where_developers_do() {
    let mut claimed = Bench::new().await.repository;
    put_page(&mut claimed, GREETER, vec![entry(GREETER_WHEEL, EVIL)]);
    claimed.serve_target(&path_of(GREETER_WHEEL), EVIL);
    claimed.publish();
    let (forged, genuine) = (unclaimed(EVIL), unclaimed(&sample(GREETER_WHEEL)));
    let both = "[[rule]]\nprojects = [\"*\"]\nupstreams = [\"a\", \"b\"]\nagree = 2\n";
    let evil = url_of(GREETER_WHEEL, EVIL);
    let several = Several::before(&[("a", &claimed), ("b", &forged)], both).await;
    let reply = ask(several.address, &evil).await;
    let reason = reply.refused(409);
    assert!(reason.contains("project-greeter"), "{reason}");
    assert_eq!(several.state.verdict().distributions.len(), 0);
    // The controls: two that speak for it themselves agree on anything; one alone is not asked twice.
    let several = Several::before(&[("a", &unclaimed(EVIL)), ("b", &forged)], both).await;
    assert_eq!(ask(several.address, &evil).await.body, EVIL);
    let one = "[[rule]]\nprojects = [\"*\"]\nupstream = \"b\"\n";
    let several = Several::before(&[("b", &forged)], one).await;
    assert_eq!(ask(several.address, &evil).await.body, EVIL);
    // And the true file comes where a claimed and an unclaimed page have it.
    let claimed = Bench::new().await.repository;
    let several = Several::before(&[("a", &claimed), ("b", &genuine)], both).await;
    let good = sample(GREETER_WHEEL);
    let reply = ask(several.address, &url_of(GREETER_WHEEL, &good)).await;
    assert_eq!(reply.body, good);
}
