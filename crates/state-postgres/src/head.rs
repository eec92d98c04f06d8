//! Moves the head, with everything that is recorded of a publication, in a number of statements that does
//! not grow with it.

use std::collections::BTreeMap;

use draft::BinLayout;
use metadata::TargetPath;
use postgres::Transaction;
use postgres::types::Type;
use repository::rows::{self, signed, unsigned};
use repository::{Phase, Publication, RepositoryError, RoleRecord, Source, Staged, TargetRecord};

use crate::session::{Fault, Param, number, run};
use crate::{claims, history, journal, schema};

/// Most targets sent in one statement: some megabytes.
const TARGETS_AT_ONCE: usize = 20_000;

pub(crate) fn move_head(transaction: &mut Transaction<'_>, staged: &Staged) -> Result<(), Fault> {
    let timestamp = staged
        .objects
        .iter()
        .find_map(|object| match &object.source {
            Source::Bytes(bytes) if object.phase == Phase::Timestamp => Some(bytes.as_slice()),
            _ => None,
        });
    let (base, time) = (signed(staged.base), staged.signed.timestamp());
    let sql = "UPDATE head SET generation = generation + 1, signed = $2,
                   timestamp = coalesce($3, timestamp) WHERE generation = $1";
    let params: [Param<'_>; 3] = [
        (&base, Type::INT8),
        (&time, Type::INT8),
        (&timestamp, Type::BYTEA),
    ];
    if run(transaction, sql, &params)? != 1 {
        let found = number(transaction, "SELECT generation FROM head", &[])?;
        return Err(Fault::Other(RepositoryError::HeadMoved {
            expected: staged.base,
            found: unsigned(found, "the head")?,
        }));
    }
    if let Some(layout) = staged.layout {
        spread(transaction, layout)?;
    }
    if let Some(recovered) = staged.recovered {
        schema::write_settings(transaction, &[rows::recovered_setting(recovered)])?;
    }
    history::supersede(transaction, staged)?;
    remember(transaction, &rows::publication(staged))?;
    write_roles(transaction, staged)?;
    journal::write_files(transaction, &staged.files)?;
    write_gone(transaction, staged)?;
    for some in staged.targets.chunks(TARGETS_AT_ONCE) {
        write_targets(transaction, some)?;
    }
    claims::write(transaction, &staged.claims)?;
    write_withdrawn(transaction, staged)?;
    journal::record_outcomes(transaction, &staged.outcomes)?;
    if !staged.sets.is_empty() {
        let sql = "UPDATE sets SET state = 'published' WHERE id = ANY ($1)";
        run(transaction, sql, &[(&staged.sets, Type::INT8_ARRAY)])?;
    }
    Ok(())
}

/// Moves every target to the bin that answers for it now: that of the first bits of its path's SHA-256.
fn spread(transaction: &mut Transaction<'_>, layout: BinLayout) -> Result<(), Fault> {
    let bits = i32::try_from(layout.count.get().trailing_zeros())
        .map_err(|_| rows::damaged("a number of bins"))?;
    let sql = "WITH hashed AS (
                   SELECT bin, path, sha256(convert_to(path, 'UTF8')) AS hash FROM targets
               )
               UPDATE targets SET bin =
                   ((get_byte(hash, 0) << 8) | get_byte(hash, 1)) >> (16 - $1)
               FROM hashed WHERE targets.bin = hashed.bin AND targets.path = hashed.path";
    run(transaction, sql, &[(&bits, Type::INT4)])?;
    schema::write_settings(transaction, &rows::layout_settings(layout))
}

fn remember(transaction: &mut Transaction<'_>, record: &Publication) -> Result<(), Fault> {
    let version = |version: Option<metadata::Version>| version.map(|one| signed(one.get()));
    let (timestamp, snapshot) = (version(record.timestamp), version(record.snapshot));
    let sql = "INSERT INTO publications VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (generation) DO UPDATE SET signed = excluded.signed,
                   timestamp = excluded.timestamp, snapshot = excluded.snapshot,
                   bins = excluded.bins, changes = excluded.changes";
    let row: [Param<'_>; 6] = [
        (&signed(record.generation), Type::INT8),
        (&record.signed.timestamp(), Type::INT8),
        (&timestamp, Type::INT8),
        (&snapshot, Type::INT8),
        (&signed(record.bins), Type::INT8),
        (&signed(record.changes), Type::INT8),
    ];
    run(transaction, sql, &row)?;
    let last = signed(record.generation.saturating_sub(Publication::REMEMBERED));
    let sql = "DELETE FROM publications WHERE generation <= $1";
    run(transaction, sql, &[(&last, Type::INT8)]).map(drop)
}

