//! A table or column that is not carried would be lost by a move, and nothing would notice.

use std::collections::BTreeSet;

use countersign_repository::{Kind, NUMBERED, Settings, TABLES};

use crate::site::PostgresSite;
use crate::support::{POLICY, Site};

/// Says who is the writer, and which transactions happened, of this database alone.
const NOT_CARRIED: [&str; 3] = ["lease", "marks", "schema_version"];

#[test]
fn every_column_of_every_table_is_carried() {
    let (site, folder) = (PostgresSite::start(), tempfile::tempdir().unwrap());
    site.init(folder.path(), &Settings::from_policy(&POLICY).unwrap());
    let sql = "SELECT table_name::text, column_name::text, data_type::text, is_identity = 'YES'
               FROM information_schema.columns WHERE table_schema = current_schema()";
    let rows = site.client(folder.path()).query(sql, &[]).unwrap();
    let rows = rows
        .iter()
        .filter(|row| !NOT_CARRIED.contains(&row.get::<_, &str>(0)));
    let (mut made, mut numbered) = (BTreeSet::new(), BTreeSet::new());
    for row in rows {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let kind = match row.get(2) {
            "smallint" | "integer" | "bigint" => Kind::Number,
            "text" => Kind::Text,
            "bytea" => Kind::Bytes,
            other => panic!("{table}.{column} is of type {other}"),
        };
        if row.get(3) {
            numbered.insert(table.clone());
        }
        made.insert((table, column, format!("{kind:?}")));
    }
    let carried = TABLES.iter().flat_map(|table| {
        let columns = table.columns.iter();
        columns.map(|(column, kind)| {
            (
                table.name.to_owned(),
                (*column).to_owned(),
                format!("{kind:?}"),
            )
        })
    });
    assert_eq!(carried.collect::<BTreeSet<_>>(), made);
    assert_eq!(numbered, NUMBERED.map(str::to_owned).into());
}
