//! Where machines get credentials without a file: the container endpoint, the instance metadata
//! service and the security token service, as far as an SDK asks them.

use serde_json::json;

use crate::answer::Answer;
use crate::http::Request;
use crate::state::Credentials;

/// Path of the container credentials (`AWS_CONTAINER_CREDENTIALS_FULL_URI`).
pub const CONTAINER_PATH: &str = "/container/credentials";
/// What a container sends there (`AWS_CONTAINER_AUTHORIZATION_TOKEN`).
pub const CONTAINER_TOKEN: &str = "container-token";
/// The web identity token that can be exchanged for credentials.
pub const WEB_IDENTITY_TOKEN: &str = "web-identity-token";

const INSTANCE_TOKEN: &str = "instance-token";
const EXPIRES: &str = "2999-01-01T00:00:00Z";

/// The temporary credentials that each source gives out.
pub(crate) fn temporary() -> [Credentials; 3] {
    ["CONTAINER", "INSTANCE", "WEBIDENTITY"].map(|source| Credentials {
        access_key: format!("ASIA{source}"),
        secret_key: format!("secret of {source}"),
        session_token: Some(format!("session of {source}")),
    })
}

/// Answers a request that is none to KMS.
pub(crate) fn answer(request: &Request) -> Option<Answer> {
    let [container, instance, web] = temporary();
    let instance_token = request.header("x-aws-ec2-metadata-token") == Some(INSTANCE_TOKEN);
    let refused = || Answer::text(401, "text/plain", "unauthorized");
    let role = "/latest/meta-data/iam/security-credentials/";
    Some(match (request.method.as_str(), request.target.as_str()) {
        ("GET", CONTAINER_PATH) if request.header("authorization") != Some(CONTAINER_TOKEN) => {
            refused()
        }
        ("GET", CONTAINER_PATH) => Answer::json(200, &document(&container)),
        ("PUT", "/latest/api/token") => Answer::text(200, "text/plain", INSTANCE_TOKEN)
            .with("x-aws-ec2-metadata-token-ttl-seconds", "21600"),
        ("GET", target) if target.starts_with("/latest/") && !instance_token => refused(),
        ("GET", target) if target == role => Answer::text(200, "text/plain", "signer"),
        ("GET", target) if target == format!("{role}signer") => {
            Answer::json(200, &document(&instance))
        }
        ("GET", target) if target.starts_with("/latest/") => {
            Answer::text(404, "text/plain", "not found")
        }
        ("POST", "/")
            if request
                .body
                .starts_with(b"Action=AssumeRoleWithWebIdentity") =>
        {
            assume_role(request, &web)
        }
        _ => return None,
    })
}

fn document(credentials: &Credentials) -> serde_json::Value {
    json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": credentials.access_key,
        "SecretAccessKey": credentials.secret_key,
        "Token": credentials.session_token,
        "Expiration": EXPIRES,
        "LastUpdated": "2020-01-01T00:00:00Z",
    })
}

fn assume_role(request: &Request, credentials: &Credentials) -> Answer {
    let body = String::from_utf8_lossy(&request.body);
    let token = format!("WebIdentityToken={WEB_IDENTITY_TOKEN}");
    if !body.split('&').any(|field| field == token) {
        let error = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code>\
                     <Message>no such token</Message></Error></ErrorResponse>";
        return Answer::text(400, "text/xml", error);
    }
    let answer = format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>\
         <AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/signer/index</Arn>\
         <AssumedRoleId>AROAEXAMPLE:index</AssumedRoleId></AssumedRoleUser><Credentials>\
         <AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{EXPIRES}</Expiration></Credentials>\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
        credentials.access_key,
        credentials.secret_key,
        credentials.session_token.as_deref().unwrap_or_default()
    );
    Answer::text(200, "text/xml", answer)
}
