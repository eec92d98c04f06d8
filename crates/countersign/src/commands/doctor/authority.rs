//! The local authority of `proxy --forward`: in force, closed to others, and believed by nobody but
//! installers that are told to.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use chrono::{DateTime, Utc};
use proxy::local_authorities_in;
use x509_cert::Certificate;
use x509_cert::der::DateTime as DerTime;

use super::{Findings, Level};
use crate::authorities::{self, OF_THE_SYSTEM};
use crate::commands::proxy::AUTHORITIES;
use crate::trusted::Entry;

const CHECK: &str = "authority";

impl Findings {
    /// It must not stand where every program of the machine believes it.
    pub(super) fn system_authorities(&mut self) {
        for file in OF_THE_SYSTEM {
            let count =
                authorities::read(Path::new(file)).map_or(0, |it| local_authorities_in(&it));
            if count > 0 {
                let found = format!(
                    "{file} holds local authorities, which every program believes: {count}"
                );
                let mend = "remove them from the system's authorities, and update its file";
                self.wrong(CHECK, None, found, mend);
            }
        }
    }

    /// The one that a proxy of this index has written.
    pub(super) fn authority(&mut self, entry: &Entry, now: DateTime<Utc>) {
        let path = entry.folder().join(AUTHORITIES);
        let shown = path.display();
        let Some(pem) = authorities::read(&path) else {
            self.ok(CHECK, Some(entry), "no local authority is in use");
            return;
        };
        let is_open = fs::metadata(&path).is_ok_and(|it| it.mode() & 0o022 != 0);
        if is_open {
            let found = format!("others can write {shown}, and so say whom installers believe");
            self.wrong(
                CHECK,
                Some(entry),
                found,
                format!("rm {shown}, and start the proxy again"),
            );
            return;
        }
        let ends = Certificate::load_pem_chain(&pem).ok().and_then(|chain| {
            let ends = chain.iter().map(end_of);
            ends.max()
        });
        match ends {
            Some(end) if end > now => {
                let found = format!("{shown} is valid until {}", end.format("%FT%TZ"));
                self.ok(CHECK, Some(entry), found);
            }
            ended => {
                let found = match ended {
                    Some(end) => format!("{shown} ended at {}", end.format("%FT%TZ")),
                    None => format!("{shown} holds no certificate"),
                };
                let mend = format!("start `proxy --forward` again, or rm {shown}");
                self.add((CHECK, Some(entry)), Level::Warning, found, Some(mend));
            }
        }
    }
}

fn end_of(certificate: &Certificate) -> DateTime<Utc> {
    let end: DerTime = certificate
        .tbs_certificate()
        .validity()
        .not_after
        .to_date_time();
    let seconds = i64::try_from(end.unix_duration().as_secs()).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MIN_UTC)
}
