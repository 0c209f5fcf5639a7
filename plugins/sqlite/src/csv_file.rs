//! A CSV file that can be read twice: once to find out its types, once to take its rows.

use std::fs::File;
use std::path::{Path, PathBuf};

use csv::{ErrorKind as CsvError, Position, Reader, ReaderBuilder, StringRecord};
use floe_plugin_api::{CallContext, Error, ErrorKind, Result, data};

/// How many rows lie between two reports of progress.
const ROWS_BETWEEN_REPORTS: u64 = 1_000;

/// Up to here, on both sides of zero, every integer is a float too.
const EXACT: i64 = 1 << f64::MANTISSA_DIGITS;

/// Whether a float holds the integer, as it does all smaller ones.
pub(crate) fn is_exact_float(value: i64) -> bool {
    (-EXACT..=EXACT).contains(&value)
}

/// The type of a column.
#[data]
#[derive(Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ColumnType {
    /// 64-bit integers.
    Integer,
    /// 64-bit floats.
    Real,
    /// Texts, as they stand in the file.
    Text,
}

impl ColumnType {
    pub(crate) const fn as_sql(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
        }
    }
}

/// What a field is when it is read by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Field<'a> {
    Empty,
    Integer(i64),
    Real(f64),
    Text(&'a str),
}

impl<'a> Field<'a> {
    /// Reads a field. A number is what SQLite would write back in a form that means the same: `007`,
    /// `+1`, `1e5` and an integer that does not fit 64 bits are texts.
    pub(crate) fn read(text: &'a str) -> Self {
        if text.is_empty() {
            return Self::Empty;
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let padded = whole.len() > 1 && whole.starts_with('0');
        if !all_digits(whole) || padded {
            return Self::Text(text);
        }
        match fraction {
            None if text != "-0" => text.parse().map_or(Self::Text(text), Self::Integer),
            Some(fraction) if all_digits(fraction.split(['e', 'E']).next().unwrap_or("")) => {
                match text.parse::<f64>() {
                    Ok(value) if value.is_finite() => Self::Real(value),
                    _ => Self::Text(text),
                }
            }
            _ => Self::Text(text),
        }
    }
}

/// What the fields of a column have in common.
#[derive(Clone, Copy, Default)]
struct Seen {
    integer: bool,
    /// An integer that no float is.
    wide: bool,
    real: bool,
    text: bool,
}

impl Seen {
    fn add(&mut self, field: Field<'_>) {
        match field {
            Field::Empty => {}
            Field::Integer(value) => {
                self.integer = true;
                self.wide |= !is_exact_float(value);
            }
            Field::Real(_) => self.real = true,
            Field::Text(_) => self.text = true,
        }
    }

    const fn column_type(self) -> ColumnType {
        match self {
            Self { text: true, .. }
            | Self {
                wide: true,
                real: true,
                ..
            } => ColumnType::Text,
            Self { real: true, .. } => ColumnType::Real,
            Self { integer: true, .. } => ColumnType::Integer,
            _ => ColumnType::Text,
        }
    }
}

/// A CSV file.
pub(crate) struct CsvFile {
    path: PathBuf,
    bytes: u64,
    has_header: bool,
    delimiter: u8,
    columns: Vec<String>,
}

impl CsvFile {
    /// Opens a file and reads the names of its columns.
    pub(crate) fn open(path: &Path, has_header: bool, delimiter: u8) -> Result<Self> {
        let shown = path.display();
        // Before it is opened: what is no file, such as a pipe, could keep the call for ever.
        let metadata = std::fs::metadata(path)
            .map_err(|error| unreadable(error).context(format!("cannot read `{shown}`")))?;
        if !metadata.is_file() {
            return Err(invalid(format!("`{shown}` is not a file")));
        }
        let mut file = Self {
            path: path.to_owned(),
            bytes: metadata.len(),
            has_header,
            delimiter,
            columns: Vec::new(),
        };
        let mut reader = file.reader()?;
        let mut first = StringRecord::new();
        let found = reader
            .read_record(&mut first)
            .map_err(|error| file.failed(error))?;
        if !found {
            return Err(invalid(format!("`{shown}` is empty")));
        }
        let line = first.position().map_or(1, Position::line);
        file.columns = if has_header {
            names(&first, line).map_err(|error| error.context(format!("cannot use `{shown}`")))?
        } else {
            (1..=first.len())
                .map(|number| format!("column_{number}"))
                .collect()
        };
        Ok(file)
    }

