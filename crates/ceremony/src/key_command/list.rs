//! `key list`: the keys on tokens, and those an ssh-agent holds.

use std::fmt::Write as _;
use std::str::FromStr;

use keys::{
    HeldByAgent, KeyUri, PassphraseSource, Pkcs11Uri, TokenKeys, UriError, list_agent_keys,
    list_token_keys,
};
use serde_json::{Value, json};

use super::report::{token_json, token_line};
use super::{Edge, KeyCommandError, NamesKeys, Outcome, PassphraseArgs, ReachArgs};

/// List the keys on tokens, or those an ssh-agent holds
///
/// Each is listed with the URI that names it alone. Most tokens show private keys only after a login.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// `pkcs11:` with whatever narrows it down, or `ssh-agent`
    #[arg(default_value = "pkcs11:", value_parser = NamesKeys::<Place>::parser())]
    place: Place,

    /// Log in to the tokens, with their PIN
    #[arg(long, env = "COUNTERSIGN_KEY_LOGIN")]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    login: bool,

    #[command(flatten)]
    passphrases: PassphraseArgs,

    #[command(flatten)]
    reach: ReachArgs,
}

/// What holds keys.
#[derive(Clone, Debug)]
enum Place {
    Tokens(Box<Pkcs11Uri>),
    Agent,
}

impl FromStr for Place {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        match text {
            "ssh-agent" | "ssh-agent:" => Ok(Self::Agent),
            other => match other.parse()? {
                KeyUri::Pkcs11(uri) => Ok(Self::Tokens(Box::new(uri))),
                _ => Err(UriError::NoScheme {
                    known: &["pkcs11", "ssh-agent"],
                }),
            },
        }
    }
}

impl Args {
    pub(super) fn run(&self, edge: &Edge<'_>) -> Result<Outcome, KeyCommandError> {
        let reach = self.reach.reach();
        let options = reach.options(edge);
        match &self.place {
            Place::Agent => {
                let held = list_agent_keys(options.agent_socket, options.timeout)?;
                Ok(of_agent(&held))
            }
            Place::Tokens(uri) => {
                let source = self.passphrases.source();
                let pins: Option<&dyn PassphraseSource> = self.login.then_some(&source as _);
                Ok(of_tokens(&list_token_keys(uri, pins, options.pkcs11)?))
            }
        }
    }
}

fn of_agent(held: &[HeldByAgent]) -> Outcome {
    let mut text = String::new();
    let mut list = Vec::new();
    for key in held {
        let uri = KeyUri::SshAgent(key.name.clone()).to_string();
        let id = key.public.as_ref().map(|key| key.id().as_str().to_owned());
        let says = id.as_deref().unwrap_or("cannot sign metadata");
        // A comment may hold anything, a terminal's commands too. Writing to a String cannot fail.
        let comment = key.comment.escape_debug();
        let _ = writeln!(text, "{uri}\n  {} {comment}\n  {says}", key.algorithm);
        list.push(json!({
            "uri": uri,
            "algorithm": key.algorithm,
            "comment": key.comment,
            "keyid": id,
        }));
    }
    if held.is_empty() {
        text.push_str("no keys\n");
    }
    let json = json!({ "keys": list });
    Outcome { text, json }
}

fn of_tokens(tokens: &[TokenKeys]) -> Outcome {
    let mut text = String::new();
    let list: Vec<Value> = tokens
        .iter()
        .map(|token| of_token(token, &mut text))
        .collect();
    if tokens.is_empty() {
        text.push_str("no tokens\n");
    }
    let json = json!({ "tokens": list });
    Outcome { text, json }
}

fn of_token(listed: &TokenKeys, text: &mut String) -> Value {
    let _ = writeln!(text, "token {}", token_line(&listed.token));
    let keys = match &listed.keys {
        Ok(keys) => keys,
        Err(error) => {
            let _ = writeln!(text, "  its keys cannot be told: {error}");
            let token = token_json(&listed.token);
            return json!({ "token": token, "error": error.to_string() });
        }
    };
    let mut list = Vec::new();
    for key in keys {
        let uri = format!("pkcs11:{}", key.uri);
        let public = key.public.as_ref();
        let id = public.ok().map(|key| key.id().as_str().to_owned());
        let flaw = public.err().map(ToString::to_string);
        let says = id.as_deref().or(flaw.as_deref()).unwrap_or_default();
        let half = if key.private {
            "private"
        } else {
            "public half seen"
        };
        let _ = writeln!(text, "  {uri}\n    {}, {half}\n    {says}", key.key_type);
        list.push(json!({
            "uri": uri,
            "type": key.key_type,
            "private": key.private,
            "always_authenticate": key.always_authenticate,
            "keyid": id,
            "error": flaw,
        }));
    }
    json!({ "token": token_json(&listed.token), "keys": list })
}
