//! Claims as ceremonies: from what an index wrote down to the roles that speak for projects, and what is
//! refused on the way.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use common::{copy_folder, flaw, new_key, now, tamper};
use countersign_ceremony::{
    CeremonyError, ClaimPlan, ClaimPlanFlaw, Event, EventFlaw, HeldKey, KeyChange, KeyRole, Kind,
    RenewPlan, RotatePlan,
};
use draft::{
    ClaimsExport, Evidence, ExportedClaim, ProjectChange, RegisteredKeys, ShardFlaw,
    delegated_projects,
};
use index::ProjectName;
use keys::{FileKey, KeyType, Signer};
use metadata::{Document, Sha256, Targets, Wire};

/// Two shards: projects whose digits begin with 0 to 7, and the rest. `beta`, `requests` and `idna` are in
/// the second, `numpy` is in the first.
fn policy() -> String {
    let role = |name, kind| {
        let keys = "keys = 1\nthreshold = 1\nlifetime = \"3h\"";
        format!("[claims.{name}]\nkind = \"{kind}\"\n{keys}\n")
    };
    [
        policy::Policy::built_in_text("rehearsal").unwrap(),
        "[claims]\nshards = 2\nrecently_claimed_projects = 100\nsub_roles_per_project = 8\n",
        &role("claimed", "offline"),
        &role("claimed-shard", "offline"),
        &role("publishers-claimed", "offline"),
        &role("recently-claimed", "online"),
    ]
    .join("\n")
}

fn later() -> DateTime<Utc> {
    now() + TimeDelta::hours(1)
}

fn name(project: &str) -> ProjectName {
    ProjectName::parse(project).unwrap()
}

fn held(holder: &str, key: &FileKey) -> HeldKey {
    HeldKey {
        holder: holder.to_owned(),
        key: key.public_key().clone(),
    }
}

fn registered(keys: &[&FileKey], what: &str) -> RegisteredKeys {
    let digest = |part: &str| Sha256::of(format!("{what} {part}").as_bytes());
    RegisteredKeys {
        keys: keys
            .iter()
            .map(|key| (key.key_id().clone(), key.public_key().clone()))
            .collect(),
        threshold: 1,
        received: now() - TimeDelta::days(50),
        evidence: Some(Evidence {
            challenge: digest("challenge"),
            request: digest("request"),
            grant: digest("grant"),
        }),
    }
}

fn recent(keys: &[&FileKey], what: &str) -> ExportedClaim {
    ExportedClaim {
        is_claimed: false,
        since: now() - TimeDelta::days(30),
        in_force: registered(keys, what),
        next: None,
    }
}

fn export(claims: &[(&str, ExportedClaim)]) -> ClaimsExport {
    let claims = claims.iter();
    ClaimsExport {
        projects: claims
            .map(|(project, claim)| (name(project), claim.clone()))
            .collect(),
        snapshot_bytes: 4_000,
    }
}

/// What a plan names.
#[derive(Default)]
struct Asked<'a> {
    shard: Option<&'a str>,
    projects: &'a [ProjectName],
    keys: &'a [ProjectName],
    released: &'a [ProjectName],
}

impl<'a> Asked<'a> {
    fn keys_of(keys: &'a [ProjectName]) -> Self {
        Self {
            keys,
            ..Self::default()
        }
    }
}

/// What is published, the latest event, and whose keys there are.
struct Desk {
    base: tempfile::TempDir,
    published: PathBuf,
    policy: String,
    root: [Rc<FileKey>; 3],
    targets: Rc<FileKey>,
    claimed: Rc<FileKey>,
    shards: Rc<FileKey>,
    developer: Rc<FileKey>,
    after: Event,
    count: usize,
}

