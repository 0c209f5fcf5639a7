//! Tables that fit the terminal.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, TableStyle};

/// A header, a line under it, and rows; no other lines, so that it can be cut and pasted.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction(' '));

/// How many spaces there are between columns.
const GAP: usize = 2;

/// Rows under a header. Cells are plain text.
pub(crate) struct Table {
    table: comfy_table::Table,
}

impl Table {
    /// A table of these columns, with no rows.
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(STYLE);
        table.set_header(header.into_iter().map(Into::into).collect::<Vec<String>>());
        Self { table }
    }

    /// Adds a row, with a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.table
            .add_row(cells.into_iter().collect::<Vec<String>>());
    }

    /// Puts the cells of a column, which hold numbers, below each other by their last digit.
    pub(crate) fn align_right(&mut self, column: usize) {
        if let Some(column) = self.table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }

    /// Whether it fits a width without breaking any cell.
    pub(crate) fn fits(&self, width: usize) -> bool {
        let columns = self.table.column_max_content_widths();
        let content: usize = columns.iter().copied().map(usize::from).sum();
        content + columns.len().saturating_sub(1) * GAP <= width
    }

    /// Its lines, the header first, cells broken so that they fit a width.
    pub(crate) fn lines(mut self, width: Option<usize>) -> Vec<String> {
        let last = self.table.column_count().saturating_sub(1);
        for (index, column) in self.table.column_iter_mut().enumerate() {
            // Two spaces between columns, none around the table.
            column.set_padding((0, if index == last { 0 } else { 1 }));
        }
        if let Some(width) = width {
            self.table
                .set_width(width.try_into().unwrap_or(u16::MAX))
                .set_content_arrangement(ContentArrangement::Dynamic);
        }
        let lines = self.table.lines();
        lines.map(|line| line.trim_end().to_owned()).collect()
    }
}
