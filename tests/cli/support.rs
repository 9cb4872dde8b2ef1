//! A server, a home directory and the command, for one test alone.

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, EmulatorOptions};

pub const TOKENWELL: &str = env!("CARGO_BIN_EXE_tokenwell");

/// Far more than anything here takes on a busy machine.
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

    /// The command with the emulator's account, and with nothing of the environment that the tests run in.
    pub fn tokenwell<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::from_std(self.plain(TOKENWELL));
        command.args(arguments).timeout(PATIENCE);
        command
    }

    /// As [`Scene::tokenwell`], for tests that need the process itself, and of any program.
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

    /// As [`Scene::write`], closed to others whatever the umask.
    pub fn private(&self, name: &str, content: &str) -> PathBuf {
        let path = self.write(name, content);
        private(&path);
        path
    }

    /// The file of profiles, in the folder where the command looks for it.
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

/// Closes a file or folder to others, whatever the umask.
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

/// What the emulator's tokens look like: JWTs.
pub fn is_token(text: &str) -> bool {
    text.len() > 100 && text.starts_with("eyJ") && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Looks until `found` is something. The wait is for another process, so it is in real time.
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