    /// The names of the columns.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Reads the whole file for the types of its columns.
    pub(crate) fn types(&self, call: &CallContext<'_>) -> Result<Vec<ColumnType>> {
        let mut seen = vec![Seen::default(); self.columns.len()];
        self.each(call, (0.0, 0.4), |_line, record| {
            for (seen, field) in seen.iter_mut().zip(record) {
                seen.add(Field::read(field));
            }
            Ok(())
        })?;
        Ok(seen.into_iter().map(Seen::column_type).collect())
    }

    /// Hands each row and the line that it begins at to `take`; tells the caller of the progress, which
    /// goes from the one fraction to the other. Gives the number of rows.
    pub(crate) fn each(
        &self,
        call: &CallContext<'_>,
        (from, to): (f64, f64),
        mut take: impl FnMut(u64, &StringRecord) -> Result<()>,
    ) -> Result<u64> {
        let mut reader = self.reader()?;
        let mut record = StringRecord::new();
        if self.has_header {
            reader
                .read_record(&mut record)
                .map_err(|error| self.failed(error))?;
        }
        let mut rows = 0_u64;
        while reader
            .read_record(&mut record)
            .map_err(|error| self.failed(error))?
        {
            if rows.is_multiple_of(ROWS_BETWEEN_REPORTS) {
                #[expect(clippy::cast_precision_loss, reason = "a fraction for people to read")]
                let done = reader.position().byte() as f64 / self.bytes.max(1) as f64;
                call.progress(from + done.min(1.0) * (to - from), "rows are read");
                call.checkpoint()?;
            }
            let line = record.position().map_or(0, Position::line);
            if record.len() != self.columns.len() {
                return Err(self.ragged(line, record.len()));
            }
            take(line, &record)?;
            rows += 1;
        }
        Ok(rows)
    }

    fn reader(&self) -> Result<Reader<File>> {
        let file = File::open(&self.path).map_err(|error| {
            unreadable(error).context(format!("cannot read `{}`", self.path.display()))
        })?;
        // Lengths are compared here, where both can be told.
        Ok(ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .from_reader(file))
    }

    fn ragged(&self, line: u64, found: usize) -> Error {
        invalid(format!(
            "line `{line}` of `{}` has `{found}` fields, expected `{}`",
            self.path.display(),
            self.columns.len()
        ))
        .with_detail("line", line)
    }

    fn failed(&self, error: csv::Error) -> Error {
        let shown = self.path.display();
        if let CsvError::Utf8 { pos, err } = error.kind() {
            let line = pos.as_ref().map_or(0, Position::line);
            return invalid(format!("line `{line}` of `{shown}` is not utf-8: {err}"))
                .with_detail("line", line);
        }
        Error::from(error).context(format!("cannot read `{shown}`"))
    }
}

fn names(header: &StringRecord, line: u64) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (index, name) in header.iter().enumerate() {
        let name = name.trim();
        let refused = |what: &str| {
            let place = format!("column `{}` in line `{line}`", index + 1);
            Err(invalid(format!("{place} {what}")).with_detail("line", line))
        };
        if name.is_empty() {
            return refused("has no name");
        }
        if name.contains('\0') {
            return refused("has a name with a nul in it");
        }
        // SQLite does not tell names apart by the case of ASCII letters.
        if names
            .iter()
            .any(|earlier| earlier.eq_ignore_ascii_case(name))
        {
            return refused(&format!("is named `{name}`, as one before it"));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn unreadable(error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound
        | std::io::ErrorKind::PermissionDenied
        | std::io::ErrorKind::IsADirectory
        | std::io::ErrorKind::NotADirectory => ErrorKind::ValidationFailed,
        _ => ErrorKind::ExecutionError,
    };
    Error::from(error).with_kind(kind)
}

pub(crate) fn invalid(message: String) -> Error {
    Error::new(ErrorKind::ValidationFailed, message)
}
