//! The page as JSON (PEP 691), in canonical bytes.

use chrono::{DateTime, Utc};
use metadata::Sha256;
use metadata::canonical::Writer;

use super::{API_VERSION, PageFile, SimplePage, Status, Yanked, mirror_url};

impl SimplePage {
    /// The page's canonical bytes: what is signed, stored, and served by the plain mirror. Two equal
    /// pages have equal bytes.
    #[must_use]
    pub fn render_json(&self) -> Vec<u8> {
        self.render_json_with(mirror_url)
    }

    /// The page with other URLs, as a proxy serves it. `url` has to return a URL, absolute or
    /// relative to the page, without control characters.
    #[must_use]
    pub fn render_json_with(&self, url: impl Fn(&PageFile) -> String) -> Vec<u8> {
        let mut out = Writer::with_capacity(512 + 512 * self.files.len());
        out.object(|page| {
            page.key("files").array(|files| {
                for file in &self.files {
                    files.item();
                    file.write(files, &url(file));
                }
            });
            page.key("meta")
                .object(|meta| meta.key("api-version").string(API_VERSION));
            page.key("name").string(self.project.as_str());
            self.status.write(page);
            page.key("versions").array(|versions| {
                for version in self.versions() {
                    versions.item().string(version.as_str());
                }
            });
        });
        out.into_bytes()
    }
}

impl PageFile {
    fn write(&self, out: &mut Writer, url: &str) {
        out.object(|file| {
            if let Some(sha256) = &self.core_metadata {
                file.key("core-metadata")
                    .object(|hash| write_sha256(hash, sha256));
            }
            file.key("filename").string(self.filename.as_str());
            file.key("hashes")
                .object(|hash| write_sha256(hash, &self.sha256));
            if let Some(specifier) = &self.requires_python {
                file.key("requires-python").string(specifier);
            }
            file.key("size").integer(self.size);
            if let Some(time) = self.upload_time {
                file.key("upload-time").string(&print_time(time));
            }
            file.key("url").string(url);
            match &self.yanked {
                Yanked::No => {}
                Yanked::Yes => file.key("yanked").bool(true),
                Yanked::Because(reason) => file.key("yanked").string(reason),
            }
        });
    }
}

fn write_sha256(out: &mut Writer, sha256: &Sha256) {
    out.key("sha256").string(&sha256.to_string());
}

impl Status {
    fn write(&self, page: &mut Writer) {
        if *self == Self::default() {
            return;
        }
        page.key("project-status").object(|status| {
            if let Some(reason) = &self.reason {
                status.key("reason").string(reason);
            }
            status.key("status").string(self.marker.as_str());
        });
    }
}

/// No fraction, or one of six digits: older Python parsers take no other lengths.
fn print_time(time: DateTime<Utc>) -> String {
    let format = if time.timestamp_subsec_micros() == 0 {
        "%Y-%m-%dT%H:%M:%SZ"
    } else {
        "%Y-%m-%dT%H:%M:%S%.6fZ"
    };
    time.format(format).to_string()
}
