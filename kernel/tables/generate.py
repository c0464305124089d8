#!/usr/bin/env python3
"""Owns the way from `properties.txt` to the Rust tables that the segmenter and the lower-casing look things up in.

Does not read the Unicode database: `extract.mjs` did that. The unit tests of the tables read `properties.txt` again,
their own way, and compare every scalar value.

    python3 kernel/tables/generate.py            writes kernel/src/words/property/generated.rs
    python3 kernel/tables/generate.py --check    exits with 1 if that file is not current
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE / "properties.txt"
TARGET = HERE.parent / "src" / "words" / "property" / "generated.rs"
BLOCK = 64  # code points a block: what the last byte of a UTF-8 sequence selects
WORD = 0x80  # set in a property: Alphabetic or general category N
RUN_MIN = 8  # second bytes of one lead: with fewer alike, looking up each is as fast
# The run of this lead, if any, holds this second byte: what is frequent, not what is long.
HELD = {0xC2: 0xB7, 0xE1: 0x83, 0xE4: 0xB8, 0xEA: 0xB0, 0xEF: 0xBC}
CASED = 0x40  # set in a property: lower-casing changes it, and it is not ASCII

# Numbers of `property::Class`; Extend and Format act alike in every rule.
CLASSES = {
    "Other": 0, "Pictographic": 1, "CR": 2, "LF": 3, "Newline": 4, "Extend": 5, "Format": 5, "ZWJ": 6,
    "Regional_Indicator": 7, "Katakana": 8, "Hebrew_Letter": 9, "ALetter": 10, "PictographicLetter": 11,
    "Single_Quote": 12, "Double_Quote": 13, "MidNumLet": 14, "MidLetter": 15, "MidNum": 16, "Numeric": 17,
    "ExtendNumLet": 18, "WSegSpace": 19,
}


def read_properties():
    """One property byte for each code point, and the lower-case of those below U+0800."""
    properties = bytearray(0x110000)
    lower = {}
    for line in SOURCE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        if ">" in line:
            upper, _, mapped = line.partition(">")
            lower[int(upper, 16)] = [int(part, 16) for part in mapped.split()]
            continue
        span, name, word, pictographic, cased = (field.strip() for field in line.split(";"))
        first, last = (int(end, 16) for end in span.split(".."))
        if pictographic == "P":
            name = {"Other": "Pictographic", "ALetter": "PictographicLetter"}[name]
        for code_point in range(first, last + 1):
            properties[code_point] = CLASSES[name] | (WORD if word == "W" else 0) | (CASED if cased == "L" else 0)
    return properties, lower


def two_levels(properties):
    """The distinct blocks in order of first use, and for each block of the code space its number."""
    blocks, index = {}, []
    for start in range(0, len(properties), BLOCK):
        block = bytes(properties[start : start + BLOCK])
        index.append(blocks.setdefault(block, len(blocks)))
    return list(blocks), index


def lower_pairs(lower):
    """The two UTF-8 bytes, last byte high, of the lower-case of U+0080..U+07FF; 0: longer, or decided by its neighbours."""
    pairs = []
    for code_point in range(0x80, 0x800):
        mapped = lower.get(code_point, [code_point])
        if code_point == 0x3A3 or len(mapped) != 1 or not 0x80 <= mapped[0] < 0x800:
            pairs.append(0)
        else:
            pairs.append(0xC0 | mapped[0] >> 6 | (0x80 | mapped[0] & 0x3F) << 8)
    return pairs


def second_byte_runs(properties):
    """For each lead byte from 0xC0 on the run of second bytes that is worth deciding at once: `(property, first, last, first
    cased, last cased)`. All code points of the run have that property, but for being cased, which those in between are.
    None: first is last + 1."""
    runs = []
    for lead in range(0xC0, 0x100):
        cells = []
        for second in range(0x80, 0xC0):
            if 0xC2 <= lead < 0xE0:
                span = properties[(lead & 0x1F) << 6 | second & 0x3F :][:1]
            elif 0xE0 <= lead < 0xF0 and not (lead == 0xE0 and second < 0xA0) and not (lead == 0xED and second >= 0xA0):
                start = (lead & 0x0F) << 12 | (second & 0x3F) << 6
                span = properties[start : start + 64]
            else:
                span = b""
            cells.append(span[0] if len(set(span)) == 1 else None)
        best = (0, (0, 0xC0, 0xBF, 0xC0, 0xBF))
        for first in range(64):
            for last in range(first, 64):
                run = cells[first : last + 1]
                if None in run or len({cell & ~CASED for cell in run}) != 1:
                    break
                cased = [first + place for place, cell in enumerate(run) if cell & CASED]
                if cased and cased[-1] - cased[0] + 1 != len(cased):
                    break
                score = len(run) * (4 if run[0] & WORD else 1)
                if len(run) >= RUN_MIN and (lead not in HELD or 0x80 + first <= HELD[lead] <= 0x80 + last) and score > best[0]:
                    cased = (0x80 + cased[0], 0x80 + cased[-1]) if cased else (0xC0, 0xBF)
                    best = (score, (run[0] & ~CASED, 0x80 + first, 0x80 + last, *cased))
        runs.append(best[1])
    return runs


def rows(numbers, a_row, form):
    return "".join(
        "    " + " ".join(form.format(number) + "," for number in numbers[start : start + a_row]) + "\n"
        for start in range(0, len(numbers), a_row)
    )


def runs(index):
    """The index as `(block, how often)`: the code space is 17,408 blocks, most of them alike."""
    result = []
    for block in index:
        if result and result[-1][0] == block:
            result[-1][1] += 1
        else:
            result.append([block, 1])
    return result


def main():
    properties, lower = read_properties()
    blocks, index = two_levels(properties)
    index_runs = [f"({block}, {times})" for block, times in runs(index)]
    version = SOURCE.read_text(encoding="utf-8").split("Unicode ", 1)[1].split(",", 1)[0].split(".")
    text = f"""\
//! Owns the numbers of the property tables, made by `kernel/tables/generate.py` from
//! `properties.txt`: do not edit.
//!
//! Does not own their meaning: see [`super`].

/// The version of the Unicode database behind the tables.
pub(super) const UNICODE_VERSION: (u8, u8, u8) = ({', '.join(version)});

/// Which block holds each {BLOCK} code points, as runs of `(block, how many times in a row)`.
#[rustfmt::skip]
pub(super) const INDEX_RUNS: [(u16, u16); {len(index_runs)}] = [
{rows(index_runs, 11, '{}')}];

/// The property byte of each code point of each distinct block.
#[rustfmt::skip]
pub(super) static BLOCKS: [[u8; {BLOCK}]; {len(blocks)}] = [
{rows(['[' + ', '.join(str(number) for number in block) + ']' for block in blocks], 2, '{}')}];

/// For each lead byte from 0xC0 on a run of second bytes whose code points are alike: `(property, first, last, first cased,
/// last cased)`; none: first is last + 1.
#[rustfmt::skip]
pub(super) static RUNS: [(u8, u8, u8, u8, u8); 64] = [
{rows(second_byte_runs(properties), 4, '{}')}];

/// Lower-case of U+0080 to U+07FF as two UTF-8 bytes, the last one high; 0: not decided by them.
#[rustfmt::skip]
pub(super) static LOWER_PAIRS: [u16; {0x780}] = [
{rows(lower_pairs(lower), 16, '0x{:x}')}];
"""
    if "--check" in sys.argv[1:]:
        if TARGET.read_text(encoding="utf-8") != text:
            sys.exit(f"{TARGET} is not what {pathlib.Path(__file__).name} makes of {SOURCE.name}: run it")
    else:
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
