//! Answers as text: table, tsv, csv, json, ndjson; the same bytes from `topn` and from `fanout`.
//!
//! It computes no top and knows no terminal: the caller says how wide a table may be.

use std::borrow::Cow;
use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::partial::Totals;
use crate::settings::{CountSettings, UNICODE_VERSION};
use crate::top::Row;

/// The forms of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Format {
    /// rank, word, count, share and a bar, for people
    Table,
    /// `WORD<TAB>COUNT`, raw bytes, no header
    Tsv,
    /// header `word,count`, RFC 4180 quoting
    Csv,
    /// one object with words, totals and settings
    Json,
    /// one object a line
    Ndjson,
}

impl Format {
    /// Whether totals are part of it.
    #[must_use]
    pub fn has_totals(self) -> bool {
        matches!(self, Self::Table | Self::Json)
    }
}

/// The top of one file, or of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The path of the file as found, raw bytes; `None` for the whole.
    pub file: Option<Vec<u8>>,
    /// The top.
    pub rows: Vec<Row>,
    /// Totals before filters; looked at where the form [has them](Format::has_totals).
    pub totals: Totals,
}

/// How answers are shown and what defined them.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The form.
    pub format: Format,
    /// Whether answers name their file (`--per-file`).
    pub per_file: bool,
    /// The width of a table in columns.
    pub columns: usize,
    /// What defined the counts.
    pub settings: CountSettings,
    /// How many rows were asked for, 0 for all.
    pub top: u64,
    /// The least length of a word that is shown.
    pub min_length: u64,
    /// How many stop words were left out.
    pub stop_words: usize,
}

/// Writes `answers`, in their order, to `out`.
///
/// The bytes depend on the arguments alone. An empty answer writes what the form has without rows: nothing in `tsv` and
/// `ndjson`, the header in `csv`.
///
/// # Errors
/// What `out` returns.
pub fn render(out: &mut dyn Write, view: &View, answers: &[Answer]) -> io::Result<()> {
    match view.format {
        Format::Table => {
            for (index, answer) in answers.iter().enumerate() {
                if index > 0 {
                    writeln!(out)?;
                }
                table(out, view, answer)?;
            }
            Ok(())
        }
        Format::Tsv => answers.iter().try_for_each(|answer| tsv(out, view, answer)),
        Format::Csv => {
            writeln!(
                out,
                "{}word,count",
                if view.per_file { "file," } else { "" }
            )?;
            answers.iter().try_for_each(|answer| csv(out, view, answer))
        }
        Format::Json => json_all(out, view, answers),
        Format::Ndjson => answers
            .iter()
            .try_for_each(|answer| ndjson(out, view, answer)),
    }
}

fn file_of(answer: &Answer) -> &[u8] {
    answer.file.as_deref().unwrap_or_default()
}

fn tsv(out: &mut dyn Write, view: &View, answer: &Answer) -> io::Result<()> {
    let file = escape_tsv(file_of(answer));
    for row in &answer.rows {
        if view.per_file {
            out.write_all(&file)?;
            out.write_all(b"\t")?;
        }
        out.write_all(&row.word)?;
        writeln!(out, "\t{}", row.count)?;
    }
    Ok(())
}

