//! The HTTP client under the SDK: TLS by rustls with ring, proxies of the environment for what is
//! far away only, answers of bounded size.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

use crate::limits::MAX_ANSWER;

/// Keeps connections; one pool for each pair of time-outs the SDK asks for.
#[derive(Debug, Default)]
pub(crate) struct Client {
    pools: Mutex<HashMap<Timeouts, SharedHttpConnector>>,
}

/// Time-outs for connecting and for reading.
type Timeouts = (Option<Duration>, Option<Duration>);

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pools.entry(timeouts).or_insert_with(|| {
            let (settings, sleep) = (settings.clone(), components.sleep_impl());
            SharedHttpConnector::new(Pool {
                build: Arc::new(move |proxy| {
                    let mut builder: ConnectorBuilder = Connector::builder();
                    builder.set_connector_settings(Some(settings.clone()));
                    builder.set_sleep_impl(sleep.clone());
                    builder.set_proxy_config(Some(proxy));
                    builder
                        .tls_provider(Provider::Rustls(CryptoMode::Ring))
                        .build()
                }),
                near: OnceLock::new(),
                far: OnceLock::new(),
            })
        });
        pool.clone()
    }
}

/// Two connectors, each built when it is first needed: reading the system's certificates takes
/// longer than a signature.
struct Pool {
    build: Arc<dyn Fn(ProxyConfig) -> Connector + Send + Sync>,
    near: OnceLock<Connector>,
    far: OnceLock<Connector>,
}

impl HttpConnector for Pool {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = if is_near(request.uri()) {
            self.near
                .get_or_init(|| (self.build)(ProxyConfig::disabled()))
        } else {
            self.far
                .get_or_init(|| (self.build)(ProxyConfig::from_env()))
        };
        let answer = connector.call(request);
        HttpConnectorFuture::new(async move {
            let bounded = |body| SdkBody::from_body_1_x(Limited::new(body, MAX_ANSWER));
            Ok(answer.await?.map(bounded))
        })
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

/// Whether a URL leads to this machine or to its link, where instances and containers find their
/// credentials: nothing a proxy should see.
pub(crate) fn is_near(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    // What stands before an `@` is no host, whatever it looks like.
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        // fd00:ec2::254 and fd00:ec2::23 are the instance and container endpoints.
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.segments()[..2] == [0xfd00, 0x0ec2]
        }
        Err(_) => host == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_this_machine_from_others() {
        for near in [
            "http://127.0.0.1:4566/",
            "http://localhost:1",
            "http://[::1]:4566/x",
            "http://169.254.169.254/latest/api/token",
            "http://[fd00:ec2::254]/latest",
        ] {
            assert!(is_near(near), "{near}");
        }
        for far in [
            "https://kms.eu-central-1.amazonaws.com/",
            "http://127.0.0.1.index.example/",
            "http://localhost.index.example/",
            "http://index.example/127.0.0.1",
            "http://index.example?localhost",
            "http://127.0.0.1@index.example/",
            "http://localhost:1@index.example/",
            "http://10.0.0.1/",
            "http://[fd00::1]/",
            "",
        ] {
            assert!(!is_near(far), "{far}");
        }
    }
}
