//! The files of a sink and their formats.

use super::file::SinkFile;
use super::template::Template;
use crate::env;
use crate::failure::Failure;
use crate::form::{Form, json};
use crate::wiped::Wiped;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tokenwell::error::{duration_text, printable, printable_path};
use tokenwell::{Status, Token};

/// The name of standard output.
pub(super) const STANDARD_OUTPUT: &str = "-";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SinkFormat {
    /// The token without a newline
    #[value(alias = "token")]
    Raw,
    /// A header line, for curl --header @FILE
    Header,
    /// A line for curl --config
    Curl,
    /// A JSON object: access_token, token_type, expires_at
    Json,
    /// MONGODB_ATLAS_ACCESS_TOKEN=…, for dotenv libraries and docker --env-file
    Dotenv,
}

/// What a file contains.
pub(super) enum Content {
    Format(SinkFormat),
    Template(Template),
}

impl Content {
    pub(super) fn of(&self, token: &Token) -> Result<Wiped, Failure> {
        let form = match self {
            Self::Template(template) => return Ok(template.fill(token)),
            Self::Format(SinkFormat::Raw) => return Ok(Form::Raw.of(token)),
            Self::Format(SinkFormat::Header) => Form::Header.of(token),
            Self::Format(SinkFormat::Curl) => Form::Curl.of(token),
            // No expires_in: it would be wrong one second later.
            Self::Format(SinkFormat::Json) => json(token, None),
            Self::Format(SinkFormat::Dotenv) => env::dotenv(token.value())?,
        };
        let mut lines = form;
        lines.push("\n");
        Ok(lines)
    }
}

/// The value of `--output` or `--template`, before the file is checked.
pub(super) struct Target {
    pub(super) content: Content,
    pub(super) path: PathBuf,
}

/// Parses `FORMAT=FILE`.
pub(super) fn format_and_file(value: &str) -> Result<(SinkFormat, PathBuf), String> {
    let (format, path) =
        value.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or("expected FORMAT=FILE, such as json=token.json")?;
    let format = SinkFormat::from_str(format, false).map_err(|_| {
        let names: Vec<_> =
            SinkFormat::value_variants().iter().filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned())).collect();
        format!("`{}` is not a format: {}", printable(format, 40), names.join(", "))
    })?;
    Ok((format, path.into()))
}

/// Parses `TEMPLATE=FILE`.
pub(super) fn template_and_file(value: &str) -> Result<(PathBuf, PathBuf), String> {
    let found = value.split_once('=').filter(|(template, path)| !template.is_empty() && !path.is_empty());
    found
        .map(|(template, path)| (template.into(), path.into()))
        .ok_or_else(|| "expected TEMPLATE=FILE, such as app.tmpl=app.conf".to_owned())
}

/// The path by which two names of one file are recognized. The file need not exist.
fn real_path(path: &Path) -> PathBuf {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = || Some(directory.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(file).unwrap_or_else(|| path.to_owned())
}

/// The files that are kept up to date, with the token that they contain or get next.
pub(super) struct Outputs {
    files: Vec<Output>,
    token: Option<Token>,
}

struct Output {
    content: Content,
    file: SinkFile,
    /// Whether the file contains the token of the outputs.
    is_current: bool,
    /// When the token in the file expires. If another file cannot be written, it is another token than
    /// the one in that file.
    expires_at: Option<SystemTime>,
}

impl Outputs {
    /// Checks that each target can be written, before a token is requested.
    /// `others` are the files that are read or written besides.
    pub(super) fn of(targets: Vec<Target>, others: &[PathBuf], mode: u32) -> Result<Self, Failure> {
        let mut taken: Vec<_> = others.iter().map(|path| real_path(path)).collect();
        let mut files: Vec<Output> = Vec::new();
        for Target { content, path } in targets {
            if path == Path::new(STANDARD_OUTPUT) {
                let hint = "Add --once, or pass the name of a file. A file with the name - is ./-.";
                return Err(Failure::new(Status::InvalidArgument, "standard output cannot be kept up to date", hint));
            }
            let real = real_path(&path);
            if taken.contains(&real) {
                let problem = format!("the file {} is used twice", printable_path(&path));
                return Err(Failure::new(Status::InvalidArgument, problem, "Use another file for each output, template and --metrics."));
            }
            taken.push(real);
            files.push(Output { content, file: SinkFile::at(&path, mode)?, is_current: false, expires_at: None });
        }
        files.iter().try_for_each(|output| output.file.check_writable())?;
        Ok(Self { files, token: None })
    }

    /// Writes `token` to each file that does not contain it. Returns whether one was written, and the
    /// first failure. If one cannot be written, the others are, and the next call writes the rest.
    pub(super) fn write(&mut self, token: &Token) -> (bool, Result<(), Failure>) {
        let is_same = |known: &Token| known.value() == token.value() && known.expires_at() == token.expires_at();
        if !self.token.as_ref().is_some_and(is_same) {
            self.files.iter_mut().for_each(|output| output.is_current = false);
            self.token = Some(token.clone());
        }
        let (mut wrote, mut failure) = (false, None);
        for output in self.files.iter_mut().filter(|output| !output.is_current) {
            match output.content.of(token).and_then(|content| output.file.replace(content.as_bytes())) {
                Ok(()) => (output.is_current, output.expires_at, wrote) = (true, Some(token.expires_at()), true),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        (wrote, failure.map_or(Ok(()), Err))
    }

    /// Removes the files that are still those that were written last. Returns whether one was.
    pub(super) fn remove(&mut self) -> Result<bool, Failure> {
        self.remove_if(|_| true)
    }

    /// Like [`Outputs::remove`], but only files whose token has expired.
    pub(super) fn remove_expired(&mut self, now: SystemTime) -> Result<bool, Failure> {
        self.remove_if(|output| output.expires_at.is_some_and(|expires_at| expires_at <= now))
    }

    fn remove_if(&mut self, condition: impl Fn(&Output) -> bool) -> Result<bool, Failure> {
        let (mut removed, mut failure) = (false, None);
        for output in self.files.iter_mut().filter(|output| condition(output)) {
            output.is_current = false;
            match output.file.remove_if_unchanged() {
                Ok(one) => removed |= one,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(removed), Err)
    }

    /// The names of the files.
    pub(super) fn names(&self) -> String {
        self.files.iter().map(|output| printable_path(output.file.path())).collect::<Vec<_>>().join(", ")
    }

    /// What the files contain while no token is available: `written` is the last token in all of them.
    pub(super) fn state(&self, written: Option<&Token>, now: SystemTime) -> String {
        let names = self.names();
        let Some(token) = written else {
            let exist = self.files.iter().any(|output| output.file.exists());
            return if exist { format!("{names} may contain an old token") } else { format!("{names} does not exist yet") };
        };
        match (token.expires_at().duration_since(now), now.duration_since(token.expires_at())) {
            (Ok(left), _) if !left.is_zero() => format!("the token in {names} expires in {}", duration_text(left)),
            (_, since) => format!("the token in {names} ended {} ago", duration_text(since.unwrap_or_default())),
        }
    }
}
