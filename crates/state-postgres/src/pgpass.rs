//! The password file of PostgreSQL's own programs: `PGPASSFILE`, else `.pgpass` in the home folder.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use postgres::Config;
use postgres::config::Host;
use zeroize::Zeroizing;

use crate::address::Password;

/// Largest file read, in bytes; they have a line for each database.
const MOST_BYTES: u64 = 65_536;

/// The password for a database, if the file has one. As with PostgreSQL's own programs a file that others
/// can read counts for nothing.
pub(crate) fn find(config: &Config) -> Option<Password> {
    let path = std::env::var_os("PGPASSFILE")
        .map(PathBuf::from)
        .or_else(|| {
            let home = std::env::var_os("HOME")?;
            Some(Path::new(&home).join(".pgpass"))
        })?;
    let text = read(&path)?;
    let user = config.get_user()?;
    let database = config.get_dbname().unwrap_or(user);
    let ports = config.get_ports();
    config
        .get_hosts()
        .iter()
        .enumerate()
        .find_map(|(at, host)| {
            let host = match host {
                Host::Tcp(name) => name.as_str(),
                Host::Unix(_) => "localhost",
            };
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            look_up(&text, [host, &port.to_string(), database, user])
        })
}

fn read(path: &Path) -> Option<Zeroizing<String>> {
    let file = File::open(path).ok()?;
    let about = file.metadata().ok()?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "passed over: others can read this password file");
        return None;
    }
    if !about.is_file() {
        return None;
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The password of the first line whose host, port, database and user are these, or `*`.
fn look_up(text: &str, wanted: [&str; 4]) -> Option<Password> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let fields = fields(line);
            let is_it = |(field, wanted): (&Zeroizing<String>, &str)| {
                field.as_str() == "*" || field.as_str() == wanted
            };
            let matches = fields.len() == 5 && fields.iter().zip(wanted).all(is_it);
            matches.then(|| Zeroizing::new(fields[4].as_bytes().to_vec()))
        })
}

/// Splits at colons; a backslash takes the next character as it is.
fn fields(line: &str) -> Vec<Zeroizing<String>> {
    let mut fields = vec![Zeroizing::new(String::with_capacity(line.len()))];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let character = match character {
            '\\' => characters.next(),
            // A password may hold any colons that follow.
            ':' if fields.len() < 5 => {
                fields.push(Zeroizing::new(String::with_capacity(line.len())));
                continue;
            }
            other => Some(other),
        };
        if let Some(field) = fields.last_mut() {
            field.extend(character);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let text = "# comment\ndb:5432:other:index:wrong\n*:5432:countersign:index:se\\:cr\\\\et\n*:*:*:*:late\n";
        let find =
            |wanted| look_up(text, wanted).map(|found| String::from_utf8(found.to_vec()).unwrap());
        let found = find(["db", "5432", "countersign", "index"]);
        assert_eq!(found.as_deref(), Some("se:cr\\et"));
        let found = find(["db", "5433", "countersign", "index"]);
        assert_eq!(found.as_deref(), Some("late"));
        assert_eq!(look_up("db:5432\n", ["db", "5432", "a", "b"]), None);
    }
}
