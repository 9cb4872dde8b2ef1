//! The width of the terminal, prose that is wrapped to it, and tables that remain tables at 80
//! columns.

use crate::style::{Style, paint};
use std::io::{self, IsTerminal as _};

/// The width if the output is not a terminal.
const DEFAULT_WIDTH: usize = 80;
/// Longer lines of prose are hard to read.
const MOST_COLUMNS: usize = 120;
/// In less space, wrapped cells are harder to read than long lines.
const LEAST_COLUMNS: usize = 24;

/// The two outputs of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl Stream {
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Self::Out => io::stdout().is_terminal(),
            Self::Err => io::stderr().is_terminal(),
        }
    }

    /// The width of this stream: `COLUMNS`, or that of the terminal, or 80.
    pub(crate) fn width(self) -> usize {
        self.own_width().unwrap_or(DEFAULT_WIDTH).clamp(LEAST_COLUMNS, MOST_COLUMNS)
    }

    /// The width if a person reads the lines there: `None` for a pipe or a file, whose lines are
    /// searched by other programs. `COLUMNS` asks for a width in any case.
    fn own_width(self) -> Option<usize> {
        let columns = std::env::var("COLUMNS").ok().and_then(|value| value.parse().ok()).filter(|columns| *columns > 0);
        columns.or_else(|| self.terminal_width())
    }

    #[cfg(unix)]
    fn terminal_width(self) -> Option<usize> {
        let size = match self {
            Self::Out => terminal_size::terminal_size_of(io::stdout()),
            Self::Err => terminal_size::terminal_size_of(io::stderr()),
        };
        // A terminal without a size, as in some containers, reports 0.
        size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
    }

    #[cfg(not(unix))]
    fn terminal_width(self) -> Option<usize> {
        let size = self.is_terminal().then(terminal_size::terminal_size).flatten();
        size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
    }
}

/// Wraps one paragraph to `width`. The first line begins after `column` columns that the caller has
/// written; the others are indented by `indent`. Words longer than a line and code in backquotes
/// are never broken, so that they can be copied.
pub(crate) fn wrap(prose: &str, width: usize, column: usize, indent: usize) -> String {
    let mut wrapped = String::with_capacity(prose.len() + 16);
    let mut used = column;
    let mut is_first = true;
    for word in words(prose) {
        let length = word.chars().count();
        if is_first {
            is_first = false;
        } else if used + 1 + length > width {
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        } else {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += length;
    }
    wrapped
}

/// The words of `prose`. A command in backquotes is one word, with the punctuation that follows it.
fn words(prose: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    let is_closed = prose.matches('`').count().is_multiple_of(2);
    let separators = move |character: char| {
        in_code ^= character == '`' && is_closed;
        character == ' ' && !in_code
    };
    prose.split(separators).filter(|word| !word.is_empty())
}

/// Wraps an error or a note to `width`: each line by itself, and continued below its first word. A
/// line that is indented by four or more is an entry of a list.
pub(crate) fn wrap_message(message: &str, width: usize) -> String {
    let line = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        let hanging = if line.starts_with("  hint: ") { 8 } else { indent + 2 };
        format!("{}{}", &line[..indent], wrap(line, width, indent, hanging))
    };
    message.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// One cell of a [`Table`].
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    content: String,
    style: Option<Style>,
}

impl Cell {
    pub(crate) fn styled(style: Style, content: impl Into<String>) -> Self {
        Self { content: content.into(), style: Some(style) }
    }

    fn width(&self) -> usize {
        self.content.chars().count()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(content: T) -> Self {
        Self { content: content.into(), style: None }
    }
}

/// A table with aligned columns, and explanations below it. Keep the cells short, and put what a
/// cell cannot say in 40 characters into an explanation.
///
/// The last column is wrapped on a terminal only: in a file or pipe each row is one line, which
/// grep finds.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
    explanations: Vec<(Cell, Vec<String>)>,
}

impl Table {
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds an explanation below the table: `label` on a line, then each paragraph, wrapped. A
    /// paragraph that begins with two spaces is an entry of a list or a command.
    pub(crate) fn explain(&mut self, label: impl Into<Cell>, paragraphs: impl IntoIterator<Item = String>) {
        self.explanations.push((label.into(), paragraphs.into_iter().collect()));
    }