impl Desk {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let (keys, policy) = (common::Keys::new(), policy());
        let path = base.path().join("genesis");
        let mut plan = keys.plan();
        plan.policy = &policy;
        let after = Event::plan_genesis(&path, &plan).unwrap();
        for key in [&keys.root[0], &keys.root[2], &keys.targets, &keys.bins] {
            after.sign(key, now()).unwrap();
        }
        let published = base.path().join("published");
        copy_folder(&after.combine(now()).unwrap().folder, &published);
        let [claimed, shards, developer] = [KeyType::Ed25519; 3].map(|kind| Rc::new(new_key(kind)));
        Self {
            base,
            published,
            policy,
            root: keys.root.map(Rc::new),
            targets: Rc::new(keys.targets),
            claimed,
            shards,
            developer,
            after,
            count: 0,
        }
    }

    fn path(&mut self) -> PathBuf {
        self.count += 1;
        self.base.path().join(format!("event-{}", self.count))
    }

    fn plan_bytes(
        &mut self,
        claims: &[u8],
        first: bool,
        asked: &Asked<'_>,
    ) -> Result<Event, CeremonyError> {
        let path = self.path();
        let keys = |holder, key| {
            if first {
                vec![held(holder, key)]
            } else {
                vec![]
            }
        };
        let plan = ClaimPlan {
            policy: &self.policy,
            now: later(),
            published: &self.published,
            after: Some(&self.after),
            claims,
            shard: asked.shard,
            projects: asked.projects,
            keys: asked.keys,
            released: asked.released,
            claimed: keys("Eve", &self.claimed),
            claimed_shard: keys("Fay", &self.shards),
        };
        Event::plan_claim(&path, &plan)
    }

    fn plan_with(
        &mut self,
        claims: &ClaimsExport,
        first: bool,
        asked: &Asked<'_>,
    ) -> Result<Event, CeremonyError> {
        self.plan_bytes(&claims.to_canonical(), first, asked)
    }

    fn plan(&mut self, claims: &ClaimsExport, first: bool) -> Result<Event, CeremonyError> {
        self.plan_with(claims, first, &Asked::default())
    }

    /// Signs, combines, verifies from a copy alone, publishes.
    fn finish(&mut self, event: Event, signers: &[&FileKey]) -> Vec<String> {
        for key in signers {
            event.sign(*key, later()).unwrap();
        }
        let set = event.combine(later()).unwrap();
        let copy = self.base.path().join(format!("copy-{}", self.count));
        copy_folder(event.path(), &copy);
        let copy = Event::open(&copy).unwrap();
        let verdict = copy.verify().unwrap();
        copy_folder(&set.folder, &self.published);
        copy.verify_against(&verdict, &self.published).unwrap();
        self.after = event;
        set.files.iter().map(draft::SignedFile::file_name).collect()
    }

    fn shard(&self, file: &str) -> Targets {
        let file = fs::read(self.published.join(file)).unwrap();
        Targets::parse(Wire::parse(&file, 9).unwrap().signed).unwrap()
    }

    fn projects(&self, file: &str) -> Vec<String> {
        let listed = delegated_projects(&self.shard(file)).unwrap();
        listed.keys().map(ToString::to_string).collect()
    }

    /// `beta` is claimed, by the developer's key.
    fn with_beta_claimed(&mut self) -> ExportedClaim {
        let claim = recent(&[&self.developer], "beta");
        let event = self
            .plan(&export(&[("beta", claim.clone())]), true)
            .unwrap();
        let (targets, claimed) = (Rc::clone(&self.targets), Rc::clone(&self.claimed));
        let shards = Rc::clone(&self.shards);
        self.finish(event, &[&targets, &claimed, &shards]);
        ExportedClaim {
            is_claimed: true,
            ..claim
        }
    }
}

fn shard_flaw(result: Result<Event, CeremonyError>) -> ShardFlaw {
    match result.expect_err("refused") {
        CeremonyError::Shard { flaw, .. } => *flaw,
        other => panic!("{other:?}"),
    }
}

fn plan_flaw(result: Result<Event, CeremonyError>) -> ClaimPlanFlaw {
    match result.expect_err("refused") {
        CeremonyError::Claim(flaw) => flaw,
        other => panic!("{other:?}"),
    }
}

/// The first claim brings the roles, for every shard that projects wait for; the events for the others need
/// nothing but their shard, side by side.
#[test]
fn projects_are_claimed_shard_by_shard() {
    let mut desk = Desk::new();
    let claims = export(&[
        ("beta", recent(&[&desk.developer], "beta")),
        ("requests", recent(&[&desk.developer], "requests")),
        ("numpy", recent(&[&desk.developer], "numpy")),
    ]);
    let flaw = plan_flaw(desk.plan(&claims, true));
    assert!(
        matches!(&flaw, ClaimPlanFlaw::Several(shards) if shards.len() == 2),
        "{flaw}"
    );
    let first = desk
        .plan_with(
            &claims,
            true,
            &Asked {
                shard: Some("claimed-01"),
                ..Asked::default()
            },
        )
        .unwrap();
    assert_eq!(first.kind(), Kind::Claim);
    let review = first.review().unwrap();
    let claims_review = review.claims.unwrap();
    assert_eq!(claims_review.export, Sha256::of(&claims.to_canonical()));
    let projects = claims_review.projects.iter();
    let projects: Vec<_> = projects
        .map(|one| (one.project.as_str(), one.change, one.age_days))
        .collect();
    let change = ProjectChange::Claimed;
    assert_eq!(projects, [("beta", change, 30), ("requests", change, 30)]);
    assert_eq!(review.concerns, [""; 0]);
    let (targets, claimed) = (Rc::clone(&desk.targets), Rc::clone(&desk.claimed));
    let shards = Rc::clone(&desk.shards);
    let files = desk.finish(first, &[&targets, &claimed, &shards]);
    let expected = [
        "2.targets.json",
        "1.claimed.json",
        "1.claimed-00.json",
        "1.claimed-01.json",
    ];
    assert_eq!(files, expected);
    assert_eq!(desk.projects("1.claimed-01.json"), ["beta", "requests"]);
    assert!(desk.projects("1.claimed-00.json").is_empty());

    let claims = export(&[("numpy", recent(&[&desk.developer], "numpy"))]);
    assert!(matches!(
        plan_flaw(desk.plan(&claims, true)),
        ClaimPlanFlaw::KeysGiven
    ));
    let second = desk.plan(&claims, false).unwrap();
    assert_eq!(desk.finish(second, &[&shards]), ["2.claimed-00.json"]);
    assert_eq!(desk.projects("2.claimed-00.json"), ["numpy"]);
}

