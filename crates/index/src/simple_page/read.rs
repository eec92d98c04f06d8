//! Reading a JSON page (PEP 691) that nobody has vouched for yet.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Timelike, Utc};
use metadata::{Sha256, Value};

use super::{PageError, PageFile, PageLimits, ProjectStatus, SimplePage, Status, Yanked};
use crate::{DistributionFilename, ProjectName, excerpt};

type Object = BTreeMap<String, Value>;

impl SimplePage {
    /// Reads the page of `project` from bytes that need not be verified yet.
    ///
    /// Refused: a key twice anywhere, a file that is no distribution of `project` or stands twice,
    /// a file without SHA-256 or size, more than `limits`. Members that are not known are passed
    /// over, and so is `url`: where a file is fetched is not the page's to say.
    pub fn parse_json(
        bytes: &[u8],
        project: &ProjectName,
        limits: &PageLimits,
    ) -> Result<Self, PageError> {
        if bytes.len() > limits.bytes {
            let (bytes, limit) = (bytes.len(), limits.bytes);
            return Err(PageError::TooLarge {
                project: project.clone(),
                bytes,
                limit,
            });
        }
        let page = Value::parse(bytes).map_err(|source| PageError::Json {
            project: project.clone(),
            source,
        })?;
        let page = Members {
            project,
            of: "the page",
            object: page.as_object(),
        };
        page.check_head()?;
        let files = page.array("files")?;
        if files.len() > limits.files {
            let (files, limit) = (files.len(), limits.files);
            return Err(PageError::TooManyFiles {
                project: project.clone(),
                files,
                limit,
            });
        }
        let files = files
            .iter()
            .map(|file| read_file(project, file))
            .collect::<Result<_, _>>()?;
        Self::new(project.clone(), files, page.status()?)
    }
}

/// Parses `YYYY-MM-DDTHH:MM:SS[.F]Z` with one to six digits of fraction (PEP 700).
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let shape = text.strip_suffix('Z')?;
    let (seconds, fraction) = match shape.split_once('.') {
        Some((seconds, fraction)) => (seconds, Some(fraction)),
        None => (shape, None),
    };
    let is_shaped = seconds.len() == 19
        && seconds
            .bytes()
            .zip(b"0000-00-00T00:00:00")
            .all(|(found, form)| match form {
                b'0' => found.is_ascii_digit(),
                other => found == *other,
            })
        && fraction.is_none_or(|digits| {
            (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        });
    let time = NaiveDateTime::parse_from_str(shape, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    // A leap second would not print as it was read.
    (is_shaped && time.nanosecond() < 1_000_000_000).then(|| time.and_utc())
}

/// The members of one object, with what an error has to say about it.
struct Members<'a> {
    project: &'a ProjectName,
    of: &'a str,
    object: Option<&'a Object>,
}

impl<'a> Members<'a> {
    fn error(&self, member: &'static str, expected: &'static str) -> PageError {
        PageError::Member {
            project: self.project.clone(),
            of: excerpt(self.of),
            member,
            expected,
        }
    }

    fn get(&self, member: &str) -> Option<&'a Value> {
        self.object?.get(member)
    }

    fn object(&self, member: &'static str) -> Result<Option<Self>, PageError> {
        match self.get(member) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self {
                object: Some(members),
                ..*self
            })),
            Some(_) => Err(self.error(member, "has to be an object")),
        }
    }

    fn array(&self, member: &'static str) -> Result<&'a [Value], PageError> {
        match self.get(member) {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(self.error(member, "has to be an array")),
        }
    }

    fn text(&self, member: &'static str) -> Result<Option<&'a str>, PageError> {
        match self.get(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.error(member, "has to be a string")),
        }
    }

    /// The SHA-256 among the hashes in `member`.
    fn sha256(&self, member: &'static str) -> Result<Option<Sha256>, PageError> {
        let Some(hashes) = self.object(member)? else {
            return Ok(None);
        };
        match hashes.text("sha256")?.map(Sha256::parse) {
            Some(Ok(sha256)) => Ok(Some(sha256)),
            _ => Err(self.error(member, "has to have a sha256 of 64 lower-case hex digits")),
        }
    }

    /// API version and name.
    fn check_head(&self) -> Result<(), PageError> {
        let project = || self.project.clone();
        let version = match self.object("meta")? {
            Some(meta) => meta.text("api-version")?,
            None => None,
        };
        let version = version.ok_or_else(|| self.error("api-version", "is missing"))?;
        if !version.starts_with("1.") {
            return Err(PageError::ApiVersion {
                project: project(),
                found: excerpt(version),
            });
        }
        let name = self
            .text("name")?
            .ok_or_else(|| self.error("name", "is missing"))?;
        let found = ProjectName::parse_normalized(name).map_err(|source| PageError::Name {
            project: project(),
            source,
        })?;
        if found != *self.project {
            return Err(PageError::OtherProject {
                project: project(),
                found,
            });
        }
        Ok(())
    }

    fn status(&self) -> Result<Status, PageError> {
        let Some(status) = self.object("project-status")? else {
            return Ok(Status::default());
        };
        let marker = status
            .text("status")?
            .map_or(Some(ProjectStatus::Active), |word| {
                ProjectStatus::parse(word)
            });
        let marker = marker.ok_or_else(|| self.error("status", "is no status of PEP 792"))?;
        Ok(Status {
            marker,
            reason: status.text("reason")?.map(str::to_owned),
        })
    }

    fn size(&self) -> Result<u64, PageError> {
        match self.get("size") {
            Some(Value::Integer(size)) => u64::try_from(*size).ok(),
            _ => None,
        }
        .ok_or_else(|| self.error("size", "has to be a number of bytes"))
    }

    fn upload_time(&self) -> Result<Option<DateTime<Utc>>, PageError> {
        self.text("upload-time")?
            .map(|text| {
                parse_time(text).ok_or_else(|| self.error("upload-time", "is no time of PEP 700"))
            })
            .transpose()
    }

    fn yanked(&self) -> Result<Yanked, PageError> {
        match self.get("yanked") {
            None | Some(Value::Bool(false)) => Ok(Yanked::No),
            Some(Value::Bool(true)) => Ok(Yanked::Yes),
            Some(Value::String(reason)) => Ok(Yanked::Because(reason.clone())),
            Some(_) => Err(self.error("yanked", "has to be true, false or a reason")),
        }
    }

    fn core_metadata(&self) -> Result<Option<Sha256>, PageError> {
        match self.get("core-metadata") {
            Some(Value::Bool(false)) => Ok(None),
            _ => self.sha256("core-metadata"),
        }
    }
}

fn read_file(project: &ProjectName, file: &Value) -> Result<PageFile, PageError> {
    let nameless = Members {
        project,
        of: "a file",
        object: file.as_object(),
    };
    let name = nameless
        .text("filename")?
        .ok_or_else(|| nameless.error("filename", "is missing"))?;
    let filename =
        DistributionFilename::parse_for(name, project).map_err(|source| PageError::Filename {
            project: project.clone(),
            source,
        })?;
    let file = Members {
        of: name,
        ..nameless
    };
    Ok(PageFile {
        filename,
        sha256: file
            .sha256("hashes")?
            .ok_or_else(|| file.error("hashes", "is missing"))?,
        size: file.size()?,
        requires_python: file.text("requires-python")?.map(str::to_owned),
        upload_time: file.upload_time()?,
        yanked: file.yanked()?,
        core_metadata: file.core_metadata()?,
    })
}
