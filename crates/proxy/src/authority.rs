//! A certificate authority of this machine, for the time of a proxy: installers that keep an index's own
//! `https` URLs talk to the proxy as if it were the index.
//!
//! Whoever has its key could pretend to be the index to those installers, and to nobody else: the key
//! never leaves this process's memory, the certificate stands in no store of the system, it lives
//! seven days, and its critical name constraints (RFC 5280 section 4.2.1.10) name the index's hosts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData,
    SignatureAlgorithm, SigningKey,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use zeroize::Zeroize;

/// How the subject of each begins; `countersign doctor` looks for it where it must not be.
const NAME: &str = "countersign local authority";

/// How long one lives.
const LIFE: TimeDelta = TimeDelta::days(7);

/// With less left of the current one, the next is in the bundle, so that installers started from
/// then on know it.
const ANNOUNCED: TimeDelta = TimeDelta::days(4);

/// With less left of the current one, the next signs.
const REPLACED: TimeDelta = TimeDelta::days(1);

/// How far before its making a certificate is valid, for clocks that are set back a little meanwhile.
const BACKDATED: TimeDelta = TimeDelta::minutes(5);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// None is made for this host.
    #[error("no certificate is made for {host}: it is no host of the index")]
    OtherHost {
        /// The host.
        host: String,
    },
    /// A certificate could not be made.
    #[error("no certificate could be made")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    Tls(#[from] rustls::Error),
}

/// The authority.
pub struct LocalAuthority {
    hosts: Vec<String>,
    held: Mutex<Held>,
}

struct Held {
    current: Issued,
    next: Option<Issued>,
}

/// One authority's certificate with its key, and what it has signed.
struct Issued {
    issuer: Issuer<'static, Key>,
    pem: String,
    not_after: DateTime<Utc>,
    configs: BTreeMap<String, Arc<ServerConfig>>,
}

/// A private key; its bytes are wiped.
struct Key(KeyPair);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

impl LocalAuthority {
    /// A new one for these hosts: names, or addresses without brackets.
    pub fn new(hosts: Vec<String>, now: DateTime<Utc>) -> Result<Self, AuthorityError> {
        let current = Issued::new(&hosts, now)?;
        let held = Mutex::new(Held {
            current,
            next: None,
        });
        Ok(Self { hosts, held })
    }

    /// What installers have to trust, in PEM.
    #[must_use]
    pub fn bundle(&self) -> String {
        let held = self.held();
        let next = held.next.as_ref().map_or("", |next| &next.pem);
        format!("{}{next}", held.current.pem)
    }

    /// When the certificate in use ends.
    #[must_use]
    pub fn valid_until(&self) -> DateTime<Utc> {
        self.held().current.not_after
    }

    /// Makes the next one when it is due, and has it sign when the current one is about to end. `true`
    /// if the bundle is another now.
    pub fn renew(&self, now: DateTime<Utc>) -> Result<bool, AuthorityError> {
        let mut held = self.held();
        let left = held.current.not_after - now;
        let mut is_changed = false;
        if held.next.is_none() && left < ANNOUNCED {
            held.next = Some(Issued::new(&self.hosts, now)?);
            is_changed = true;
        }
        if left < REPLACED
            && let Some(next) = held.next.take()
        {
            held.current = next;
            is_changed = true;
        }
        Ok(is_changed)
    }

    /// How the proxy speaks TLS as `host`.
    pub(crate) fn config(&self, host: &str) -> Result<Arc<ServerConfig>, AuthorityError> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let Some(host) = self.hosts.iter().find(|it| it.eq_ignore_ascii_case(host)) else {
            let host = host.to_owned();
            return Err(AuthorityError::OtherHost { host });
        };
        let mut held = self.held();
        if let Some(config) = held.current.configs.get(host) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(held.current.sign(host)?);
        let configs = &mut held.current.configs;
        configs.insert(host.clone(), Arc::clone(&config));
        Ok(config)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issued {
    fn new(hosts: &[String], now: DateTime<Utc>) -> Result<Self, AuthorityError> {
        let not_after = now + LIFE;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let name = format!("{NAME} until {}", not_after.format("%FT%TZ"));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.name_constraints = Some(constraints(hosts));
        live(&mut params, now - BACKDATED, not_after);
        let key = Key(KeyPair::generate()?);
        let pem = params.self_signed(&key)?;
        let pem = pem_of(pem.der());
        Ok(Self {
            issuer: Issuer::new(params, key),
            pem,
            not_after,
            configs: BTreeMap::new(),
        })
    }

    fn sign(&self, host: &str) -> Result<ServerConfig, AuthorityError> {
        let mut params = CertificateParams::new([host.to_owned()])?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "countersign proxy of this machine");
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let not_before = self.not_after - LIFE - BACKDATED;
        live(&mut params, not_before, self.not_after);
        let key = Key(KeyPair::generate()?);
        let certificate = params.signed_by(&key, &self.issuer)?;
        let mut pkcs8 = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.0.serialize_der()));
        let signing = ring::sign::any_ecdsa_type(&pkcs8);
        pkcs8.zeroize();
        let certified = CertifiedKey::new(vec![certificate.der().clone()], signing?);
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Only these hosts. A kind of name of which none is permitted is excluded whole: what is not
/// constrained is allowed (RFC 5280 section 4.2.1.10).
fn constraints(hosts: &[String]) -> NameConstraints {
    let (mut permitted, mut excluded) = (Vec::new(), Vec::new());
    for host in hosts {
        permitted.push(match host.parse::<IpAddr>() {
            Ok(ip) => {
                let bits = if ip.is_ipv4() { 32 } else { 128 };
                GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(ip, bits))
            }
            Err(_) => GeneralSubtree::DnsName(host.clone()),
        });
    }
    let is_ip = |it: &GeneralSubtree| matches!(it, GeneralSubtree::IpAddress(_));
    if permitted.iter().all(is_ip) {
        excluded.push(GeneralSubtree::DnsName(String::new()));
    }
    if !permitted.iter().any(is_ip) {
        excluded.extend([
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0; 4], 0)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix([0; 16], 0)),
        ]);
    }
    excluded.push(GeneralSubtree::Rfc822Name(String::new()));
    NameConstraints {
        permitted_subtrees: permitted,
        excluded_subtrees: excluded,
    }
}

/// From when to when it is valid, in whole seconds; neither lies before 1970.
fn live(params: &mut CertificateParams, from: DateTime<Utc>, to: DateTime<Utc>) {
    let moment = |time: DateTime<Utc>| {
        let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    (params.not_before, params.not_after) = (moment(from), moment(to));
}

fn pem_of(der: &CertificateDer<'_>) -> String {
    use base64ct::{Base64, Encoding};

    let text = Base64::encode_string(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

/// How many certificates of such authorities a bundle in PEM holds.
#[must_use]
pub fn local_authorities_in(pem: &[u8]) -> usize {
    CertificateDer::pem_slice_iter(pem)
        .filter_map(Result::ok)
        .filter(|der| der.windows(NAME.len()).any(|it| it == NAME.as_bytes()))
        .count()
}

#[cfg(test)]
mod tests;