/// What a copy says of projects is held against the claims that are frozen in it, and these against their
/// digest: nobody signs a shard that does not follow from them.
#[test]
fn a_shard_follows_from_the_claims_that_are_frozen_with_it() {
    let mut desk = Desk::new();
    let claims = export(&[("beta", recent(&[&desk.developer], "beta"))]);
    let event = desk.plan(&claims, true).unwrap();
    let altered = |file: &str, from: &str, to: &str| {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("event");
        copy_folder(event.path(), &path);
        tamper(&path.join(file), from, to);
        Event::open(&path).map(|_| ())
    };
    let found = flaw(altered("claims.json", "\"threshold\":1", "\"threshold\":2"));
    assert!(matches!(found, EventFlaw::Digest { .. }), "{found}");
    let digest = Sha256::of(&claims.to_canonical()).to_string();
    let ours = format!("sha256 = \"{digest}\"");
    let zeros = format!("sha256 = \"{}\"", "0".repeat(64));
    let found = flaw(altered("ceremony.toml", &ours, &zeros));
    assert!(matches!(found, EventFlaw::Digest { .. }), "{found}");
    let other = altered(
        "ceremony.toml",
        "shard = \"claimed-01\"",
        "shard = \"claimed-00\"",
    );
    assert!(
        matches!(other, Err(CeremonyError::Shard { .. })),
        "{other:?}"
    );

    // Other claims with a digest that fits, as whoever plans could write them.
    let copy = desk.base.path().join("forged");
    copy_folder(event.path(), &copy);
    let forged = export(&[("beta", recent(&[&desk.claimed], "beta"))]).to_canonical();
    fs::write(copy.join("claims.json"), &forged).unwrap();
    tamper(
        &copy.join("ceremony.toml"),
        &ours,
        &format!("sha256 = \"{}\"", Sha256::of(&forged)),
    );
    let found = shard_flaw(Event::open(&copy));
    assert!(matches!(found, ShardFlaw::Registrations { .. }), "{found}");
}

#[test]
fn projects_that_cannot_be_moved_are_named() {
    let mut desk = Desk::new();
    let mut changing = recent(&[&desk.developer], "beta");
    changing.next = Some(registered(&[&desk.claimed], "other"));
    let claims = export(&[
        ("beta", changing),
        ("requests", recent(&[&desk.developer], "requests")),
    ]);
    for (project, expected) in [
        ("beta", "beta: other keys are registered for it"),
        ("idna", "idna: its developers do not sign yet"),
    ] {
        let project = [name(project)];
        let asked = Asked {
            projects: &project,
            ..Asked::default()
        };
        let flaw = plan_flaw(desk.plan_with(&claims, true, &asked));
        assert!(flaw.to_string().starts_with(expected), "{flaw}");
    }
    // Without a name, only those that can be.
    let event = desk.plan(&claims, true).unwrap();
    assert_eq!(event.review().unwrap().claims.unwrap().projects.len(), 1);
    let flaw = plan_flaw(desk.plan(&claims, false));
    assert!(matches!(flaw, ClaimPlanFlaw::KeysMissing), "{flaw}");
    let flaw = plan_flaw(desk.plan(&export(&[]), true));
    assert!(matches!(flaw, ClaimPlanFlaw::NothingWaits), "{flaw}");
    let flaw = plan_flaw(desk.plan_bytes(b"{}", true, &Asked::default()));
    assert!(matches!(flaw, ClaimPlanFlaw::Export(_)), "{flaw}");
    desk.policy = policy::Policy::built_in_text("rehearsal")
        .unwrap()
        .to_owned();
    let flaw = plan_flaw(desk.plan(&claims, true));
    assert!(matches!(flaw, ClaimPlanFlaw::NobodySigns), "{flaw}");
}

