//! Certificates as the standard's own parser and verifier see them.

use countersign_tests::environment::prepared;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use x509_cert::Certificate;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, DecodePem};
use x509_cert::ext::pkix::NameConstraints as Constraints;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn authority(hosts: &[&str]) -> LocalAuthority {
    let hosts = hosts.iter().map(|&it| it.to_owned()).collect();
    LocalAuthority::new(hosts, now()).unwrap()
}

/// A certificate for `host` by that authority, however it is constrained.
fn certificate(authority: &LocalAuthority, host: &str) -> CertificateDer<'static> {
    let held = authority.held();
    let mut params = CertificateParams::new([host.to_owned()]).unwrap();
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    live(&mut params, now() - BACKDATED, now() + LIFE);
    let key = KeyPair::generate().unwrap();
    let signed = params.signed_by(&key, &held.current.issuer).unwrap();
    signed.der().clone()
}

/// Whether whoever trusts the bundle takes the certificate for `host`'s.
fn is_believed(
    bundle: &str,
    certificate: &CertificateDer<'_>,
    host: &str,
    at: DateTime<Utc>,
) -> bool {
    let mut roots = rustls::RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let parsed = ParsedCertificate::try_from(certificate).unwrap();
    assert!(verify_server_name(&parsed, &name).is_ok(), "{host}");
    let seconds = u64::try_from(at.timestamp()).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let believed = verifier
        .build()
        .unwrap()
        .verify_server_cert(certificate, &[], &name, &[], at);
    believed.is_ok()
}

/// The same as OpenSSL has it, strictly: what pip and poetry verify with.
fn is_believed_by_openssl(bundle: &str, certificate: &CertificateDer<'_>) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let (roots, leaf) = (folder.path().join("roots"), folder.path().join("leaf"));
    std::fs::write(&roots, bundle).unwrap();
    std::fs::write(&leaf, pem_of(certificate)).unwrap();
    let seconds = (now() + TimeDelta::hours(1)).timestamp().to_string();
    let output = std::process::Command::new(prepared("tools/openssl"))
        .args(["verify", "-x509_strict", "-attime", &seconds, "-CAfile"])
        .args([roots, leaf])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let is_violation = said.contains("subtree violation");
    assert!(output.status.success() || is_violation, "{said}");
    output.status.success()
}

#[test]
fn it_vouches_for_the_hosts_of_the_index_and_nobody_else() {
    for (hosts, others) in [
        (
            &["index.example", "files.example"][..],
            &["other.example", "example", "127.0.0.1", "::1"][..],
        ),
        (&["127.0.0.1"], &["index.example", "127.0.0.2", "::1"]),
        (&["::1", "index.example"], &["127.0.0.1", "other.example"]),
    ] {
        let authority = authority(hosts);
        let bundle = authority.bundle();
        for host in hosts {
            let made = certificate(&authority, host);
            assert!(is_believed(&bundle, &made, host, now()), "{host}");
            assert!(is_believed_by_openssl(&bundle, &made), "{host}");
            let late = now() + LIFE + TimeDelta::seconds(1);
            assert!(!is_believed(&bundle, &made, host, late), "{host}");
            assert!(authority.config(host).is_ok(), "{host}");
        }
        for host in others {
            // Signed with its very key.
            let made = certificate(&authority, host);
            assert!(!is_believed(&bundle, &made, host, now()), "{host}");
            assert!(!is_believed_by_openssl(&bundle, &made), "{host}");
            let refused = authority.config(host).unwrap_err();
            assert!(matches!(refused, AuthorityError::OtherHost { .. }));
        }
    }
}

#[test]
fn constraints_are_critical_and_the_life_is_short() {
    let authority = authority(&["index.example"]);
    let certificate = Certificate::from_pem(authority.bundle()).unwrap();
    let certificate = certificate.tbs_certificate();
    let extensions = certificate.extensions().unwrap();
    let constraints = extensions.iter().find(|it| it.extn_id == Constraints::OID);
    let constraints = constraints.unwrap();
    assert!(constraints.critical);
    let parsed = Constraints::from_der(constraints.extn_value.as_bytes()).unwrap();
    assert_eq!(parsed.permitted_subtrees.unwrap().len(), 1);
    assert_eq!(parsed.excluded_subtrees.unwrap().len(), 3);
    let validity = certificate.validity();
    let (from, to) = (validity.not_before, validity.not_after);
    let life = to.to_unix_duration().abs_diff(from.to_unix_duration());
    assert_eq!(life, (LIFE + BACKDATED).to_std().unwrap());
    assert_eq!(local_authorities_in(authority.bundle().as_bytes()), 1);
    assert_eq!(local_authorities_in(b"no certificate"), 0);
}

#[test]
fn the_next_one_is_known_before_it_signs() {
    let authority = authority(&["index.example"]);
    let first = authority.bundle();
    assert!(!authority.renew(now() + LIFE - ANNOUNCED).unwrap());
    let announced = now() + LIFE - ANNOUNCED + TimeDelta::seconds(1);
    assert!(authority.renew(announced).unwrap());
    assert!(!authority.renew(announced).unwrap());
    let both = authority.bundle();
    assert!(both.starts_with(&first) && local_authorities_in(both.as_bytes()) == 2);
    // Who knows the first alone is served by it until it is about to end.
    let host = "index.example";
    let made = certificate(&authority, host);
    assert!(is_believed(&first, &made, host, announced));
    let replaced = now() + LIFE - REPLACED + TimeDelta::seconds(1);
    assert!(authority.renew(replaced).unwrap());
    assert_eq!(both, format!("{first}{}", authority.bundle()));
    let made = certificate(&authority, host);
    assert!(!is_believed(
        &first,
        &made,
        host,
        replaced - LIFE + ANNOUNCED
    ));
    assert_eq!(authority.valid_until(), announced + LIFE);
}
