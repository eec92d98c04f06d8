//! `POST /v1/changes`: takes one request's changes in.

use std::fs::File;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use index::{DistributionFilename, ProjectName, Yanked};
use metadata::{Sha256, Sha256Stream};
use repository::{
    IntakeError, RequestKey, Sender, Submission, SubmissionAnswer, SubmissionError,
    SubmissionRecord, Wish,
};
use serde::Deserialize;
use tokio::sync::SemaphorePermit;

use super::fate::settled;
use super::headers::{authenticate, idempotency_key, wait};
use crate::body::{Distribution, Edit, Edits, Fate, Receipt, TransactionArchive, json};
use crate::problem::Problem;
use crate::scope::Verb;
use crate::spool::Spooled;
use crate::state::Intake;
use crate::token::Token;

/// Content type of changes that bring no bytes.
pub const EDITS: &str = "application/json";
/// Content type of a file.
pub const DISTRIBUTION: &str = "application/octet-stream";
/// Content type of the archive of a transaction.
pub const TRANSACTION: &str = "application/vnd.countersign.transaction+zip";

#[derive(Deserialize)]
pub(crate) struct Parameters {
    filename: Option<String>,
}

/// A request, as far as its headers tell.
struct Asked {
    token: Arc<Token>,
    key: Option<String>,
    content_type: String,
    length: Option<u64>,
}

/// Hand changes in
///
/// One file, changes that bring no bytes, or what developers have signed; which, the content type says. All
/// of a request is taken or nothing. Answered with 202 when it survives a loss of power; with `Prefer:
/// wait` answered with 200 when clients see it, or the signer has refused it, within that time.
///
/// Under an idempotency key the same request gets the same answer for ever and is taken once; another request
/// under it is refused.
#[utoipa::path(
    post,
    path = "/v1/changes",
    operation_id = "submit",
    tag = "changes",
    security(("token" = [])),
    params(
        ("filename" = Option<String>, Query, description = "Name of the file, where one is sent",
            example = "acme_tools-1.0-py3-none-any.whl"),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255,
            pattern = "^[!#-~]+$", description = "Key of this request, chosen by the sender"),
        ("Prefer" = Option<String>, Header, example = "wait=60",
            description = "`wait=SECONDS`: answer when it is published, at the latest after so long"),
    ),
    request_body(content(
        (Edits = "application/json"),
        (Distribution = "application/octet-stream"),
        (TransactionArchive = "application/vnd.countersign.transaction+zip"),
    )),
    responses(
        (status = 200, description = "Published or refused within the time asked for", body = Fate,
            headers(("Location" = String, description = "Where to ask again"),
                ("Preference-Applied" = String, description = "The wait that was granted"))),
        (status = 202, description = "Taken in", body = Receipt,
            headers(("Location" = String, description = "Where to ask what became of it"))),
        (status = 400, description = "Cannot be read", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No token that counts", body = Problem,
            content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String, description = "`Bearer`"))),
        (status = 403, description = "Beyond the token's scope", body = Problem,
            content_type = "application/problem+json"),
        (status = 408, description = "The body came too slowly", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The index stands otherwise", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem,
            content_type = "application/problem+json"),
        (status = 415, description = "Unknown content type", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "Not sound, or the key stands for another request", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "The token's share is used up", body = Problem,
            content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 503, description = "Busy, or failed; nothing was taken", body = Problem,
            content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds"))),
    )
)]
pub(crate) async fn submit(
    State(intake): State<Arc<Intake>>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    let asked = Asked {
        token: authenticate(&intake, &headers)?,
        key: idempotency_key(&headers)?,
        content_type: essence(&headers),
        length: content_length(&headers),
    };
    if intake.metrics.last_waiting() >= u64::from(intake.policy.intake.waiting_changes) {
        return Err(Problem::busy("too many changes wait for the signer"));
    }
    let Query(Parameters { filename }) = parameters
        .map_err(|_| Problem::malformed("the query may name one file, as `?filename=`"))?;
    let answer = match (asked.content_type.as_str(), filename) {
        (EDITS, None) => asked.edits(&intake, body).await?,
        (DISTRIBUTION, Some(filename)) => asked.distribution(&intake, &filename, body).await?,
        (TRANSACTION, None) => asked.transaction(&intake, body).await?,
        (DISTRIBUTION, None) => {
            return Err(Problem::malformed("`?filename=` has to name the file"));
        }
        (EDITS | TRANSACTION, Some(_)) => {
            return Err(Problem::malformed("`filename` goes with a file alone"));
        }
        (other, _) => {
            let known = [EDITS, DISTRIBUTION, TRANSACTION].join(", ");
            let detail = format!("`{other}` is none of {known}");
            return Err(Problem::media_type(detail));
        }
    };
    respond(&intake, answer?, &headers).await
}

