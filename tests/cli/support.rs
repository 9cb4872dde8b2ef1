//! A server, a home directory and the command for one test.

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;
use tempfile::TempDir;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, EmulatorOptions};

/// The command under test. `make rows` sets the variable to the command of another build.
pub fn command_path() -> &'static str {
    static PATH: LazyLock<String> =
        LazyLock::new(|| std::env::var("TOKENWELL_COMMAND").unwrap_or_else(|_| env!("CARGO_BIN_EXE_tokenwell").to_owned()));
    &PATH
}

/// The timeout of each wait, far longer than any wait takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct Scene {
    pub emulator: Emulator,
    home: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        Self::with(EmulatorOptions::default())
    }

    pub fn with(options: EmulatorOptions) -> Self {
        let emulator = Emulator::start(EmulatorOptions { rate_limit: None, ..options }).unwrap();
        Self { emulator, home: tempfile::tempdir().unwrap() }
    }

    /// The command with the emulator's account and without the environment of the test run.
    pub fn tokenwell<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::from_std(self.plain(command_path()));
        command.args(arguments).timeout(PATIENCE);
        command
    }

    /// Like [`Scene::tokenwell`], for any program and as a plain process.
    pub fn plain(&self, program: &str) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        command.env_clear().current_dir(self.home.path());
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        command
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Like [`Scene::write`], but private regardless of the umask.
    pub fn private(&self, name: &str, content: &str) -> PathBuf {
        let path = self.write(name, content);
        private(&path);
        path
    }

    /// Writes the profile file in the directory where the command reads it.
    pub fn write_profile(&self, profiles: &str) -> PathBuf {
        std::fs::create_dir_all(self.path("config/tokenwell")).unwrap();
        private(&self.path("config/tokenwell"));
        self.private("config/tokenwell/config.toml", profiles)
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let below = |name: &str| text(&self.path(name)).to_owned();
        let mut variables = vec![
            ("HOME", text(self.home.path()).to_owned()),
            ("XDG_CACHE_HOME", below("cache")),
            ("XDG_CONFIG_HOME", below("config")),
            ("XDG_RUNTIME_DIR", below("runtime")),
            ("MONGODB_ATLAS_BASE_URL", self.emulator.base_url().to_owned()),
            ("MONGODB_ATLAS_CLIENT_ID", DEFAULT_CLIENT_ID.to_owned()),
            ("MONGODB_ATLAS_CLIENT_SECRET", DEFAULT_CLIENT_SECRET.to_owned()),
        ];
        variables.extend(["PATH", "SystemRoot"].into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?))));
        variables
    }
}

/// Makes a file or directory private, regardless of the umask.
fn private(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

pub fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

pub fn json(assert: &Assert) -> Value {
    let text = stdout(assert);
    assert!(text.ends_with('\n') && text.lines().count() == 1, "one line: {text}");
    serde_json::from_str(&text).unwrap()
}

/// Whether `text` looks like a token of the emulator, which is a JWT.
pub fn is_token(text: &str) -> bool {
    text.len() > 100 && text.starts_with("eyJ") && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Polls `found` until it returns a value. It waits for another process, so it uses real time.
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "timeout while waiting for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
