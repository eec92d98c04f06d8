//! From the challenge to a registration, and every way to get one by other people's documents.

use super::*;
use crate::{
    Challenge, ClaimError, Grant, Operator, Request, Signed, Statement, check_challenge,
    check_grant, check_request,
};

const INDEX: &str = "https://index.example/";

struct Claiming {
    operator: Key,
    keys: [Key; 2],
    challenge: Challenge,
}

impl Claiming {
    fn new() -> Self {
        Self {
            operator: Key::named("operator"),
            keys: ["one", "two"].map(Key::named),
            challenge: Challenge {
                index: INDEX.to_owned(),
                project: alpha(),
                nonce: [7; 32],
                expires: Expiry::at(now() + TimeDelta::days(1)),
            },
        }
    }

    fn operator(&self) -> Operator {
        Operator::one(self.operator.public.clone())
    }

    fn challenge(&self) -> Signed<Challenge> {
        check_challenge(
            &self.by_operator(&self.challenge),
            &self.operator(),
            INDEX,
            &alpha(),
            now(),
        )
        .unwrap()
    }

    fn by_operator(&self, statement: &impl Statement) -> Vec<u8> {
        seal(statement, &[&self.operator])
    }

    fn request(&self) -> Request {
        let keys = self
            .keys
            .iter()
            .map(|key| (key.public.id(), key.public.clone()));
        Request {
            challenge: self.challenge().digest(),
            index: INDEX.to_owned(),
            project: alpha(),
            keys: keys.collect(),
            threshold: 2,
        }
    }

    fn signed_request(&self) -> Signed<Request> {
        let file = seal(&self.request(), &[&self.keys[0], &self.keys[1]]);
        check_request(&file, &self.challenge(), &ClaimLimits::default()).unwrap()
    }

    fn grant(&self) -> Grant {
        Grant {
            request: self.signed_request().digest(),
            index: INDEX.to_owned(),
            project: alpha(),
            issued: now(),
            expires: Expiry::at(now() + TimeDelta::days(7)),
        }
    }
}

fn seal(statement: &impl Statement, keys: &[&Key]) -> Vec<u8> {
    let canonical = statement.to_canonical();
    let signatures: Vec<_> = keys.iter().map(|key| key.sign(&canonical)).collect();
    statement.seal(&signatures)
}

#[test]
fn a_granted_request_is_a_registration() {
    let claiming = Claiming::new();
    let grant = claiming.by_operator(&claiming.grant());
    let request = claiming.signed_request();
    let registration = check_grant(&grant, &request, &claiming.operator(), now()).unwrap();
    let expected = Stage::unclaimed().published.registration;
    assert_eq!(registration.keys, expected.keys);
    assert_eq!(registration.project, expected.project);
    assert_eq!(registration.role_keys.threshold, 2);
}

#[test]
fn challenges_of_others() {
    let claiming = Claiming::new();
    let check = |file: &[u8], index: &str, project: &str, later: i64| {
        let project = ProjectName::parse(project).unwrap();
        let at = now() + TimeDelta::hours(later);
        check_challenge(file, &claiming.operator(), index, &project, at).map(|_| ())
    };
    let file = claiming.by_operator(&claiming.challenge);
    check(&file, INDEX, "alpha", 23).unwrap();
    let expired = check(&file, INDEX, "alpha", 24);
    assert!(
        matches!(expired, Err(ClaimError::Expired { .. })),
        "{expired:?}"
    );
    let other = check(&file, "https://other.example/", "alpha", 0);
    assert!(
        matches!(other, Err(ClaimError::OtherIndex { .. })),
        "{other:?}"
    );
    let other = check(&file, INDEX, "beta", 0);
    assert!(
        matches!(other, Err(ClaimError::OtherProject { .. })),
        "{other:?}"
    );
    let forged = check(
        &seal(&claiming.challenge, &[&claiming.keys[0]]),
        INDEX,
        "alpha",
        0,
    );
    assert!(
        matches!(forged, Err(ClaimError::NotOperator { valid: 0, .. })),
        "{forged:?}"
    );
    let grant = check(&claiming.by_operator(&claiming.grant()), INDEX, "alpha", 0);
    assert!(matches!(grant, Err(ClaimError::Type { .. })), "{grant:?}");
}