async fn respond(
    intake: &Intake,
    record: SubmissionRecord,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let receipt = Receipt::of(&record);
    let location = HeaderValue::try_from(&receipt.status_url).map_err(|_| Problem::failed())?;
    let mut response = json(StatusCode::ACCEPTED, &receipt);
    if let Some(wait) = wait(intake, headers) {
        // Once it is queued it is acknowledged, whatever goes wrong while it is waited for.
        if let Ok(Some(fate)) = settled(intake, &record, wait).await {
            response = json(StatusCode::OK, &fate);
        }
        let applied = HeaderValue::try_from(format!("wait={}", wait.as_secs()));
        let applied = applied.map_err(|_| Problem::failed())?;
        response.headers_mut().insert("preference-applied", applied);
    }
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

impl Asked {
    /// Changes that bring no bytes.
    async fn edits(self, intake: &Intake, body: Body) -> Result<Answer, Problem> {
        let limits = intake.policy.intake;
        let what = "a JSON document";
        self.check_length(what, limits.document_bytes.into())?;
        let document = intake.spool.read(what, body, limits.document_bytes).await?;
        let edits: Edits = serde_json::from_slice(&document)
            .map_err(|error| Problem::malformed(format!("the document: {error}")))?;
        let most = limits.changes_per_request;
        if edits.changes.is_empty() || edits.changes.len() > most as usize {
            let detail = format!("a request has 1 to {most} changes");
            return Err(Problem::malformed(detail));
        }
        let mut wishes = Vec::with_capacity(edits.changes.len());
        for edit in edits.changes {
            wishes.push(self.wish(edit)?);
        }
        let sender = self.sender(&[EDITS.as_bytes(), &document]);
        intake.submit(sender, wishes).await
    }

    fn wish(&self, edit: Edit) -> Result<Wish, Problem> {
        let (verb, wish) = match edit {
            Edit::Yank { file, reason } => {
                let reason = reason.filter(|reason| !reason.is_empty());
                let yanked = reason.map_or(Yanked::Yes, Yanked::Because);
                (Verb::Yank, Wish::Yank(filename(&file)?, yanked))
            }
            Edit::Unyank { file } => (Verb::Yank, Wish::Yank(filename(&file)?, Yanked::No)),
            Edit::Remove { file } => (Verb::Remove, Wish::Remove(filename(&file)?)),
            Edit::RemoveProject { project } => {
                let name = ProjectName::parse(&project);
                let name = name.map_err(|error| Problem::invalid(error.to_string()))?;
                (Verb::Remove, Wish::RemoveProject(name))
            }
        };
        self.authorize(verb, &wish.project())?;
        Ok(wish)
    }

    /// One file.
    async fn distribution(
        self,
        intake: &Intake,
        name: &str,
        body: Body,
    ) -> Result<Answer, Problem> {
        let filename = filename(name)?;
        self.authorize(Verb::Add, filename.project())?;
        let limit = intake.policy.client.file_bytes;
        let (spooled, _permit) = self.upload(intake, "a file", body, limit).await?;
        let digest = spooled.sha256;
        let parts = [DISTRIBUTION.as_bytes(), name.as_bytes(), digest.as_bytes()];
        let sender = self.sender(&parts);
        if let Some(answer) = intake.answered(&sender).await? {
            return Ok(answer.map_err(Problem::from));
        }
        let file = spooled.into_file(&intake.spool).await?;
        let subject = filename.to_string();
        let examined = intake.examine(filename, file, digest).await?;
        let wish = examined.map_err(|why| Problem::of_intake(&subject, &why))?;
        intake.submit(sender, vec![wish]).await
    }

    /// What developers have signed.
    async fn transaction(self, intake: &Intake, body: Body) -> Result<Answer, Problem> {
        if !self.token.may.contains(&Verb::Transaction) {
            return Err(self.refusal(Verb::Transaction));
        }
        let limit = intake.policy.intake.archive_bytes;
        let (spooled, _permit) = self.upload(intake, "an archive", body, limit).await?;
        let sender = self.sender(&[TRANSACTION.as_bytes(), spooled.sha256.as_bytes()]);
        if let Some(answer) = intake.answered(&sender).await? {
            return Ok(answer.map_err(Problem::from));
        }
        let file = spooled.into_file(&intake.spool).await?;
        let again = file.try_clone().map_err(|_| Problem::failed())?;
        let read = move |index: &mut repository::Repository| index.project_of_transaction(file);
        let project = intake.pool.run(read).await?;
        let project = project.map_err(SubmissionError::from)?;
        self.authorize(Verb::Transaction, &project)?;
        let _one_at_a_time = intake.transactions.lock().await;
        let now = (intake.clock)();
        let answer = intake
            .pool
            .run(move |index| index.submit_transaction(sender, again, now))
            .await?;
        if let Ok(record) = &answer {
            intake.metrics.count_accepted(record.entries.len());
        }
        Ok(answer.map_err(Problem::from))
    }

    /// Takes bytes in, where there is a place for them.
    async fn upload<'a>(
        &self,
        intake: &'a Intake,
        what: &'static str,
        body: Body,
        limit: u64,
    ) -> Result<(Spooled, SemaphorePermit<'a>), Problem> {
        self.check_length(what, limit)?;
        let permit = intake.uploads.try_acquire();
        let permit = permit.map_err(|_| Problem::busy("too many uploads are on their way in"))?;
        let spooled = intake.spool.take(what, body, limit).await?;
        intake.metrics.count_received(spooled.length);
        Ok((spooled, permit))
    }

    /// What announces too many bytes is refused before any is read.
    fn check_length(&self, what: &str, limit: u64) -> Result<(), Problem> {
        match self.length {
            Some(length) if length > limit => Err(Problem::too_large(what, limit)),
            _ => Ok(()),
        }
    }

    fn authorize(&self, verb: Verb, project: &ProjectName) -> Result<(), Problem> {
        if self.token.allows(verb, project) {
            return Ok(());
        }
        if !self.token.may.contains(&verb) {
            return Err(self.refusal(verb));
        }
        let name = &self.token.name;
        Err(Problem::out_of_scope(format!(
            "token `{name}` is not for project `{project}`"
        )))
    }

    fn refusal(&self, verb: Verb) -> Problem {
        let name = &self.token.name;
        Problem::out_of_scope(format!("token `{name}` may not `{verb}`"))
    }

    /// Whose the request is; under a key, with the digest of everything that was sent.
    fn sender(&self, request: &[&[u8]]) -> Sender {
        let key = self.key.as_ref().map(|key| {
            let mut digest = Sha256Stream::new();
            for part in request {
                digest.update(&(part.len() as u64).to_be_bytes());
                digest.update(part);
            }
            RequestKey {
                key: key.clone(),
                digest: digest.finish(),
            }
        });
        Sender {
            name: self.token.name.clone(),
            key,
        }
    }
}

/// What became of a request that could be decided.
type Answer = Result<SubmissionRecord, Problem>;

impl Intake {
    async fn submit(&self, sender: Sender, wishes: Vec<Wish>) -> Result<Answer, Problem> {
        let answer = self.writer.submit(Submission { sender, wishes }).await?;
        Ok(answer.map_err(Problem::from))
    }

    async fn answered(&self, sender: &Sender) -> Result<Option<SubmissionAnswer>, Problem> {
        if sender.key.is_none() {
            return Ok(None);
        }
        let sender = sender.clone();
        self.pool
            .run(move |index| index.answered_before(&sender))
            .await
    }

    async fn examine(
        &self,
        filename: DistributionFilename,
        file: File,
        sha256: Sha256,
    ) -> Result<Result<Wish, IntakeError>, Problem> {
        let now = (self.clock)();
        let examined = self
            .pool
            .run(move |index| index.examine(filename, file, sha256, now))
            .await?;
        Ok(examined.map(|record| Wish::Add(Box::new(record))))
    }
}

fn filename(text: &str) -> Result<DistributionFilename, Problem> {
    DistributionFilename::parse(text).map_err(|error| Problem::invalid(error.to_string()))
}

/// The content type without its parameters, in lower case.
fn essence(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
