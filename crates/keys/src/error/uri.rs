//! Why a text is no key URI.

/// A text is no key URI. Values of parameters are never repeated: somebody may have put a secret
/// where none belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// No `SCHEME:` in front.
    #[error("a key is named by a URI with one of the schemes {known:?}, such as file:PATH")]
    NoScheme {
        /// The schemes there are.
        known: &'static [&'static str],
    },
    /// A scheme nobody handles.
    #[error("unknown key scheme `{scheme}`; the schemes are {known:?}")]
    UnknownScheme {
        /// The scheme found.
        scheme: String,
        /// The schemes there are.
        known: &'static [&'static str],
    },
    /// `file:` and nothing usable after it.
    #[error("`file:` needs a path without NUL")]
    Path,
    /// `file://HOST/…`: key files are local.
    #[error("key files are local: write file:PATH or file:///PATH, not `file://{host}`")]
    Host {
        /// The host found.
        host: String,
    },
    /// `ssh-agent:` and neither a fingerprint nor a comment.
    #[error(
        "`ssh-agent:` needs a fingerprint `SHA256:…` or a comment, as `ssh-add -l` prints them"
    )]
    AgentKey,
    /// `exec:` and neither an absolute path nor a name.
    #[error(
        "`exec:` needs the absolute path of a program, or the name of a configured command \
         (letters, digits, `-`, `_`)"
    )]
    ExecProgram,
    /// `exec:NAME` takes everything from the configuration.
    #[error("`exec:{name}` is a configured command; its arguments stand there")]
    ExecParameters {
        /// The name.
        name: String,
    },
    /// `awskms:` and nothing KMS takes for a key.
    #[error("`awskms:` needs a key id, `alias/NAME` or the ARN of either")]
    KmsKey,
    /// A parameter the scheme does not have.
    #[error("`{scheme}:` has no parameter `{parameter}`; it has {known:?}")]
    UnknownParameter {
        /// The scheme.
        scheme: &'static str,
        /// The parameter found.
        parameter: String,
        /// The parameters there are.
        known: &'static [&'static str],
    },
    /// A parameter that may stand once only.
    #[error("`{scheme}:` has the parameter `{parameter}` twice")]
    RepeatedParameter {
        /// The scheme.
        scheme: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// A value that is not percent-encoded UTF-8, or not of the parameter's form.
    #[error("`{scheme}:`: the value of `{parameter}` is malformed or not percent-encoded UTF-8")]
    ParameterValue {
        /// The scheme.
        scheme: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// A PIN in a URI would be seen in process lists, shell histories and logs.
    #[error(
        "`pkcs11:` takes no `pin-value`: others can see it; use `pin-source=file:/…` or a prompt"
    )]
    PinValue,
    /// A path that would be another one wherever a program is started.
    #[error("`{scheme}:`: `{parameter}` needs an absolute path")]
    NotAbsolute {
        /// The scheme.
        scheme: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
}