#[test]
fn requests_that_prove_nothing() {
    let claiming = Claiming::new();
    let (one, two) = (&claiming.keys[0], &claiming.keys[1]);
    let check = |request: &Request, keys: &[&Key]| {
        check_request(
            &seal(request, keys),
            &claiming.challenge(),
            &ClaimLimits::default(),
        )
        .map(|_| ())
    };
    let good = claiming.request();
    check(&good, &[one, two]).unwrap();
    let alone = check(&good, &[one]);
    assert!(
        matches!(&alone, Err(ClaimError::NotPossessed { keyid }) if *keyid == two.public.id()),
        "{alone:?}"
    );
    let replayed = Request {
        challenge: Sha256::of(b"an older challenge"),
        ..good.clone()
    };
    let refused = check(&replayed, &[one, two]);
    assert!(
        matches!(refused, Err(ClaimError::OtherOrigin { .. })),
        "{refused:?}"
    );
    let elsewhere = Request {
        index: "https://other.example/".to_owned(),
        ..good.clone()
    };
    let refused = check(&elsewhere, &[one, two]);
    assert!(
        matches!(refused, Err(ClaimError::OtherIndex { .. })),
        "{refused:?}"
    );
    for threshold in [0, 3] {
        let request = Request {
            threshold,
            ..good.clone()
        };
        let refused = check(&request, &[one, two]);
        assert!(matches!(refused, Err(ClaimError::Keys(_))), "{refused:?}");
    }
}

#[test]
fn grants_for_something_else() {
    let claiming = Claiming::new();
    let request = claiming.signed_request();
    let check = |file: &[u8], later: i64| {
        let at = now() + TimeDelta::days(later);
        check_grant(file, &request, &claiming.operator(), at).map(|_| ())
    };
    let good = claiming.grant();
    check(&claiming.by_operator(&good), 6).unwrap();
    let expired = check(&claiming.by_operator(&good), 7);
    assert!(
        matches!(expired, Err(ClaimError::Expired { .. })),
        "{expired:?}"
    );
    let early = check(&claiming.by_operator(&good), -1);
    assert!(matches!(early, Err(ClaimError::NotYet { .. })), "{early:?}");
    let own = check(&seal(&good, &[&claiming.keys[0], &claiming.keys[1]]), 0);
    assert!(
        matches!(own, Err(ClaimError::NotOperator { .. })),
        "{own:?}"
    );
    let other = Grant {
        request: Sha256::of(b"another request"),
        ..good
    };
    let refused = check(&claiming.by_operator(&other), 0);
    assert!(
        matches!(refused, Err(ClaimError::OtherOrigin { .. })),
        "{refused:?}"
    );
}

#[test]
fn documents_that_are_none() {
    let claiming = Claiming::new();
    let good = String::from_utf8(claiming.by_operator(&claiming.challenge)).unwrap();
    assert!(Signed::<Challenge>::parse(good.as_bytes()).is_ok());
    let bad = [
        good.replace("claim-challenge", "targets"),
        good.replace("\"project\":\"alpha\"", "\"project\":\"Alpha\""),
        good.replace("\"project\":\"alpha\"", "\"project\":\"alpha\",\"x\":1"),
        good.replace("https://", " "),
        good.replace("\"0707", "\"07"),
        good.replace("00:00:00Z", "00:00:00.1Z"),
        String::new(),
        "{}".to_owned(),
        format!("{good}{}", " ".repeat(300_000)),
    ];
    for bad in bad {
        assert_ne!(bad, good);
        assert!(
            Signed::<Challenge>::parse(bad.as_bytes()).is_err(),
            "{bad:.200}"
        );
    }
}