    /// The table without a final newline.
    pub(crate) fn render(&self, stream: Stream) -> String {
        self.render_to(stream, stream.width(), stream.own_width().is_some())
    }

    fn render_to(&self, stream: Stream, width: usize, wraps_cells: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        // The last column is not padded, so its width does not matter.
        let column_width = |column: usize| self.rows.iter().filter(|row| column + 1 < row.len()).map(|row| row[column].width()).max();
        let widths: Vec<_> = (0..columns).map(|column| column_width(column).unwrap_or(0)).collect();

        let mut lines: Vec<String> = self.rows.iter().map(|row| row_line(row, &widths, stream, width, wraps_cells)).collect();
        for (label, paragraphs) in &self.explanations {
            lines.push(String::new());
            lines.push(painted(stream, label, &label.content));
            lines.extend(paragraphs.iter().map(|paragraph| {
                let indent = paragraph.len() - paragraph.trim_start().len();
                format!("{:1$}{2}", "", 2 + indent, wrap(paragraph, width, 2 + indent, 2 + indent + if indent > 0 { 2 } else { 0 }))
            }));
        }
        lines.join("\n")
    }
}

fn row_line(row: &[Cell], widths: &[usize], stream: Stream, width: usize, wraps_cells: bool) -> String {
    let mut line = String::new();
    let mut column = 0;
    for (index, cell) in row.iter().enumerate() {
        if index + 1 < row.len() {
            let padding = (widths[index] - cell.width()) + 2;
            line.push_str(&painted(stream, cell, &cell.content));
            line.extend(std::iter::repeat_n(' ', padding));
            column += widths[index] + 2;
        } else if wraps_cells && column + LEAST_COLUMNS <= width {
            line.push_str(&painted(stream, cell, &wrap(&cell.content, width, column, column)));
        } else {
            line.push_str(&painted(stream, cell, &cell.content));
        }
    }
    line.trim_end().to_owned()
}

fn painted(stream: Stream, cell: &Cell, content: &str) -> String {
    let Some(style) = cell.style else { return content.to_owned() };
    content.split('\n').map(|line| paint(stream, style, line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_wrapped_between_words_and_commands_are_not() {
        assert_eq!(wrap("one two three four", 9, 0, 2), "one two\n  three\n  four");
        assert_eq!(
            wrap("run `tokenwell cache clear --older-than 30d`, then wait", 20, 4, 4),
            "run\n    `tokenwell cache clear --older-than 30d`,\n    then wait"
        );
        assert_eq!(wrap("see /a/very/long/path/of/a/file for it", 12, 0, 0), "see\n/a/very/long/path/of/a/file\nfor it");
        assert_eq!(wrap("a lone ` does not join the rest of it", 12, 0, 0), "a lone `\ndoes not\njoin the\nrest of it");
    }

    #[test]
    fn each_line_of_a_message_is_continued_below_its_words() {
        let message = "tokenwell: the first part of it; checked:\n    options (not set)\n  hint: Set the variable or log in.";

        assert_eq!(
            wrap_message(message, 24),
            "tokenwell: the first\n  part of it; checked:\n    options (not set)\n  hint: Set the variable\n        or log in."
        );
        assert_eq!(wrap_message(message, 120), message);
    }

    #[test]
    fn a_table_has_short_cells_and_its_explanations_below() {
        let mut table = Table::default();
        table.row(["ok".into(), "settings".into(), "from the environment".into()]);
        table.row(["fail".into(), "connect".into(), "the server at 192.0.2.1 refuses connections".into()]);
        table.explain("connect", ["Open port 443 to this server, or set a proxy with HTTPS_PROXY.".into(), "  10.0.0.1: refused".into()]);

        let lines = |width, wraps| table.render_to(Stream::Out, width, wraps).lines().map(str::to_owned).collect::<Vec<_>>();

        assert_eq!(
            lines(48, true),
            [
                "ok    settings  from the environment",
                "fail  connect   the server at 192.0.2.1 refuses",
                "                connections",
                "",
                "connect",
                "  Open port 443 to this server, or set a proxy",
                "  with HTTPS_PROXY.",
                "    10.0.0.1: refused",
            ]
        );
        assert_eq!(lines(48, false)[1], "fail  connect   the server at 192.0.2.1 refuses connections");
        assert!(lines(30, true).iter().all(|line| !line.contains("connect   the\n")), "a narrow column is not wrapped");
    }
}
