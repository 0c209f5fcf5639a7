//! The files of the log.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::AuditError;
use super::mark::AuditMark;
use super::record::{LONGEST_LINE, mark};

/// How many digits the number of a file has that is complete.
const DIGITS: usize = 6;

/// Opens a file of the log for the user of the process alone: it is made where it is missing, and nobody
/// has led the way elsewhere.
pub(super) fn open(path: &Path, is_appended: bool) -> Result<File, AuditError> {
    let mut options = OpenOptions::new();
    options.read(true).create(true);
    match is_appended {
        true => options.append(true),
        false => options.write(true),
    };
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;

        // Not blocking: a pipe in its place would wait for its other end.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options
            .mode(0o600)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    let file = options.open(path).map_err(|source| {
        if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
            exposed(
                path,
                "a link",
                format!("remove it: `rm {}`", path.display()),
            )
        } else {
            AuditError::io("open", path)(source)
        }
    })?;
    check(&file, path)?;
    Ok(file)
}

/// Makes the directory of the log where it is missing.
pub(super) fn prepare(path: &Path) -> Result<(), AuditError> {
    let directory = directory(path);
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(directory)
        .map_err(AuditError::io("create", directory))
}

/// The directory that a file is in.
pub(super) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes sure that the names in the directory survive a loss of power, where that can be asked for.
pub(super) fn sync_directory(path: &Path) {
    if let Ok(directory) = File::open(directory(path)) {
        let _ = directory.sync_all();
    }
}

fn exposed(path: &Path, found: &str, remedy: String) -> AuditError {
    AuditError::Exposed {
        path: path.to_owned(),
        found: found.to_owned(),
        remedy,
    }
}

#[cfg(unix)]
fn check(file: &File, path: &Path) -> Result<(), AuditError> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata().map_err(AuditError::io("read", path))?;
    let (user, shown) = (rustix::process::geteuid().as_raw(), path.display());
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_file() {
        let remedy = format!("move it away, or set `file` of `[audit]` to another than `{shown}`");
        return Err(exposed(path, "something that is no file", remedy));
    }
    if metadata.uid() != user {
        let found = format!(
            "one of user `{}`, this process runs as `{user}`",
            metadata.uid()
        );
        return Err(exposed(path, &found, format!("`chown {user} {shown}`")));
    }
    if mode & 0o022 != 0 {
        let found = format!("mode `{mode:04o}`");
        return Err(exposed(path, &found, format!("`chmod 600 {shown}`")));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check(file: &File, path: &Path) -> Result<(), AuditError> {
    let metadata = file.metadata().map_err(AuditError::io("read", path))?;
    if metadata.is_file() {
        return Ok(());
    }
    let remedy = "move it away, or set `file` of `[audit]` to another".to_owned();
    Err(exposed(path, "something that is no file", remedy))
}

/// Writes at the end of a file, which is known, as much as is taken at once. The system need not look after
/// a place in the file for it, nor lock that.
#[cfg(unix)]
pub(super) fn append(file: &File, bytes: &[u8], end: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, end)
}

#[cfg(not(unix))]
pub(super) fn append(mut file: &File, bytes: &[u8], _end: u64) -> io::Result<usize> {
    io::Write::write(&mut file, bytes)
}

/// Whether an open file is still what its path leads to.
#[cfg(unix)]
pub(super) fn is_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let there = fs::symlink_metadata(path).and_then(|there| Ok((there, file.metadata()?)));
    there.is_ok_and(|(there, own)| there.ino() == own.ino() && there.dev() == own.dev())
}

#[cfg(not(unix))]
pub(super) fn is_there(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// A path beside the log, with this after its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// The files that are complete, in their order, each with its number.
pub(super) fn segments(path: &Path) -> Result<Vec<(u64, PathBuf)>, AuditError> {
    let directory = directory(path);
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(AuditError::io("read", directory)(error)),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry.map_err(AuditError::io("read", directory))?;
        let found = entry.file_name();
        let digits = found
            .as_encoded_bytes()
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(b"."))
            .filter(|rest| rest.len() >= DIGITS && rest.iter().all(u8::is_ascii_digit));
        let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        if let Some(number) = number {
            segments.push((number, entry.path()));
        }
    }
    segments.sort();
    Ok(segments)
}

/// The path of the file that is completed with this number.
pub(super) fn segment(path: &Path, number: u64) -> PathBuf {
    beside(path, &format!("{number:0DIGITS$}"))
}

/// How a file ends.
#[derive(Debug)]
pub(super) struct Tail {
    /// The last whole record, where there is any line.
    pub(super) last: Option<AuditMark>,
    /// How long it is with nothing but whole lines.
    pub(super) whole: u64,
    /// How many bytes are behind those.
    pub(super) rest: u64,
}

impl Tail {
    /// Looks at the end of a file.
    pub(super) fn of(file: &File, path: &Path) -> Result<Self, AuditError> {
        let read = |source| AuditError::io("read", path)(source);
        let length = file.metadata().map_err(read)?.len();
        let mut end = Vec::new();
        // A whole line, what is incomplete behind it, and the end of the line before.
        let start = length.saturating_sub(2 * LONGEST_LINE as u64 + 1);
        let mut source = file;
        source.seek(SeekFrom::Start(start)).map_err(read)?;
        source
            .take(length - start)
            .read_to_end(&mut end)
            .map_err(read)?;
        let Some(newline) = end.iter().rposition(|byte| *byte == b'\n') else {
            if start > 0 {
                return Err(foreign(path, "a line that is too long"));
            }
            return Ok(Self {
                last: None,
                whole: 0,
                rest: length,
            });
        };
        let (lines, rest) = (&end[..newline], end.len() - newline - 1);
        let begin = lines.iter().rposition(|byte| *byte == b'\n');
        let line = &lines[begin.map_or(0, |at| at + 1)..];
        let Some(last) = mark(line) else {
            let shown: String = String::from_utf8_lossy(line).chars().take(60).collect();
            return Err(foreign(
                path,
                &format!("`{}` as its last line", shown.escape_debug()),
            ));
        };
        let rest = rest as u64;
        Ok(Self {
            last: Some(last),
            whole: length - rest,
            rest,
        })
    }
}

fn foreign(path: &Path, found: &str) -> AuditError {
    AuditError::Foreign {
        path: path.to_owned(),
        found: found.to_owned(),
        expected: "a record of an audit log".to_owned(),
    }
}
