//! `SoftHSM` in a folder of its own, and tests in processes of their own: a module is loaded once
//! per process and told by the environment where its tokens are.

use std::any::type_name_of_val;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_tests::environment::prepared;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use keys::{
    KeyError, NewTokenKey, Passphrase, PassphraseError, PassphraseSource, Pkcs11Key, Pkcs11Options,
    Pkcs11Uri, TokenError, TokenKeyType, list_token_keys,
};

/// The user PIN of every token, unless a test says otherwise.
pub(crate) const PIN: &str = "4711-user";
const OFFICER_PIN: &str = "4711-officer";
/// Tells the child process of a test its folder.
const FOLDER: &str = "COUNTERSIGN_TEST_SOFTHSM";

/// A PKCS#11 module with tokens in a folder.
pub(crate) struct Hsm {
    pub(crate) folder: PathBuf,
    pub(crate) module: PathBuf,
}

/// Runs `body` with `SoftHSM`, in a child process that runs nothing but the test it is in.
pub(crate) fn with_softhsm(body: impl FnOnce(&Hsm)) {
    alone(body, |folder| {
        std::fs::create_dir(folder.join("tokens")).unwrap();
        Vec::new()
    });
}

/// Runs `body` with the shim in front of `SoftHSM`.
pub(crate) fn with_shim(body: impl FnOnce(&Hsm)) {
    alone(body, |folder| {
        std::fs::create_dir(folder.join("tokens")).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/shim.c");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut compile = Command::new(compiler);
        compile.args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
        compile.arg(folder.join("shim.so")).arg(source).arg("-ldl");
        assert!(compile.status().unwrap().success(), "{compile:?}");
        vec![("SHIM_REAL", softhsm()), ("SHIM_FOLDER", folder.to_owned())]
    });
}

fn alone<B: FnOnce(&Hsm)>(body: B, prepare: impl FnOnce(&Path) -> Vec<(&'static str, PathBuf)>) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = PathBuf::from(folder);
        let shim = folder.join("shim.so");
        let module = if shim.exists() { shim } else { softhsm() };
        return body(&Hsm { folder, module });
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("softhsm2.conf");
    let tokens = folder.path().join("tokens");
    std::fs::write(
        &config,
        format!("directories.tokendir = {}\n", tokens.display()),
    )
    .unwrap();
    // The path of the closure is the path of the test.
    let path = type_name_of_val(&body).trim_end_matches("::{{closure}}");
    let (_, test) = path.split_once("::").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("SOFTHSM2_CONF", &config)
        .env(FOLDER, folder.path())
        .envs(prepare(folder.path()))
        .output()
        .unwrap();
    let printed = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (printed(&output.stdout), printed(&output.stderr));
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{test}: {}\n{stdout}\n{stderr}",
        output.status
    );
}

/// The module of `SoftHSM`.
pub(crate) fn softhsm() -> PathBuf {
    prepared("softhsm/libsofthsm2.so").canonicalize().unwrap()
}

impl Hsm {
    /// Makes a token of this label with [`PIN`].
    pub(crate) fn add_token(&self, label: &str) {
        let api = self.api();
        let slot = *api.get_all_slots().unwrap().last().unwrap();
        api.init_token(slot, &pin(OFFICER_PIN), label).unwrap();
        let session = api.open_rw_session(slot).unwrap();
        session
            .login(UserType::So, Some(&pin(OFFICER_PIN)))
            .unwrap();
        session.init_pin(&pin(PIN)).unwrap();
        session.logout().unwrap();
    }

    /// The module as `cryptoki` shows it, for what the crate under test does not do.
    pub(crate) fn api(&self) -> Pkcs11 {
        let api = Pkcs11::new(&self.module).unwrap();
        // The process may have initialized it already.
        let _ = api.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        api
    }

    /// A session of the only token, logged in, that may write.
    pub(crate) fn session(&self) -> Session {
        let api = self.api();
        let slots = api.get_slots_with_initialized_token().unwrap();
        let session = api.open_rw_session(slots[0]).unwrap();
        let _ = session.login(UserType::User, Some(&pin(PIN)));
        session
    }

    /// `pkcs11:TOKEN?module-path=…`.
    pub(crate) fn uri(&self, token: &str) -> Pkcs11Uri {
        let text = format!("pkcs11:{token}?module-path={}", self.module.display());
        match text.parse().unwrap() {
            keys::KeyUri::Pkcs11(uri) => uri,
            other => panic!("{other}"),
        }
    }

    pub(crate) fn open(&self, uri: &str) -> Result<Pkcs11Key, TokenError> {
        self.open_with(uri, &Pin::right())
    }

    pub(crate) fn open_with(&self, uri: &str, pin: &Pin) -> Result<Pkcs11Key, TokenError> {
        Pkcs11Key::open(&self.uri(uri), pin, Pkcs11Options::default()).map_err(token_error)
    }

    pub(crate) fn generate(
        &self,
        uri: &str,
        key_type: TokenKeyType,
    ) -> Result<Pkcs11Key, TokenError> {
        let new = NewTokenKey {
            key_type,
            always_authenticate: false,
        };
        self.generate_as(uri, new)
    }

    pub(crate) fn generate_as(&self, uri: &str, new: NewTokenKey) -> Result<Pkcs11Key, TokenError> {
        let options = Pkcs11Options::default();
        Pkcs11Key::generate(&self.uri(uri), new, &Pin::right(), options).map_err(token_error)
    }

    /// Serial numbers of the tokens, in no order.
    pub(crate) fn serials(&self) -> Vec<String> {
        let listed = list_token_keys(&self.uri(""), None, Pkcs11Options::default()).unwrap();
        listed.into_iter().map(|keys| keys.token.serial).collect()
    }

    /// Switches a mode of the shim on.
    pub(crate) fn switch_on(&self, mode: &str, content: &str) {
        std::fs::write(self.folder.join(mode), content).unwrap();
    }

    pub(crate) fn switch_off(&self, mode: &str) {
        std::fs::remove_file(self.folder.join(mode)).unwrap();
    }

    /// How many logins the shim has seen.
    pub(crate) fn logins(&self) -> usize {
        let log = std::fs::read_to_string(self.folder.join("logins")).unwrap();
        log.lines().count()
    }
}

/// What is wrong with the token, below the name of the key.
pub(crate) fn token_error(error: KeyError) -> TokenError {
    match error {
        KeyError::Token { source, .. } => *source,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn pin(text: &str) -> AuthPin {
    AuthPin::from(text.to_owned())
}

/// A person who knows one PIN, right or wrong, and counts how often they are asked.
pub(crate) struct Pin {
    text: &'static str,
    asked: AtomicUsize,
}

impl Pin {
    pub(crate) fn right() -> Self {
        Self::of(PIN)
    }

    pub(crate) fn of(text: &'static str) -> Self {
        Self {
            text,
            asked: AtomicUsize::new(0),
        }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl PassphraseSource for Pin {
    fn passphrase(&self, key: &str) -> Result<Passphrase, PassphraseError> {
        assert!(key.starts_with("pkcs11:") && !key.contains("pin-"), "{key}");
        self.asked.fetch_add(1, Ordering::Relaxed);
        Passphrase::new(self.text.to_owned())
    }
}