/// A path for the first column: a tab, a line break and a backslash become `\t`, `\n`, `\r`, `\\`.
fn escape_tsv(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.iter().any(|byte| b"\t\n\r\\".contains(byte)) {
        return Cow::Borrowed(path);
    }
    let mut escaped = Vec::with_capacity(path.len() + 8);
    for &byte in path {
        match byte {
            b'\t' => escaped.extend_from_slice(b"\\t"),
            b'\n' => escaped.extend_from_slice(b"\\n"),
            b'\r' => escaped.extend_from_slice(b"\\r"),
            b'\\' => escaped.extend_from_slice(b"\\\\"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

fn csv(out: &mut dyn Write, view: &View, answer: &Answer) -> io::Result<()> {
    for row in &answer.rows {
        if view.per_file {
            csv_field(out, file_of(answer))?;
            out.write_all(b",")?;
        }
        csv_field(out, &row.word)?;
        writeln!(out, ",{}", row.count)?;
    }
    Ok(())
}

fn csv_field(out: &mut dyn Write, field: &[u8]) -> io::Result<()> {
    let field = String::from_utf8_lossy(field);
    if field.contains(['"', ',', '\r', '\n']) {
        write!(out, "\"{}\"", field.replace('"', "\"\""))
    } else {
        out.write_all(field.as_bytes())
    }
}

fn json_text(out: &mut dyn Write, text: &[u8]) -> io::Result<()> {
    serde_json::to_writer(out, &String::from_utf8_lossy(text)).map_err(io::Error::from)
}

fn json_file(out: &mut dyn Write, view: &View, answer: &Answer) -> io::Result<()> {
    if view.per_file {
        out.write_all(b"\"file\":")?;
        json_text(out, file_of(answer))?;
        out.write_all(b",")?;
    }
    Ok(())
}

fn ndjson(out: &mut dyn Write, view: &View, answer: &Answer) -> io::Result<()> {
    for row in &answer.rows {
        out.write_all(b"{")?;
        json_file(out, view, answer)?;
        out.write_all(b"\"word\":")?;
        json_text(out, &row.word)?;
        writeln!(out, ",\"count\":{}}}", row.count)?;
    }
    Ok(())
}

/// One object; with `--per-file` an array of objects.
fn json_all(out: &mut dyn Write, view: &View, answers: &[Answer]) -> io::Result<()> {
    if !view.per_file {
        answers
            .iter()
            .try_for_each(|answer| json(out, view, answer))?;
        return writeln!(out);
    }
    out.write_all(b"[")?;
    for (index, answer) in answers.iter().enumerate() {
        if index > 0 {
            out.write_all(b",\n")?;
        }
        json(out, view, answer)?;
    }
    writeln!(out, "]")
}

fn json(out: &mut dyn Write, view: &View, answer: &Answer) -> io::Result<()> {
    let totals = answer.totals;
    out.write_all(b"{")?;
    json_file(out, view, answer)?;
    out.write_all(b"\"words\":[")?;
    for (index, row) in answer.rows.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}\n{{\"rank\":{},\"word\":", index + 1)?;
        json_text(out, &row.word)?;
        let share = share(row.count, totals.words, 1_000_000);
        let (whole, fraction) = (share / 1_000_000, share % 1_000_000);
        write!(
            out,
            ",\"count\":{},\"share\":{whole}.{fraction:06}}}",
            row.count
        )?;
    }
    let [major, minor, patch] = UNICODE_VERSION;
    write!(
        out,
        "],\n\"total\":{},\"distinct\":{},\"bytes\":{},\"inputs\":{},\n\"settings\":{{\"words\":\"{}\",\"case\":\"{}\",\
         \"unicode\":\"{major}.{minor}.{patch}\",\"top\":{},\"min_length\":{},\"stop_words\":{}}}}}",
        totals.words,
        totals.distinct,
        totals.bytes,
        totals.inputs,
        view.settings.words,
        view.settings.case_name(),
        view.top,
        view.min_length,
        view.stop_words,
    )
}

/// `count / total` in units of `1 / unit`, rounded half up; exact for any counts.
fn share(count: u64, total: u64, unit: u64) -> u64 {
    let total = u128::from(total.max(1));
    let rounded = (2 * u128::from(count) * u128::from(unit) + total) / (2 * total);
    u64::try_from(rounded).unwrap_or(u64::MAX)
}

fn table(out: &mut dyn Write, view: &View, answer: &Answer) -> io::Result<()> {
    if view.per_file {
        let name = match &answer.file {
            Some(file) => printable(file),
            None => "all files".to_owned(),
        };
        writeln!(out, "{name}")?;
    }
    let rows = &answer.rows;
    let words: Vec<String> = rows.iter().map(|row| printable(&row.word)).collect();
    let rank_columns = digits(rows.len() as u64).max(4);
    let count_columns = rows.first().map_or(0, |row| digits(row.count)).max(5);
    // rank, word, count and share, each two columns apart.
    let fixed = rank_columns + 2 + 2 + count_columns + 2 + 7;
    let word_columns_max = view.columns.saturating_sub(fixed).max(12);
    let word_columns = words
        .iter()
        .map(|word| word.width())
        .max()
        .unwrap_or(0)
        .clamp(4, word_columns_max);
    let bar_columns = view.columns.saturating_sub(fixed + word_columns + 2);
    let bar_columns = if bar_columns < 8 {
        0
    } else {
        bar_columns.min(40)
    };
    writeln!(
        out,
        "{:>rank_columns$}  {:<word_columns$}  {:>count_columns$}    share",
        "rank", "word", "count"
    )?;
    for (index, (row, word)) in rows.iter().zip(&words).enumerate() {
        let share = share(row.count, answer.totals.words, 10_000);
        write!(
            out,
            "{:>rank_columns$}  {}  {:>count_columns$}  {:>3}.{:02}%",
            index + 1,
            fit(word, word_columns),
            row.count,
            share / 100,
            share % 100
        )?;
        let bar = bar(row.count, rows[0].count, bar_columns);
        if bar.is_empty() {
            writeln!(out)?;
        } else {
            writeln!(out, "  {bar}")?;
        }
    }
    let Totals {
        bytes,
        words,
        distinct,
        inputs,
    } = answer.totals;
    writeln!(
        out,
        "words: {words}  distinct: {distinct}  inputs: {inputs}  bytes: {bytes}"
    )
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Text that cannot steer a terminal: ill-formed bytes and control characters show as U+FFFD.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}

/// `word` in exactly `columns` columns, cut with an ellipsis if it is wider.
fn fit(word: &str, columns: usize) -> String {
    let mut fitted = String::new();
    let mut used = 0;
    if word.width() <= columns {
        fitted.push_str(word);
        used = word.width();
    } else {
        for c in word.chars() {
            let width = c.width().unwrap_or(0);
            if used + width + 1 > columns {
                break;
            }
            fitted.push(c);
            used += width;
        }
        fitted.push('…');
        used += 1;
    }
    fitted.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    fitted
}

/// A bar of `count` beside the greatest count, in eighths of a column.
fn bar(count: u64, count_max: u64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = share(count, count_max, columns as u64 * 8);
    let full = usize::try_from(eighths / 8).unwrap_or(0);
    let part = usize::try_from(eighths % 8).unwrap_or(0);
    "█".repeat(full) + EIGHTHS[part]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(format: Format, per_file: bool) -> View {
        View {
            format,
            per_file,
            columns: 60,
            settings: CountSettings::default(),
            top: 10,
            min_length: 0,
            stop_words: 0,
        }
    }

    fn answer(file: Option<&str>, rows: &[(&[u8], u64)], words: u64) -> Answer {
        Answer {
            file: file.map(|file| file.as_bytes().to_vec()),
            rows: rows
                .iter()
                .map(|&(word, count)| Row {
                    word: word.to_vec(),
                    count,
                })
                .collect(),
            totals: Totals {
                bytes: 20,
                words,
                distinct: rows.len() as u64,
                inputs: 1,
            },
        }
    }

    fn rendered(view: &View, answers: &[Answer]) -> String {
        let mut out = Vec::new();
        render(&mut out, view, answers).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn csv_quotes_what_rfc_4180_says() {
        let answers = [answer(None, &[(b"a,\"b\"", 2), (b"\xFFc", 1)], 3)];
        assert_eq!(
            rendered(&view(Format::Csv, false), &answers),
            "word,count\n\"a,\"\"b\"\"\",2\n\u{FFFD}c,1\n"
        );
    }

    #[test]
    fn tsv_has_raw_bytes_and_an_escaped_file() {
        let mut out = Vec::new();
        let answers = [answer(Some("a\tb\\"), &[(b"\xFFc", 1)], 1)];
        render(&mut out, &view(Format::Tsv, true), &answers).unwrap();
        assert_eq!(out, b"a\\tb\\\\\t\xFFc\t1\n");
    }

    #[test]
    fn json_is_one_object_with_shares_of_six_decimals() {
        let text = rendered(
            &view(Format::Json, false),
            &[answer(None, &[(b"a", 2), (b"b", 1)], 3)],
        );
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["words"][0]["share"], 0.666_667);
        assert!(text.contains("\"share\":0.333333"));
        assert_eq!(value["total"], 3);
        assert_eq!(value["settings"]["case"], "lower");
    }

    #[test]
    fn json_per_file_is_an_array_with_the_whole_last() {
        let text = rendered(
            &view(Format::Json, true),
            &[answer(Some("x"), &[(b"a", 1)], 1), answer(None, &[], 0)],
        );
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value[0]["file"], "x");
        assert_eq!(value[1]["file"], "");
    }

    #[test]
    fn a_table_keeps_its_columns_and_cannot_steer_a_terminal() {
        let text = rendered(
            &view(Format::Table, false),
            &[answer(None, &[("日本".as_bytes(), 4), (b"\x1B[2J", 2)], 6)],
        );
        assert_eq!(
            text,
            "rank  word  count    share\n   \
             1  日本      4   66.67%  ████████████████████████████████\n   \
             2  \u{FFFD}[2J      2   33.33%  ████████████████\n\
             words: 6  distinct: 2  inputs: 1  bytes: 20\n"
        );
    }

    #[test]
    fn long_words_are_cut_in_a_table_only() {
        let word = "x".repeat(500);
        let answers = [answer(None, &[(word.as_bytes(), 1)], 1)];
        let text = rendered(&view(Format::Table, false), &answers);
        assert!(text.lines().all(|line| line.width() <= 60), "{text}");
        assert!(rendered(&view(Format::Tsv, false), &answers).contains(&word));
    }
}
