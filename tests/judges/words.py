"""Owns the comparison of `topn` with Python's own words: `str.split`, `str.strip`, `str.lower`, `re.findall`,
`collections.Counter`, and for `unicode` with UAX #29 read rule by rule here once more, in generated and in real text.

Does not judge speed, formats or failures. TOPN names the program. Lower-casing is Python's, whose Unicode may be older:
then text is made of what it knows.
"""

import os
import pathlib
import random
import re
import string
import subprocess
import sys
import tempfile
import unicodedata
from collections import Counter

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOPN = os.environ["TOPN"]

# --- UAX #29 ----------------------------------------------------------------------------------------------------------

LETTERS = {"ALetter", "Hebrew_Letter"}
BREAKS = {"CR", "LF", "Newline"}
SKIPPED = {"Extend", "Format", "ZWJ"}
MID_LETTER = {"MidLetter", "MidNumLet", "Single_Quote"}
MID_NUM = {"MidNum", "MidNumLet", "Single_Quote"}


def read_properties():
    """Word_Break, `makes a word` and `pictographic` of each code point that is not Other, neither."""
    found = {}
    for line in (ROOT / "kernel/tables/properties.txt").read_text(encoding="utf-8").splitlines():
        if ";" in line and not line.startswith("#"):
            span, name, word, pictographic, _ = line.split(" ; ")
            first, last = (int(end, 16) for end in span.split(".."))
            for code_point in range(first, last + 1):
                found[code_point] = (name, word == "W", pictographic == "P")
    return found


PROPERTIES = read_properties()
ILL_FORMED = ("LF", False, False)


def property_of(char):
    """A byte that is not UTF-8 was decoded to a surrogate: it acts as a line feed."""
    if "\ud800" <= char <= "\udfff":
        return ILL_FORMED
    return PROPERTIES.get(ord(char), ("Other", False, False))


def significant(units, start, step):
    """The class of the first unit from `start` on that WB4 does not skip, and its place."""
    while 0 <= start < len(units) and units[start][0] in SKIPPED:
        start += step
    return (units[start][0], start) if 0 <= start < len(units) else (None, start)


def is_boundary(units, at):
    last, here = units[at - 1][0], units[at][0]
    if last == "CR" and here == "LF":
        return False  # WB3
    if last in BREAKS or here in BREAKS:
        return True  # WB3a, WB3b
    if last == "ZWJ" and units[at][2]:
        return False  # WB3c
    if last == here == "WSegSpace":
        return False  # WB3d
    if here in SKIPPED:
        return False  # WB4
    before, place = significant(units, at - 1, -1)
    if before is None or before in BREAKS:
        return True
    second, _ = significant(units, place - 1, -1)
    after, _ = significant(units, at + 1, 1)
    joined = (
        (before in LETTERS and here in LETTERS)  # WB5
        or (before in LETTERS and here in MID_LETTER and after in LETTERS)  # WB6
        or (second in LETTERS and before in MID_LETTER and here in LETTERS)  # WB7
        or (before == "Hebrew_Letter" and here == "Single_Quote")  # WB7a
        or (before == "Hebrew_Letter" and here == "Double_Quote" and after == "Hebrew_Letter")  # WB7b
        or (second == "Hebrew_Letter" and before == "Double_Quote" and here == "Hebrew_Letter")  # WB7c
        or (before == "Numeric" and here == "Numeric")  # WB8
        or (before in LETTERS and here == "Numeric")  # WB9
        or (before == "Numeric" and here in LETTERS)  # WB10
        or (second == "Numeric" and before in MID_NUM and here == "Numeric")  # WB11
        or (before == "Numeric" and here in MID_NUM and after == "Numeric")  # WB12
        or (before == here == "Katakana")  # WB13
        or (before in LETTERS | {"Numeric", "Katakana", "ExtendNumLet"} and here == "ExtendNumLet")  # WB13a
        or (before == "ExtendNumLet" and here in LETTERS | {"Numeric", "Katakana"})  # WB13b
    )
    if not joined and before == here == "Regional_Indicator":  # WB15, WB16
        count = 0
        while before == "Regional_Indicator":
            count += 1
            before, place = significant(units, place - 1, -1)
        joined = count % 2 == 1
    return not joined


def unicode_words(text):
    units = [property_of(char) for char in text]
    start = 0
    for at in range(1, len(units) + 1):
        if at == len(units) or is_boundary(units, at):
            if any(makes_word for _, makes_word, _ in units[start:at]):
                yield text[start:at]
            start = at


def check_official_lines():
    """The reading above must pass the official test, or it judges nothing."""
    for line in (ROOT / "tests/fixtures/word_break_test_17.txt").read_text(encoding="utf-8").splitlines():
        parts = line.split("#")[0].split()
        if parts:
            units = [property_of(chr(int(part, 16))) for part in parts if part not in "÷×"]
            expected = [mark == "÷" for mark in parts[2:-1:2]]
            assert [is_boundary(units, at) for at in range(1, len(units))] == expected, line