fn write_roles(transaction: &mut Transaction<'_>, staged: &Staged) -> Result<(), Fault> {
    if !staged.dropped.is_empty() {
        let dropped: Vec<&str> = staged.dropped.iter().map(metadata::Role::name).collect();
        let sql = "DELETE FROM roles WHERE role = ANY ($1)";
        run(transaction, sql, &[(&dropped, Type::TEXT_ARRAY)])?;
    }
    let last: BTreeMap<&str, &RoleRecord> = staged
        .roles
        .iter()
        .map(|record| (record.role.name(), record))
        .collect();
    let records = || last.values();
    let names: Vec<&str> = last.keys().copied().collect();
    let versions: Vec<i64> = records().map(|one| signed(one.version.get())).collect();
    let digests: Vec<String> = records().map(|one| one.sha256.to_string()).collect();
    let lengths: Vec<i64> = records().map(|one| signed(one.length)).collect();
    let expiries: Vec<i64> = records().map(|one| one.expires.timestamp()).collect();
    let listings = records().map(|one| rows::listing(one.listing));
    let listings = listings.collect::<Result<Vec<_>, _>>()?;
    let sql = "INSERT INTO roles SELECT * FROM unnest($1, $2, $3, $4, $5, $6)
               ON CONFLICT (role) DO UPDATE SET version = excluded.version,
                   sha256 = excluded.sha256, length = excluded.length,
                   expires = excluded.expires, listing = excluded.listing";
    run(
        transaction,
        sql,
        &[
            (&names, Type::TEXT_ARRAY),
            (&versions, Type::INT8_ARRAY),
            (&digests, Type::TEXT_ARRAY),
            (&lengths, Type::INT8_ARRAY),
            (&expiries, Type::INT8_ARRAY),
            (&listings, Type::TEXT_ARRAY),
        ],
    )
    .map(drop)
}

fn write_gone(transaction: &mut Transaction<'_>, staged: &Staged) -> Result<(), Fault> {
    if staged.gone.is_empty() {
        return Ok(());
    }
    let projects: Vec<&str> = staged
        .gone
        .iter()
        .map(|name| name.project().as_str())
        .collect();
    let names: Vec<&str> = staged
        .gone
        .iter()
        .map(index::DistributionFilename::as_str)
        .collect();
    let sql = "DELETE FROM files USING unnest($1, $2) AS gone (project, filename)
               WHERE files.project = gone.project AND files.filename = gone.filename";
    let params: [Param<'_>; 2] = [(&projects, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    run(transaction, sql, &params).map(drop)
}

fn write_targets(transaction: &mut Transaction<'_>, targets: &[TargetRecord]) -> Result<(), Fault> {
    let last: BTreeMap<(u16, &TargetPath), &TargetRecord> = targets
        .iter()
        .map(|record| ((record.bin, &record.path), record))
        .collect();
    let (mut bins, mut paths, mut lengths, mut digests) = (vec![], vec![], vec![], vec![]);
    let (mut gone_bins, mut gone_paths) = (vec![], vec![]);
    for ((bin, path), record) in &last {
        if let Some((length, digest)) = &record.file {
            bins.push(i32::from(*bin));
            paths.push(path.as_str());
            lengths.push(signed(*length));
            digests.push(digest.as_bytes().as_slice());
        } else {
            gone_bins.push(i32::from(*bin));
            gone_paths.push(path.as_str());
        }
    }
    if !bins.is_empty() {
        let sql = "INSERT INTO targets SELECT * FROM unnest($1, $2, $3, $4)
                   ON CONFLICT (bin, path) DO UPDATE SET length = excluded.length,
                       sha256 = excluded.sha256";
        let rows: [Param<'_>; 4] = [
            (&bins, Type::INT4_ARRAY),
            (&paths, Type::TEXT_ARRAY),
            (&lengths, Type::INT8_ARRAY),
            (&digests, Type::BYTEA_ARRAY),
        ];
        run(transaction, sql, &rows)?;
    }
    if !gone_bins.is_empty() {
        let sql = "DELETE FROM targets USING unnest($1, $2) AS gone (bin, path)
                   WHERE targets.bin = gone.bin AND targets.path = gone.path";
        let rows: [Param<'_>; 2] = [
            (&gone_bins, Type::INT4_ARRAY),
            (&gone_paths, Type::TEXT_ARRAY),
        ];
        run(transaction, sql, &rows)?;
    }
    Ok(())
}

fn write_withdrawn(transaction: &mut Transaction<'_>, staged: &Staged) -> Result<(), Fault> {
    if staged.withdrawn.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = staged
        .withdrawn
        .iter()
        .map(index::DistributionFilename::as_str)
        .collect();
    let projects: Vec<&str> = staged
        .withdrawn
        .iter()
        .map(|name| name.project().as_str())
        .collect();
    let sql = "INSERT INTO withdrawn SELECT * FROM unnest($1, $2)
               ON CONFLICT (filename) DO NOTHING";
    let params: [Param<'_>; 2] = [(&names, Type::TEXT_ARRAY), (&projects, Type::TEXT_ARRAY)];
    run(transaction, sql, &params).map(drop)
}
