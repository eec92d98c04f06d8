//! From the SDK's errors to ours. KMS tells most faults apart by error code only.

use std::error::Error;

use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};

use crate::KmsError;
use crate::connection::Connection;

/// Longest text of the service that is repeated.
const MAX_TEXT: usize = 400;

impl Connection {
    /// Says what a failed request means.
    pub(crate) fn failed<E>(
        &self,
        action: &'static str,
        error: SdkError<E, HttpResponse>,
    ) -> KmsError
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        if says_no_credentials(&error) {
            return KmsError::NoCredentials {
                source: source(error),
            };
        }
        match &error {
            // Without a code it is no answer of the service, whatever its status says below 500.
            SdkError::ServiceError(context)
                if context.err().code().is_some() || context.raw().status().is_server_error() =>
            {
                let status = context.raw().status().as_u16();
                self.refused(action, status, context.err())
            }
            SdkError::TimeoutError(_) => KmsError::TimedOut {
                action,
                milliseconds: self.limits.call.as_millis(),
            },
            SdkError::DispatchFailure(_) => KmsError::Unreachable {
                endpoint: self.endpoint.clone(),
                source: source(error),
            },
            _ => KmsError::Answer {
                action,
                source: source(error),
            },
        }
    }

    /// Says what an error answer means.
    fn refused(
        &self,
        action: &'static str,
        status: u16,
        error: &impl ProvideErrorMetadata,
    ) -> KmsError {
        let code = printable(error.code().unwrap_or_default());
        let message = printable(error.message().unwrap_or_default());
        let region = self.region.clone();
        match code.as_str() {
            "AccessDeniedException" | "AccessDenied" => KmsError::Denied { action, message },
            "DisabledException" => KmsError::Disabled,
            "KMSInvalidStateException" => KmsError::KeyState {
                state: "unknown".to_owned(),
                message,
            },
            // A key ARN at the endpoint of another region.
            "NotFoundException" if message.starts_with("Invalid arn") => {
                KmsError::WrongRegion { region, message }
            }
            "NotFoundException" | "InvalidArnException" => KmsError::NotFound { region, message },
            // What `GetPublicKey` answers for a symmetric key.
            "UnsupportedOperationException" => KmsError::Usage {
                usage: "symmetric encryption or authentication".to_owned(),
            },
            "ThrottlingException" | "LimitExceededException" => {
                KmsError::Throttled { action, message }
            }
            _ if message.contains("scoped to a valid region") => {
                KmsError::WrongRegion { region, message }
            }
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignatureException"
            | "MissingAuthenticationTokenException"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "RequestExpired"
            | "OptInRequired" => KmsError::CredentialsRefused { code, message },
            _ if status >= 500 => KmsError::ServiceFault {
                action,
                code: if code.is_empty() {
                    format!("HTTP status {status}")
                } else {
                    code
                },
            },
            _ => KmsError::Refused {
                action,
                code,
                message,
            },
        }
    }
}

fn source<E>(error: SdkError<E, HttpResponse>) -> Box<dyn Error + Send + Sync>
where
    E: Error + Send + Sync + 'static,
{
    error.into_source().unwrap_or_else(Into::into)
}

/// Whether credentials were missing, anywhere down the chain of causes.
fn says_no_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<aws_credential_types::provider::error::CredentialsError>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// Shortens a text of the service and leaves out what could steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_service_cannot_steer_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n\r\tc"), "a[2Jbc");
        assert_eq!(printable(&"é".repeat(1000)).chars().count(), MAX_TEXT);
    }
}
