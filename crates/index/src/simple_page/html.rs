//! The page as HTML (PEP 503) for installers that ask for nothing else; derived from the verified
//! JSON page, never signed itself.

use std::fmt::{self, Write};

use super::{API_VERSION, PageFile, ProjectStatus, SimplePage, Yanked};

impl SimplePage {
    /// The page as HTML. `url` returns the URL of a file, absolute or relative to the page
    /// (on the plain mirror: [`super::mirror_url`]).
    #[must_use]
    pub fn render_html(&self, url: impl Fn(&PageFile) -> String) -> String {
        let mut out = String::with_capacity(512 + 512 * self.files.len());
        out.push_str("<!DOCTYPE html>\n<html>\n  <head>\n");
        meta(&mut out, "pypi:repository-version", API_VERSION);
        if self.status.marker != ProjectStatus::Active || self.status.reason.is_some() {
            meta(&mut out, "pypi:project-status", self.status.marker.as_str());
        }
        if let Some(reason) = &self.status.reason {
            meta(&mut out, "pypi:project-status-reason", reason);
        }
        let project = &self.project;
        put(
            &mut out,
            format_args!("    <title>Links for {project}</title>\n  </head>\n  <body>\n"),
        );
        put(&mut out, format_args!("    <h1>Links for {project}</h1>\n"));
        for file in &self.files {
            anchor(&mut out, file, &url(file));
        }
        out.push_str("  </body>\n</html>\n");
        out
    }
}

fn meta(out: &mut String, name: &str, content: &str) {
    let content = Escaped(content);
    put(
        out,
        format_args!("    <meta name=\"{name}\" content=\"{content}\">\n"),
    );
}

fn anchor(out: &mut String, file: &PageFile, url: &str) {
    put(
        out,
        format_args!("    <a href=\"{}#sha256={}\"", Escaped(url), file.sha256),
    );
    if let Some(specifier) = &file.requires_python {
        put(
            out,
            format_args!(" data-requires-python=\"{}\"", Escaped(specifier)),
        );
    }
    match &file.yanked {
        Yanked::No => {}
        Yanked::Yes => out.push_str(" data-yanked=\"\""),
        Yanked::Because(reason) => put(out, format_args!(" data-yanked=\"{}\"", Escaped(reason))),
    }
    if let Some(sha256) = &file.core_metadata {
        // pip before 23.2 knows only the name that PEP 658 gave and PEP 714 replaced.
        for name in ["core-metadata", "dist-info-metadata"] {
            put(out, format_args!(" data-{name}=\"sha256={sha256}\""));
        }
    }
    put(
        out,
        format_args!(">{}</a><br>\n", Escaped(file.filename.as_str())),
    );
}

fn put(out: &mut String, text: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}

/// Text as it may stand in an element or between double or single quotes in a tag.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#x27;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