/// The review shows how near clients' limits are; a claim that would cross one is not planned, and the limit
/// is named.
#[test]
fn what_clients_do_not_read_is_refused_by_the_limits_name() {
    let mut desk = Desk::new();
    let mut claims = export(&[("beta", recent(&[&desk.developer], "beta"))]);
    let event = desk.plan(&claims, true).unwrap();
    let review = event.review().unwrap().claims.unwrap();
    let more = draft::snapshot_bytes_with(0, ["claimed", "claimed-01"]);
    assert_eq!(review.snapshot.used, claims.snapshot_bytes + more);
    assert_eq!(review.snapshot.limit, 2_000_000);
    assert_eq!((review.roles_visited, review.roles_visited_limit), (12, 32));
    assert!(review.bytes > 500 && review.limit == 5_000_000);

    claims.snapshot_bytes = 2_000_000 - more;
    assert!(desk.plan(&claims, true).is_ok());
    claims.snapshot_bytes += 1;
    let flaw = plan_flaw(desk.plan(&claims, true));
    let text = flaw.to_string();
    assert!(
        text.contains("2000001 bytes") && text.contains("`repository.snapshot_bytes`"),
        "{text}"
    );

    let many: Vec<FileKey> = (0..120).map(|_| new_key(KeyType::Ed25519)).collect();
    let many: Vec<&FileKey> = many.iter().collect();
    let claims = export(&[("beta", recent(&many, "beta"))]);
    desk.policy = policy().replacen("role_bytes = 5_000_000", "role_bytes = 20_000", 1);
    let text = match desk.plan(&claims, true) {
        Err(CeremonyError::Refused(refused)) => format!("{refused:?}"),
        other => panic!("{other:?}"),
    };
    assert!(text.contains("`repository.role_bytes`"), "{text}");
    // More sub-roles than a lookup visits are no policy at all.
    desk.policy = policy().replacen("sub_roles_per_project = 8", "sub_roles_per_project = 40", 1);
    let text = match desk.plan(&claims, true) {
        Err(CeremonyError::Policy { source, .. }) => source.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(text.contains("44") && text.contains("32"), "{text}");
}

/// Projects of which nothing changes in the snapshot are claimed however full it is: a stolen key does not
/// stay in force for want of room.
#[test]
fn keys_are_replaced_in_a_full_snapshot() {
    let mut desk = Desk::new();
    let mut claim = desk.with_beta_claimed();
    let other = new_key(KeyType::Ed25519);
    let mut next = registered(&[&other], "stolen");
    next.received = later() - policy::LOST_KEYS_WAIT;
    claim.next = Some(next);
    let mut claims = export(&[("beta", claim)]);
    claims.snapshot_bytes = 2_000_001;
    let beta = [name("beta")];
    let event = desk
        .plan_with(&claims, false, &Asked::keys_of(&beta))
        .unwrap();
    assert!(!event.review().unwrap().claims.unwrap().snapshot.grows);
}

/// Keys that the old ones vouch for come at once; others when their time is over, and the review warns.
#[test]
fn other_keys_of_a_claimed_project() {
    let mut desk = Desk::new();
    let mut claim = desk.with_beta_claimed();
    let other = new_key(KeyType::Ed25519);
    claim.next = Some(registered(&[&other], "lost"));
    let claims = |next: &ExportedClaim| export(&[("beta", next.clone())]);
    let beta = [name("beta")];
    if let Some(next) = &mut claim.next {
        next.received = later() - policy::LOST_KEYS_WAIT + TimeDelta::seconds(1);
    }
    let early = desk.plan_with(&claims(&claim), false, &Asked::keys_of(&beta));
    assert!(matches!(shard_flaw(early), ShardFlaw::TooEarly { .. }));
    if let Some(next) = &mut claim.next {
        next.received = later() - policy::LOST_KEYS_WAIT;
    }
    let event = desk
        .plan_with(&claims(&claim), false, &Asked::keys_of(&beta))
        .unwrap();
    let review = event.review().unwrap();
    assert!(review.concerns[0].starts_with("beta: too few of its keys vouch"));
    let change = review.claims.unwrap().projects.remove(0).change;
    assert_eq!(change, ProjectChange::KeysReplaced { vouched: false });

    claim.next = Some(registered(&[&other, &desk.developer], "rotated"));
    let event = desk
        .plan_with(&claims(&claim), false, &Asked::keys_of(&beta))
        .unwrap();
    let review = event.review().unwrap();
    assert_eq!(review.concerns, [""; 0]);
    let project = review.claims.unwrap().projects.remove(0);
    assert_eq!(
        project.change,
        ProjectChange::KeysReplaced { vouched: true }
    );
    assert_eq!(
        (
            project.before.unwrap().keys.len(),
            project.keys.unwrap().keys.len()
        ),
        (1, 2)
    );
    let shards = Rc::clone(&desk.shards);
    assert_eq!(desk.finish(event, &[&shards]), ["2.claimed-01.json"]);
    claim.next = None;
    let flaw = plan_flaw(desk.plan_with(&claims(&claim), false, &Asked::keys_of(&beta)));
    assert_eq!(
        flaw.to_string(),
        "beta: no other keys are registered for it"
    );
}

#[test]
fn a_project_is_given_back_with_a_warning() {
    let mut desk = Desk::new();
    let claim = desk.with_beta_claimed();
    let beta = [name("beta")];
    let asked = Asked {
        released: &beta,
        ..Asked::default()
    };
    let event = desk
        .plan_with(&export(&[("beta", claim)]), false, &asked)
        .unwrap();
    let review = event.review().unwrap();
    assert!(review.concerns[0].starts_with("beta: the index speaks for it again"));
    let shards = Rc::clone(&desk.shards);
    desk.finish(event, &[&shards]);
    assert!(desk.projects("2.claimed-01.json").is_empty());
}

/// Renewal and other holders: the same projects, whoever signs for them.
#[test]
fn claimed_roles_are_renewed_and_change_hands() {
    let mut desk = Desk::new();
    desk.with_beta_claimed();
    let path = desk.path();
    let renewal = Event::plan_renew(
        &path,
        &RenewPlan {
            policy: &desk.policy,
            now: later(),
            published: &desk.published,
            after: Some(&desk.after),
            roles: &[KeyRole::Claimed],
        },
    )
    .unwrap();
    let (claimed, shards) = (Rc::clone(&desk.claimed), Rc::clone(&desk.shards));
    let files = desk.finish(renewal, &[&claimed, &shards]);
    assert_eq!(files, ["2.claimed.json", "2.claimed-01.json"]);
    assert_eq!(desk.projects("2.claimed-01.json"), ["beta"]);

    let new = new_key(KeyType::Ed25519);
    let path = desk.path();
    let with = [KeyRole::Claimed, KeyRole::ClaimedShard];
    let plan = RotatePlan {
        policy: &desk.policy,
        now: later(),
        published: &desk.published,
        after: Some(&desk.after),
        change: KeyChange::Replace {
            holder: "Eve".to_owned(),
            with: vec![(with[0], held("Gil", &new))],
        },
        thresholds: [].into(),
    };
    let event = Event::plan_rotate(&path, plan).unwrap();
    let targets = Rc::clone(&desk.targets);
    let files = desk.finish(event, &[&targets, &new]);
    assert_eq!(files, ["3.targets.json", "3.claimed.json"]);

    let path = desk.path();
    let plan = RotatePlan {
        policy: &desk.policy,
        now: later(),
        published: &desk.published,
        after: Some(&desk.after),
        change: KeyChange::Replace {
            holder: "Fay".to_owned(),
            with: vec![(with[1], held("Hal", &claimed))],
        },
        thresholds: [].into(),
    };
    let event = Event::plan_rotate(&path, plan).unwrap();
    let files = desk.finish(event, &[&new, &claimed]);
    assert_eq!(files, ["4.claimed.json", "3.claimed-01.json"]);
    assert_eq!(desk.projects("3.claimed-01.json"), ["beta"]);

    // Root keys change as ever: `claimed` comes along as it is, and so do its holders.
    let path = desk.path();
    let dana = new_key(KeyType::Ed25519);
    let plan = RotatePlan {
        policy: &desk.policy,
        now: later(),
        published: &desk.published,
        after: Some(&desk.after),
        change: KeyChange::Add(vec![(KeyRole::Root, held("Dana", &dana))]),
        thresholds: [].into(),
    };
    let event = Event::plan_rotate(&path, plan).unwrap();
    assert!(event.holder_names().contains("Gil") && event.holder_names().contains("Hal"));
    let root = desk.root.clone();
    assert_eq!(desk.finish(event, &[&root[0], &root[1]]), ["2.root.json"]);
    assert!(Path::new(&desk.published).join("2.root.json").exists());
}
