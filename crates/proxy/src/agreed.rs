//! What the upstreams of a project say together. Mostly it is one, and its word is all there is; where
//! several have to agree, a file is what enough of them list alike: name, bytes, core metadata (TAP 4).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use client::{ClientError, Session};
use futures_util::future::join_all;
use index::{PageFile, ProjectName, SimplePage};
use metadata::{Role, Sha256};

use crate::problem::Problem;
use crate::rules::Signed;
use crate::state::ProxyState;
use crate::upstream::Upstream;
use crate::views::View;

/// One upstream's word on a project.
struct Voice {
    upstream: Arc<Upstream>,
    session: Arc<Session>,
    view: Arc<View>,
}

/// A page to be shown.
pub(crate) struct Shown {
    view: Arc<View>,
    /// What several agree on, where several are asked.
    agreed: Option<SimplePage>,
    /// The sessions it is of.
    pub(crate) sessions: Vec<Arc<Session>>,
    /// The roles that vouch for it.
    pub(crate) roles: Vec<Role>,
}

impl Shown {
    /// The page.
    pub(crate) fn page(&self) -> &SimplePage {
        self.agreed.as_ref().unwrap_or_else(|| self.view.shown())
    }
}

/// The bytes that enough upstreams list for a file name.
struct Agreed<'a> {
    file: PageFile,
    voices: Vec<&'a Voice>,
}

/// A file that may be fetched.
pub(crate) struct Fetchable {
    /// Who may be asked for it.
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    /// What they list, where several have to agree.
    pub(crate) agreed: Option<AgreedBytes>,
}

/// What several pages list for a file.
pub(crate) struct AgreedBytes {
    pub(crate) sha256: Sha256,
    pub(crate) core_metadata: Option<Sha256>,
    /// How many have to vouch for it.
    pub(crate) least: usize,
}

impl ProxyState {
    /// The page of a project.
    pub(crate) async fn shown(
        &self,
        signed: &Signed,
        project: &ProjectName,
    ) -> Result<Shown, Problem> {
        let voices = self.voices(signed, project).await?;
        let agreed = match signed.agree {
            1 => None,
            least => Some(self.agreed_page(project, &voices, least)?),
        };
        let first = voices.first().ok_or_else(nobody)?;
        let view = Arc::clone(&first.view);
        let roles = voices.iter().map(|it| it.view.page().target().role());
        Ok(Shown {
            agreed,
            view,
            roles: roles.cloned().collect(),
            sessions: voices.iter().map(|it| Arc::clone(&it.session)).collect(),
        })
    }

    /// Whom to ask for a file of a project; `None` if it is not there.
    pub(crate) async fn fetchable(
        &self,
        signed: &Signed,
        project: &ProjectName,
        filename: &str,
    ) -> Result<Option<Fetchable>, Problem> {
        if signed.agree == 1 {
            return Ok(Some(Fetchable {
                upstreams: self.asked_by(signed).cloned().collect(),
                agreed: None,
            }));
        }
        let voices = self.voices(signed, project).await?;
        Ok(agreed(&voices, filename, signed.agree).map(|it| Fetchable {
            upstreams: it
                .voices
                .iter()
                .map(|it| Arc::clone(&it.upstream))
                .collect(),
            agreed: Some(AgreedBytes {
                sha256: it.file.sha256,
                core_metadata: it.file.core_metadata,
                least: signed.agree,
            }),
        }))
    }

    /// The words of those who can be heard, if they are enough.
    async fn voices(&self, signed: &Signed, project: &ProjectName) -> Result<Vec<Voice>, Problem> {
        let asked = self.asked_by(signed).map(async |upstream| {
            let heard = upstream.with_session(async |session| {
                let view = upstream.view(&session, project).await?;
                Ok((session, view))
            });
            let (session, view) = heard.await?;
            let upstream = Arc::clone(upstream);
            Ok::<_, Problem>(Voice {
                upstream,
                session,
                view,
            })
        });
        let (mut voices, mut problem) = (Vec::new(), None);
        for heard in join_all(asked).await {
            match heard {
                Ok(voice) => voices.push(voice),
                Err(found) => problem = problem.or(Some(found)),
            }
        }
        if voices.len() < signed.agree {
            return Err(problem.unwrap_or_else(nobody));
        }
        Ok(voices)
    }

    fn agreed_page(
        &self,
        project: &ProjectName,
        voices: &[Voice],
        least: usize,
    ) -> Result<SimplePage, Problem> {
        let names: BTreeSet<&str> = voices
            .iter()
            .flat_map(|voice| voice.view.shown().files())
            .map(|file| file.filename.as_str())
            .collect();
        let (mut files, mut last_left_out) = (Vec::new(), None);
        for name in names {
            if let Some(agreed) = agreed(voices, name, least) {
                files.push(agreed.file);
            } else {
                let problem = disagreement(name, voices.len(), least);
                self.common.recorder.withheld(&problem);
                last_left_out = Some(problem);
            }
        }
        if let Some(problem) = last_left_out.filter(|_| files.is_empty()) {
            return Err(problem);
        }
        let status = voices.first().map(|it| it.view.shown().status().clone());
        SimplePage::new(project.clone(), files, status.unwrap_or_default())
            .map_err(|error| Problem::from(ClientError::from(error)))
    }
}

/// What at least so many of the voices list for a name.
fn agreed<'a>(voices: &'a [Voice], filename: &str, least: usize) -> Option<Agreed<'a>> {
    let listed = |voice: &'a Voice| Some((voice, voice.view.shown().file(filename)?));
    let all: Vec<_> = voices.iter().filter_map(listed).collect();
    all.iter().find_map(|(_, one)| {
        let same: Vec<_> = all
            .iter()
            .filter(|(_, it)| (it.sha256, it.size) == (one.sha256, one.size))
            .collect();
        if same.len() < least {
            return None;
        }
        // Core metadata decides what is installed beside it: it takes as many.
        let metadata = same.iter().find_map(|(_, it)| {
            let count = same
                .iter()
                .filter(|(_, other)| other.core_metadata == it.core_metadata);
            it.core_metadata.filter(|_| count.count() >= least)
        });
        Some(Agreed {
            file: PageFile {
                core_metadata: metadata,
                ..(*one).clone()
            },
            voices: same.iter().map(|(voice, _)| *voice).collect(),
        })
    })
}

fn disagreement(file: &str, heard: usize, least: usize) -> Problem {
    Problem::plain(
        StatusCode::CONFLICT,
        "disagreement",
        "The indexes do not agree on this file",
        format!("fewer than {least} of the {heard} indexes asked list {file} with the same bytes"),
        "one of them may be behind, or forged: compare what each lists, and tell their operators",
    )
    .about(file)
}

fn nobody() -> Problem {
    Problem::internal("a rule names no upstream")
}
