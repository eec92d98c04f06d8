//! A status as one self-contained HTML page, worth publishing: no script, no font, no request.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::status::{HeadRoom, RoleStatus, Status, StoreHealth};

/// Renders `status` as a static page.
#[must_use]
pub fn html(status: &Status, now: DateTime<Utc>) -> String {
    let mut page = String::new();
    let (class, verdict) = verdict(status, now);
    let time = now.format("%Y-%m-%d %H:%M:%S UTC");
    // Writing to a string does not fail.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Index status</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Index status</h1>\n<p class=\"verdict {class}\">{verdict}</p>\n\
         <p>As of <time datetime=\"{}\">{time}</time>.</p>\n",
        now.format("%Y-%m-%dT%H:%M:%SZ"),
    );
    roles(&mut page, status, now);
    numbers(&mut page, status);
    publications(&mut page, status);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--good:#2a7d2a;--warn:#b36b00;--bad:#b00020}\
body{font:1rem/1.5 system-ui,sans-serif;margin:0}\
main{max-width:60rem;margin:0 auto;padding:1.5rem}\
h1{font-size:1.5rem;margin:0 0 1rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}\
.wide{overflow-x:auto}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
.full{width:100%}\
th,td{text-align:left;white-space:nowrap;padding:.4rem 1.2rem .4rem 0;border-bottom:1px solid var(--line)}\
th{font-weight:600}td:last-child,th:last-child{padding-right:0}\
.n{text-align:right}.note{opacity:.7;font-weight:400}\
code{font-size:.85em}\
.verdict{font-weight:600;padding:.6rem .8rem;border-left:.4rem solid}\
.verdict.good{border-color:var(--good)}.verdict.warn{border-color:var(--warn)}\
.verdict.bad{border-color:var(--bad)}\
td.good,td.warn,td.bad{border-left:.25rem solid;padding-left:.6rem}\
td.good{border-left-color:var(--good)}td.warn{border-left-color:var(--warn)}\
td.bad{border-left-color:var(--bad)}\
";

fn verdict(status: &Status, now: DateTime<Utc>) -> (&'static str, String) {
    let all = || status.roles.iter().chain(&status.first_bin);
    if let Some(role) = all().find(|role| role.expires <= now) {
        let name = escape(role.role.name());
        return (
            "bad",
            format!("{name} has expired: clients refuse the index."),
        );
    }
    if all().next().is_none() {
        return ("bad", "Nothing is published yet.".to_owned());
    }
    match &status.store {
        StoreHealth::Intact => {}
        StoreHealth::Altered(path) => {
            let path = escape(path.as_str());
            return ("bad", format!("{path} is not what was published."));
        }
        StoreHealth::Unreadable => return ("bad", "The store cannot be read.".to_owned()),
    }
    if let Some(alarm) = status.alarms.iter().max_by_key(|alarm| alarm.level) {
        let days = (alarm.expires - now).num_days();
        let name = escape(alarm.role.name());
        return (
            "warn",
            format!("{name} needs a ceremony: it expires in {days} days."),
        );
    }
    ("good", "Every role is current.".to_owned())
}

fn roles(page: &mut String, status: &Status, now: DateTime<Utc>) {
    page.push_str(
        "<h2>Roles</h2>\n<div class=\"wide\"><table class=\"full\">\n<thead><tr><th scope=\"col\">Role</th>\
         <th scope=\"col\" class=\"n\">Version</th><th scope=\"col\">Expires</th>\
         <th scope=\"col\">Left</th><th scope=\"col\">Signers</th></tr></thead>\n<tbody>\n",
    );
    for role in status.roles.iter().chain(&status.first_bin) {
        let left = role.expires - now;
        let is_alarm = status.alarms.iter().any(|alarm| alarm.role == role.role);
        let class = if role.expires <= now {
            "bad"
        } else if is_alarm {
            "warn"
        } else {
            "good"
        };
        let expires = role.expires.format("%Y-%m-%d %H:%M:%S UTC");
        let is_bin = status.first_bin.as_ref() == Some(role);
        let note = if is_bin {
            format!(" <span class=\"note\">first of {} bins</span>", status.bins)
        } else {
            String::new()
        };
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{}{note}</th><td class=\"n\">{}</td><td>{expires}</td>\
             <td class=\"{class}\">{}</td><td>{}</td></tr>",
            escape(role.role.name()),
            role.version,
            escape(&crate::status::in_words(left)),
            signers(status, role),
        );
    }
    page.push_str("</tbody>\n</table></div>\n");
}

fn signers(status: &Status, role: &RoleStatus) -> String {
    let found = status
        .signers
        .iter()
        .find(|signers| signers.covers(&role.role));
    found.map_or_else(String::new, |signers| {
        let keys: Vec<String> = signers
            .keys
            .iter()
            .map(|key| format!("<code>{}</code>", escape(key.short())))
            .collect();
        let (threshold, count) = (signers.threshold, keys.len());
        format!("{threshold} of {count}: {}", keys.join(" "))
    })
}

fn numbers(page: &mut String, status: &Status) {
    let room = |room: HeadRoom| {
        let percent = (room.used * 100).checked_div(room.limit).unwrap_or(100);
        let (used, limit) = (grouped(room.used), grouped(room.limit));
        format!("{used} of {limit} bytes ({percent}\u{a0}%)")
    };
    let mut rows = vec![
        ("Projects", grouped(status.projects as u64)),
        ("Targets", grouped(status.targets)),
        ("Bins", grouped(status.bins as u64)),
        ("Changes waiting", grouped(status.pending as u64)),
        ("Offline sets waiting", grouped(status.waiting_sets as u64)),
        ("Tombstones", grouped(status.tombstones.len() as u64)),
        ("Snapshot", room(status.snapshot_room)),
        ("Largest role", room(status.role_room)),
    ];
    if let Some(signed) = status.signed {
        let time = signed.format("%Y-%m-%d %H:%M:%S UTC");
        rows.push(("Last signature", time.to_string()));
    }
    page.push_str("<h2>Numbers</h2>\n<div class=\"wide\"><table>\n<tbody>\n");
    for (name, value) in rows {
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>"
        );
    }
    page.push_str("</tbody>\n</table></div>\n");
}

fn publications(page: &mut String, status: &Status) {
    if status.publications.is_empty() {
        return;
    }
    page.push_str(
        "<h2>Last publications</h2>\n<div class=\"wide\"><table>\n<thead><tr>\
         <th scope=\"col\">Signed</th><th scope=\"col\" class=\"n\">Timestamp</th>\
         <th scope=\"col\" class=\"n\">Snapshot</th><th scope=\"col\" class=\"n\">Bins changed</th>\
         <th scope=\"col\" class=\"n\">Changes</th></tr></thead>\n<tbody>\n",
    );
    for one in &status.publications {
        let version = |version: Option<metadata::Version>| {
            version.map_or_else(|| "\u{2013}".to_owned(), |version| grouped(version.get()))
        };
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            one.signed.format("%Y-%m-%d %H:%M:%S UTC"),
            version(one.timestamp),
            version(one.snapshot),
            grouped(one.bins),
            grouped(one.changes),
        );
    }
    page.push_str("</tbody>\n</table></div>\n");
}

/// A number with a narrow space between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
