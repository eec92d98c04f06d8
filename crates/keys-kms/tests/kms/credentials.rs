//! Each place where AWS programs find credentials, with a program that has nothing else: the example
//! `kms_sign` in an environment of its own.

use kms_double::{CONTAINER_PATH, CONTAINER_TOKEN, KeySpec, WEB_IDENTITY_TOKEN};

use crate::child;
use crate::stand::Stand;

/// Signs with a new key; `parameters` go behind its URI.
fn sign(stand: &Stand, parameters: &str, environment: &[(&str, &str)]) -> child::Outcome {
    let id = stand.double.create_key(KeySpec::P256);
    let home = stand.path("home");
    child::sign(
        &format!("awskms:{}{parameters}", stand.uri(&id)),
        &home,
        environment,
    )
}

/// Checks that it signed with the credentials of `access_key`.
fn signs_with(access_key: &str, stand: &Stand, parameters: &str, environment: &[(&str, &str)]) {
    let outcome = sign(stand, parameters, environment);
    assert_eq!(outcome.code, Some(0), "{access_key}: {}", outcome.errors);
    let used: Vec<_> = stand
        .double
        .calls()
        .into_iter()
        .map(|call| call.access_key)
        .collect();
    assert!(
        !used.is_empty() && used.iter().all(|used| used == access_key),
        "{used:?}"
    );
}

#[test]
fn from_the_environment() {
    let stand = Stand::new();
    let credentials = stand.double.credentials();
    let environment = [
        ("AWS_ACCESS_KEY_ID", credentials.access_key.as_str()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_key.as_str()),
    ];
    signs_with("AKIAEXAMPLE", &stand, "", &environment);
}

#[test]
fn from_a_profile_even_beside_the_environment() {
    let stand = Stand::new();
    let file = stand
        .double
        .credentials_file()
        .replace("[default]", "[index]");
    stand.write_credentials(&file);
    let path = stand.path("credentials");
    let environment = [
        ("AWS_SHARED_CREDENTIALS_FILE", path.to_str().unwrap()),
        ("AWS_ACCESS_KEY_ID", "AKIAOTHER"),
        ("AWS_SECRET_ACCESS_KEY", "other"),
    ];
    signs_with("AKIAEXAMPLE", &stand, "&profile=index", &environment);
}

#[test]
fn from_a_process() {
    let stand = Stand::new();
    let credentials = stand.double.credentials();
    let answer = serde_json::json!({
        "Version": 1,
        "AccessKeyId": credentials.access_key,
        "SecretAccessKey": credentials.secret_key,
    });
    std::fs::write(stand.path("answer"), answer.to_string()).unwrap();
    let command = format!("/bin/cat {}", stand.path("answer").display());
    let config = format!("[default]\ncredential_process = {command}\n");
    std::fs::write(stand.path("config"), config).unwrap();
    let path = stand.path("config");
    let environment = [("AWS_CONFIG_FILE", path.to_str().unwrap())];
    signs_with("AKIAEXAMPLE", &stand, "", &environment);
}

#[test]
fn from_a_web_identity() {
    let stand = Stand::new();
    std::fs::write(stand.path("token"), WEB_IDENTITY_TOKEN).unwrap();
    let (path, endpoint) = (stand.path("token"), stand.double.endpoint());
    let environment = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/signer"),
        ("AWS_ENDPOINT_URL_STS", endpoint.as_str()),
    ];
    signs_with("ASIAWEBIDENTITY", &stand, "", &environment);
}

#[test]
fn from_the_container() {
    let stand = Stand::new();
    let url = format!("{}{CONTAINER_PATH}", stand.double.endpoint());
    let environment = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", CONTAINER_TOKEN),
        // What stands on this machine is not asked through a proxy.
        ("HTTP_PROXY", "http://127.0.0.1:9"),
    ];
    signs_with("ASIACONTAINER", &stand, "", &environment);
}

#[test]
fn from_the_instance() {
    let stand = Stand::new();
    let endpoint = stand.double.endpoint();
    let environment = [
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint.as_str()),
    ];
    signs_with("ASIAINSTANCE", &stand, "", &environment);
}

#[test]
fn from_nowhere() {
    let stand = Stand::new();
    let outcome = sign(&stand, "", &[]);
    assert_eq!(outcome.code, Some(1));
    let errors = outcome.errors;
    assert!(errors.contains("cause: no AWS credentials"), "{errors}");
    assert!(errors.contains("hint: set AWS_ACCESS_KEY_ID"), "{errors}");
    assert!(stand.double.calls().is_empty());
}

#[test]
fn secrets_are_in_no_output() {
    let stand = Stand::new();
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIAWRONG"),
        ("AWS_SECRET_ACCESS_KEY", "planted/secret+in+the+environment"),
    ];
    let outcome = sign(&stand, "", &environment);
    assert_eq!(outcome.code, Some(1));
    let all = outcome.output + &outcome.errors;
    assert!(all.contains("UnrecognizedClientException"), "{all}");
    assert!(!all.contains("planted"), "{all}");
}
