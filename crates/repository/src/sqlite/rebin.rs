//! Another number of bins: every target moves to the bin that answers for it now.

use draft::BinLayout;
use metadata::Sha256;
use rusqlite::{Transaction, params};

use crate::error::RepositoryError;
use crate::record::layout_settings;
use crate::sqlite::failed;

const DOING: &str = "spreading targets over other bins";

/// Spreads the targets over `layout` and keeps it, in the transaction that moves the head.
pub(super) fn spread(db: &Transaction<'_>, layout: BinLayout) -> Result<(), RepositoryError> {
    let copy = || -> rusqlite::Result<()> {
        db.execute_batch(
            "CREATE TEMP TABLE spread (bin INTEGER NOT NULL, path TEXT NOT NULL,
                 length INTEGER NOT NULL, sha256 BLOB NOT NULL) STRICT",
        )?;
        copy_rows(db, layout)?;
        // In the order of the table, so that it is written from one end to the other.
        db.execute_batch(
            "DELETE FROM targets;
             INSERT INTO targets SELECT bin, path, length, sha256 FROM spread ORDER BY bin, path;
             DROP TABLE spread;",
        )?;
        for (name, value) in layout_settings(layout) {
            let row = params![name, value];
            db.execute("UPDATE settings SET value = ?2 WHERE name = ?1", row)?;
        }
        Ok(())
    };
    copy().map_err(failed(DOING))
}

fn copy_rows(db: &Transaction<'_>, layout: BinLayout) -> rusqlite::Result<()> {
    let mut read = db.prepare("SELECT path, length, sha256 FROM targets")?;
    let mut write = db.prepare("INSERT INTO spread VALUES (?1, ?2, ?3, ?4)")?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let path: String = row.get(0)?;
        let bin = layout.count.bin_of(&Sha256::of(path.as_bytes())).get();
        let (length, sha256): (i64, [u8; 32]) = (row.get(1)?, row.get(2)?);
        write.execute(params![bin, path, length, sha256])?;
    }
    Ok(())
}
