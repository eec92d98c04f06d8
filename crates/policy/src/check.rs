//! Holds the values of a policy against each other; what one value alone may be, its reader knows.

use chrono::TimeDelta;

use crate::index::Bins;
use crate::repository::{CLIENTS_ROLE_BYTES, CLIENTS_SNAPSHOT_BYTES};
use crate::{Claims, Contradiction, KeyKind, MAX_CLAIM_LIFETIME, Policy, RolePolicy};

/// Refuses `policy` for the first contradiction found.
pub(crate) fn check(policy: &Policy) -> Result<(), Contradiction> {
    check_roles(policy)?;
    check_claims(policy)?;
    check_limits(policy)?;
    check_sizes(policy)?;
    check_walk(policy)?;
    check_alarms(policy)?;
    check_batch(policy)
}

/// Every role of the policy, with its name.
fn all_roles(policy: &Policy) -> impl Iterator<Item = (&'static str, RolePolicy)> {
    let claims = policy.claims.iter().flat_map(Claims::all);
    policy.roles.all().into_iter().chain(claims)
}

fn check_roles(policy: &Policy) -> Result<(), Contradiction> {
    for (
        role,
        RolePolicy {
            kind,
            keys,
            threshold,
            ..
        },
    ) in all_roles(policy)
    {
        if threshold > keys {
            return Err(Contradiction::ThresholdAboveKeys {
                role,
                threshold,
                keys,
            });
        }
        // A root in rotation is signed by the old and the new keys.
        let needed = if role == "root" { 2 * keys } else { keys };
        let signatures = policy.client.signatures;
        if needed > signatures {
            return Err(Contradiction::TooManySignatures {
                role,
                needed,
                signatures,
            });
        }
        let required = required_kind(role);
        if kind != required {
            return Err(Contradiction::KeyKind {
                role,
                required: required.as_str(),
            });
        }
    }
    Ok(())
}

/// Where the keys of a role must be: what changes with every upload is signed online, what an
/// intruder on the index must not be able to sign is not (PEP 458 "Minimum Security Model").
fn required_kind(role: &str) -> KeyKind {
    match role {
        "bin-n" | "snapshot" | "timestamp" | "recently-claimed" => KeyKind::Online,
        _ => KeyKind::Offline,
    }
}

fn check_claims(policy: &Policy) -> Result<(), Contradiction> {
    let Some(claims) = &policy.claims else {
        return Ok(());
    };
    let limit = MAX_CLAIM_LIFETIME;
    for (role, lifetime) in [
        ("targets", policy.roles.targets.lifetime),
        ("claimed", claims.claimed.lifetime),
        ("claimed-shard", claims.claimed_shard.lifetime),
    ] {
        if lifetime > limit {
            return Err(Contradiction::ClaimsHidden {
                role,
                lifetime,
                limit,
            });
        }
    }
    Ok(())
}

fn check_limits(policy: &Policy) -> Result<(), Contradiction> {
    let client = &policy.client;
    let snapshot = (
        "repository.snapshot_bytes",
        policy.repository.snapshot_bytes,
    );
    let role = ("repository.role_bytes", policy.repository.role_bytes);
    for ((key, bytes), clients) in [
        (snapshot, CLIENTS_SNAPSHOT_BYTES),
        (role, CLIENTS_ROLE_BYTES),
    ] {
        if bytes > clients {
            return Err(Contradiction::AboveClientsInUse {
                key,
                bytes,
                clients,
            });
        }
    }
    let listed = ("client.listed_bytes", client.listed_bytes);
    for ((key, bytes), (client_key, client)) in [
        (snapshot, ("client.snapshot_bytes", client.snapshot_bytes)),
        (role, ("client.targets_bytes", client.targets_bytes)),
        (snapshot, listed),
        (role, listed),
    ] {
        if bytes > client {
            return Err(Contradiction::AboveOwnClient {
                key,
                bytes,
                client_key,
                client,
            });
        }
    }
    Ok(())
}

fn check_sizes(policy: &Policy) -> Result<(), Contradiction> {
    let index = &policy.index;
    if let Bins::Count(bins) = index.bins
        && !bins.is_power_of_two()
    {
        return Err(Contradiction::BinsNotPowerOfTwo { bins });
    }
    let bins = index.bin_count();
    let role_limit = ("repository.role_bytes", policy.repository.role_bytes);
    let snapshot_limit = (
        "repository.snapshot_bytes",
        policy.repository.snapshot_bytes,
    );
    for (role, bytes, (key, limit)) in [
        ("bins", index.bins_role_bytes(), role_limit),
        ("bin-n", index.bin_bytes(), role_limit),
        ("snapshot", index.snapshot_bytes(), snapshot_limit),
    ] {
        if bytes > limit {
            return Err(Contradiction::RoleTooLarge {
                role,
                bytes,
                bins,
                limit,
                key,
            });
        }
    }
    Ok(())
}

fn check_walk(policy: &Policy) -> Result<(), Contradiction> {
    // Without claims: `targets`, `bins`, one bin.
    let roles = policy.claims.as_ref().map_or(3, Claims::longest_walk);
    let delegations = policy.client.delegations;
    if roles > delegations {
        return Err(Contradiction::WalkTooLong { roles, delegations });
    }
    Ok(())
}

fn check_alarms(policy: &Policy) -> Result<(), Contradiction> {
    let alarms = &policy.online.offline_alarms;
    for (before, after) in alarms.iter().zip(alarms.iter().skip(1)) {
        if after >= before {
            return Err(Contradiction::AlarmsNotFalling {
                before: *before,
                after: *after,
            });
        }
    }
    let first = alarms.first().copied().unwrap_or(TimeDelta::zero());
    for (role, RolePolicy { kind, lifetime, .. }) in all_roles(policy) {
        if kind == KeyKind::Offline && first >= lifetime {
            return Err(Contradiction::AlarmOutlivesRole {
                alarm: first,
                role,
                lifetime,
            });
        }
    }
    Ok(())
}

fn check_batch(policy: &Policy) -> Result<(), Contradiction> {
    let wait = policy.online.batch_wait;
    let renewal = policy.online.renew_below(policy.roles.timestamp.lifetime);
    if wait >= renewal {
        return Err(Contradiction::BatchOutlivesTimestamp { wait, renewal });
    }
    Ok(())
}
