//! The HTTP client under `object_store`: the workspace's own, with rustls and ring, so that the bucket
//! brings no second TLS stack. Proxies of the environment for what is far away only.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt, Limited};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use policy::StoreLimits;
use reqwest::header::{HeaderValue, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request};
use url::Url;

use crate::place::is_near;

/// Longest answer that is no object: a page of a listing has 1,000 keys of at most 1,024 bytes and as
/// much again around each.
const MAX_ANSWER: usize = 8 << 20;

/// Makes clients that share two pools of connections: this machine and its link, and everything else.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    near: Client,
    far: Client,
    attempt: Duration,
    overwrite: bool,
}

impl Connector {
    /// `overwrite` lets an upload in parts replace what is there.
    pub(crate) fn new(limits: &StoreLimits, overwrite: bool) -> reqwest::Result<Self> {
        // Only the first call of a process can set it; a provider already there is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(limits.connect_timeout)
                .read_timeout(limits.attempt_timeout)
                .redirect(Policy::none())
        };
        Ok(Self {
            near: builder().no_proxy().build()?,
            far: builder().build()?,
            attempt: limits.attempt_timeout,
            overwrite,
        })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url: Url = parts
            .uri
            .to_string()
            .parse()
            .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let client = if url.host_str().is_some_and(is_near) {
            &self.near
        } else {
            &self.far
        };
        let is_object = parts.method == Method::GET && url.query().is_none();
        let completes = parts.method == Method::POST && has_upload_id(&url);
        let mut request = Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        if completes && !self.overwrite {
            // No upload in parts may replace an object of the store. `object_store` asks for that when it
            // copies, not when it uploads.
            let any = HeaderValue::from_static("*");
            request.headers_mut().insert(IF_NONE_MATCH, any);
        }
        *request.body_mut() = Some(reqwest::Body::wrap(body));
        let answer = tokio::time::timeout(self.attempt, client.execute(request))
            .await
            .map_err(again)?
            .map_err(|error| again(error.without_url()))?;
        let is_object = is_object && answer.status().is_success();
        let (parts, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
        let body = body.map_err(|error| again(error.without_url()));
        let body = if is_object {
            // Whoever reads it counts.
            HttpResponseBody::new(body)
        } else {
            let too_long = |error| HttpError::new_boxed(HttpErrorKind::Decode, error);
            HttpResponseBody::new(Limited::new(body, MAX_ANSWER).map_err(too_long))
        };
        Ok(HttpResponse::from_parts(parts, body))
    }
}

/// Every request of ours may be repeated: what has taken effect unseen is met again as a condition that
/// does not hold, and then compared.
fn again(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Request, error)
}

fn has_upload_id(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| name == "uploadId")
}
