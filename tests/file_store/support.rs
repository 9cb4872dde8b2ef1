//! A store in a temporary directory, and records to save there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokenwell::secret::Secret;
use tokenwell::store::{FileStore, Record, SlotKey, Store, StoredToken, UnknownMembers};

pub const SECRET: &str = "mdb_sa_sk_canary-of-the-secret-0123456789";
const NEIGHBOUR: &str = "the neighbour's token";
/// The id of the user to whom root can transfer files.
pub const NOBODY: u32 = 65_534;

/// A store in the directory `cache` of a temporary directory.
pub struct Bench {
    pub store: FileStore,
    neighbour: Option<Neighbour>,
    around: TempDir,
}

/// The record of another slot in the same directory. No operation on [`slot`] may disturb it.
struct Neighbour {
    file: PathBuf,
    bytes: Vec<u8>,
}

impl Bench {
    /// Creates an empty bench: not even the store's directory exists.
    pub fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        Self { store: FileStore::open(around.path().join("cache"), false), neighbour: None, around }
    }

    /// Creates a bench that contains only a neighbour, which [`Bench::files`] and [`Bench::file`]
    /// skip.
    pub fn beside_a_neighbour() -> Self {
        let mut bench = Self::new();
        bench.store.save(&neighbour_slot(), &record(NEIGHBOUR)).unwrap();
        let file = bench.file("token");
        bench.neighbour = Some(Neighbour { bytes: fs::read(&file).unwrap(), file });
        bench
    }

    /// Creates a bench with one record, `token`, and a neighbour.
    pub fn with_neighbour(token: &str) -> Self {
        let bench = Self::beside_a_neighbour();
        bench.save(token);
        bench
    }

    /// Asserts that the neighbour's file has the same bytes and mode, that its token is loaded, and
    /// that its lock is free.
    pub fn assert_neighbour_undisturbed(&self, at: &str) {
        let neighbour = self.neighbour.as_ref().expect("this bench was created with a neighbour");
        let bytes = fs::read(&neighbour.file).unwrap_or_else(|error| panic!("{at}: the neighbour was removed: {error}"));
        assert!(bytes == neighbour.bytes, "{at}: the neighbour's bytes have changed");
        assert_eq!(mode(&neighbour.file), 0o600, "{at}: the neighbour's mode");
        assert_eq!(token_in(&self.store.load(&neighbour_slot()).unwrap()).as_deref(), Some(NEIGHBOUR), "{at}: the neighbour's token");
        assert!(self.store.lock(&neighbour_slot(), Duration::ZERO).unwrap().is_some(), "{at}: the neighbour's lock");
    }

    /// Creates a bench with one record, `token`.
    pub fn with(token: &str) -> Self {
        let bench = Self::new();
        bench.save(token);
        bench
    }

    pub fn save(&self, token: &str) {
        self.store.save(&slot(), &record(token)).unwrap();
    }

    /// Returns the token in the record of [`slot`].
    pub fn token(&self) -> Option<String> {
        token_in(&self.store.load(&slot()).unwrap())
    }

    /// Returns the errors of `load`, `save` and `lock`, all of which must fail.
    pub fn refusals(&self) -> [String; 3] {
        refusals(&self.store)
    }

    /// Returns a store that checks neither owner nor mode.
    pub fn trusting(&self) -> FileStore {
        FileStore::open(self.directory(), true)
    }

    pub fn directory(&self) -> PathBuf {
        self.around.path().join("cache")
    }

    /// Returns a path next to the store's directory.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.around.path().join(name)
    }

    /// Returns the only file with this extension: `token` or `lock`.
    pub fn file(&self, extension: &str) -> PathBuf {
        let mut files: Vec<_> = self.files().into_iter().filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
        assert_eq!(files.len(), 1, "one .{extension} file: {:?}", self.files());
        files.remove(0)
    }

    /// Returns the files of the slot, without the stamp of the last step of the cleanup.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = files_of(&self.directory());
        files.retain(|path| path.file_name().is_some_and(|name| name != "housekeeping"));
        if let Some(neighbour) = &self.neighbour {
            files.retain(|path| path.file_stem() != neighbour.file.file_stem());
        }
        files
    }
}

pub fn refusals(store: &FileStore) -> [String; 3] {
    [
        store.load(&slot()).expect_err("load must fail").to_string(),
        store.save(&slot(), &record("another")).expect_err("save must fail").to_string(),
        store.lock(&slot(), Duration::ZERO).expect_err("lock must fail").to_string(),
    ]
}

pub fn files_of(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

pub fn slot() -> SlotKey {
    SlotKey {
        identity: vec![
            ("token_endpoint", "https://cloud.mongodb.com/api/oauth/token".into()),
            ("client_id", "mdb_sa_id_0123456789abcdef01234567".into()),
            ("auth_method", "client_secret_basic_raw".into()),
            ("scope", String::new()),
            ("audience", String::new()),
            ("resource", String::new()),
        ],
        secret: Secret::from(SECRET),
    }
}

fn neighbour_slot() -> SlotKey {
    SlotKey { secret: Secret::from("the neighbour's"), ..slot() }
}

pub fn record(token: &str) -> Record {
    let token = StoredToken {
        value: Secret::from(token),
        scope: Some("read write".into()),
        obtained_at_ms: 1_800_000_000_000,
        expires_at_ms: 1_800_003_600_000,
        refresh_at_ms: 1_800_003_000_000,
        unknown: UnknownMembers::default(),
    };
    Record::default().with_new_token(token)
}

pub fn token_in(record: &Record) -> Option<String> {
    record.token.as_ref().map(|token| token.value.expose().to_owned())
}

pub fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
