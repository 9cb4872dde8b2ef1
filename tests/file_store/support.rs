//! A store in a directory of its own, and records to put there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokenwell::secret::Secret;
use tokenwell::store::{FileStore, Record, SlotKey, Store, StoredToken, UnknownMembers};

pub const SECRET: &str = "mdb_sa_sk_canary-of-the-secret-0123456789";
const NEIGHBOUR: &str = "the neighbour's token";
/// The numbers of the users to whom root can give things away.
pub const NOBODY: u32 = 65_534;

/// A store in the directory `cache` of a temporary one.
pub struct Bench {
    pub store: FileStore,
    neighbour: Option<Neighbour>,
    around: TempDir,
}

/// The record of another slot in the same directory, which nothing that happens to [`slot`] may disturb.
struct Neighbour {
    file: PathBuf,
    bytes: Vec<u8>,
}

impl Bench {
    /// Nothing is there yet, not even the directory.
    pub fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        Self { store: FileStore::open(around.path().join("cache"), false), neighbour: None, around }
    }

    /// Nothing is there yet but a neighbour, which [`Bench::files`] and [`Bench::file`] pass over.
    pub fn beside_a_neighbour() -> Self {
        let mut bench = Self::new();
        bench.store.save(&neighbour_slot(), &record(NEIGHBOUR)).unwrap();
        let file = bench.file("token");
        bench.neighbour = Some(Neighbour { bytes: fs::read(&file).unwrap(), file });
        bench
    }

    /// One record is there, `token`, and beside it a neighbour.
    pub fn with_neighbour(token: &str) -> Self {
        let bench = Self::beside_a_neighbour();
        bench.save(token);
        bench
    }

    /// The neighbour's file holds the same bytes under the same mode, they are its token, and its lock can be had.
    pub fn assert_neighbour_undisturbed(&self, at: &str) {
        let neighbour = self.neighbour.as_ref().expect("this bench was made with a neighbour");
        let bytes = fs::read(&neighbour.file).unwrap_or_else(|error| panic!("{at}: the neighbour is gone: {error}"));
        assert!(bytes == neighbour.bytes, "{at}: the neighbour's bytes are others");
        assert_eq!(mode(&neighbour.file), 0o600, "{at}: the neighbour's mode");
        assert_eq!(token_in(&self.store.load(&neighbour_slot()).unwrap()).as_deref(), Some(NEIGHBOUR), "{at}: the neighbour's token");
        assert!(self.store.lock(&neighbour_slot(), Duration::ZERO).unwrap().is_some(), "{at}: the neighbour's lock");
    }

    /// One record is there: `token`.
    pub fn with(token: &str) -> Self {
        let bench = Self::new();
        bench.save(token);
        bench
    }

    pub fn save(&self, token: &str) {
        self.store.save(&slot(), &record(token)).unwrap();
    }

    /// The token in the record of [`slot`].
    pub fn token(&self) -> Option<String> {
        token_in(&self.store.load(&slot()).unwrap())
    }

    /// What keeps `load`, `save` and `lock` from being done; each must fail.
    pub fn refusals(&self) -> [String; 3] {
        refusals(&self.store)
    }

    /// The store that looks at neither owner nor mode.
    pub fn trusting(&self) -> FileStore {
        FileStore::open(self.directory(), true)
    }

    pub fn directory(&self) -> PathBuf {
        self.around.path().join("cache")
    }

    /// A path beside the store's directory.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.around.path().join(name)
    }

    /// The one file with this extension: `token`, `lock`.
    pub fn file(&self, extension: &str) -> PathBuf {
        let mut files: Vec<_> = self.files().into_iter().filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
        assert_eq!(files.len(), 1, "one .{extension} file: {:?}", self.files());
        files.remove(0)
    }

    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = files_of(&self.directory());
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