# --- the modes --------------------------------------------------------------------------------------------------------


def words_of(mode, data):
    """The words of `data` in `mode` as Python finds them, as written."""
    if mode == "alpha":
        return re.findall(rb"[A-Za-z]+", data)
    text = data.decode("utf-8", "surrogateescape")
    if mode == "unicode":
        found = unicode_words(text)
    else:
        found = text.split()
    if mode == "tutorial":
        found = filter(None, (word.strip(string.punctuation) for word in found))
    return [word.encode("utf-8", "surrogateescape") for word in found]


def lower(word):
    return word.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


def expected_rows(mode, keep_case, data):
    words = words_of(mode, data)
    if not keep_case and mode != "tutorial":
        words = map(lower, words)
    return sorted(Counter(words).items(), key=lambda row: (-row[1], row[0]))


def found_rows(mode, keep_case, path, top, threads):
    command = [TOPN, "-n", str(top), "--words", mode, "-o", "tsv", "-j", str(threads), "--progress", "none"]
    command += ["--keep-case"] if keep_case else []
    lines = subprocess.run([*command, str(path)], check=True, stdout=subprocess.PIPE).stdout.split(b"\n")
    assert lines.pop() == b"", "the last row ends with a line feed"
    return [(word, int(count)) for word, _, count in (line.rpartition(b"\t") for line in lines)]


MODES = ["unicode", "whitespace", "alpha", "tutorial"]


def compare(name, data, folder, random_source):
    path = folder / "text"
    path.write_bytes(data)
    failures = 0
    for mode in MODES:
        for keep_case in (False, True):
            expected = expected_rows(mode, keep_case, data)
            for top in (0, 10):
                found = found_rows(mode, keep_case, path, top, random_source.choice([1, 2, 3]))
                wanted = expected[:top] if top else expected
                if found != wanted:
                    failures += 1
                    pair = next(pair for pair in zip(found + [None], wanted + [None]) if pair[0] != pair[1])
                    print(f"{name}, {mode}, keep_case {keep_case}, top {top}: topn has {pair[0]}, Python {pair[1]}")
    return failures


# --- texts ------------------------------------------------------------------------------------------------------------

# Ill-formed UTF-8: stray, cut short, overlong, a surrogate, too large.
BAD = [b"\x80", b"\xff", b"\xe2\x80", b"\xc3", b"\xf0\x9f\x98", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]


def alphabets():
    """Code points that this Python knows, by class; capital sigma is left out: what makes it final may differ."""
    by_class = {}
    for code_point in range(0x110000):
        char = chr(code_point)
        if not 0xD800 <= code_point < 0xE000 and unicodedata.category(char) != "Cn" and char != "Σ":
            by_class.setdefault(property_of(char)[:2], []).append(char)
    return list(by_class.values())


def generated(random_source, by_class):
    """Words of few code points of any class, many alike and with many ties, parted by anything."""
    pool = [random_source.choice(random_source.choice(by_class)).encode() for _ in range(40)]
    pool += [random_source.choice(BAD), b".", b"'", b"_", b"A", b"b", b"1", b",", b":", b'"', "Σ".encode()[:1]]
    blanks = [b" ", b"\n", b"\r\n", b"\t", b"\x1c", b"\x0b", "\u3000".encode(), "\xa0".encode(), b"  ", b"-", b""]
    words = [b"".join(random_source.choices(pool, k=random_source.randint(1, 6))) for _ in range(60)]
    parts = [b" "]
    for _ in range(random_source.randint(0, 1500)):
        parts += [random_source.choice(words), random_source.choice(blanks)]
    return b"".join(parts)


def greek(random_source):
    """Sigmas of all forms at all places."""
    letters = "ΑΣΟσςa.'-1ΐ"
    words = ["".join(random_source.choices(letters, k=random_source.randint(1, 5))) for _ in range(3000)]
    return " ".join(words).encode()


def main():
    check_official_lines()
    random_source = random.Random(17)
    by_class = alphabets()
    failures = cases = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        texts = [("nothing", b""), ("one byte", b"x"), ("blanks", b" \n\t "), ("Greek", greek(random_source))]
        texts += [(f"generated {number}", generated(random_source, by_class)) for number in range(40)]
        for path in sorted((ROOT / "data").glob("*.txt")):
            texts.append((path.name, path.read_bytes()[:250_000]))
        for name, data in texts:
            failures += compare(name, data, folder, random_source)
            cases += 4 * len(MODES)
    print(f"{cases} answers compared, {failures} differ")
    sys.exit(failures != 0)


if __name__ == "__main__":
    main()
