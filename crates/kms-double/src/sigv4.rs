//! Checks AWS Signature Version 4 on requests, so that credentials mean something here.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;

use crate::answer::Refusal;
use crate::http::Request;
use crate::state::{Credentials, REGION};

/// Returns whose credentials signed the request, or how the service refuses.
pub(crate) fn check<'a>(
    request: &Request,
    known: &'a [Credentials],
) -> Result<&'a Credentials, Refusal> {
    let header = request.header("authorization").ok_or_else(|| {
        Refusal::new(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    })?;
    let fields = Fields::read(header)
        .ok_or_else(|| Refusal::new("IncompleteSignatureException", "malformed Authorization"))?;
    let [access_key, day, region, service, "aws4_request"] = fields.scope[..] else {
        return Err(Refusal::new(
            "IncompleteSignatureException",
            "malformed Credential",
        ));
    };
    let credentials = known
        .iter()
        .find(|known| known.access_key == access_key)
        .ok_or_else(|| {
            let message = "The security token included in the request is invalid.";
            Refusal::new("UnrecognizedClientException", message)
        })?;
    if (region, service) != (REGION, "kms") {
        let message = format!("Credential should be scoped to a valid region, not '{region}'. ");
        return Err(Refusal::new("InvalidSignatureException", message));
    }
    if request.header("x-amz-security-token") != credentials.session_token.as_deref() {
        let message = "The security token included in the request is expired";
        return Err(Refusal::new("ExpiredTokenException", message));
    }
    let expected = signature(request, &fields, day, &credentials.secret_key);
    if expected.as_deref() != Some(fields.signature) {
        let message = "The request signature we calculated does not match the signature you \
                       provided. Check your AWS Secret Access Key and signing method.";
        return Err(Refusal::new("InvalidSignatureException", message));
    }
    Ok(credentials)
}

struct Fields<'a> {
    scope: Vec<&'a str>,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Fields<'a> {
    fn read(header: &'a str) -> Option<Self> {
        let rest = header.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let field = |name: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self {
            scope: field("Credential")?.split('/').collect(),
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        })
    }
}

fn signature(request: &Request, fields: &Fields, day: &str, secret: &str) -> Option<String> {
    let headers: String = fields
        .signed_headers
        .split(';')
        .map(|name| Some(format!("{name}:{}\n", request.header(name)?)))
        .collect::<Option<_>>()?;
    let canonical = format!(
        "{}\n{}\n\n{headers}\n{}\n{}",
        request.method,
        request.target,
        fields.signed_headers,
        hex::encode(digest(&SHA256, &request.body))
    );
    let scope = fields.scope[1..].join("/");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        request.header("x-amz-date")?,
        hex::encode(digest(&SHA256, canonical.as_bytes()))
    );
    let mac = |key: &[u8], data: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data.as_bytes())
    };
    let mut key = mac(format!("AWS4{secret}").as_bytes(), day);
    for part in &fields.scope[2..] {
        key = mac(key.as_ref(), part);
    }
    Some(hex::encode(mac(key.as_ref(), &to_sign)))
}
