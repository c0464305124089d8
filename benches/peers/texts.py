"""What each text is made of. Each maker gives parts without an end, all ending at a line; the caller takes what it wants."""

import gzip
import itertools
import os
import random
import re
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path

from debian import Packages

BLANK = re.compile(r"[^\S\n]")  # every blank of Unicode but the end of a line
DIGITS = [(digits, 1 << (4 * digits - 4)) for digits in range(12, 18)]  # and the least number of so many


def prose(packages: Packages, _small: bool, _name: str) -> Iterator[bytes]:
    """The King James Bible, again and again."""
    data = packages.unpack("bible-kjv-text")
    program = packages.unpack("bible-kjv")
    (library,) = packages.unpack("libreadline8").glob("**/libreadline.so.8")
    environment = os.environ | {"LD_LIBRARY_PATH": str(library.parent), "COLUMNS": "80"}
    command = [program / "usr/bin/bible", "-p", data / "usr/lib", "gen1:1-rev22:21"]
    text = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    yield from itertools.repeat(text.rstrip() + b"\n")


def dictionaries(packages: Packages, small: bool, _name: str) -> Iterator[bytes]:
    """Word lists of English, German and Spanish; all their words in a new order each time, ten a line."""
    lists = {"wamerican": "american-english"} if small else {
        "wamerican-huge": "american-english-huge", "wngerman": "ngerman", "wspanish": "spanish",
    }
    words = []
    for package, name in lists.items():
        path = packages.unpack(package) / "usr/share/dict" / name
        words += path.read_text(encoding="utf-8").split()
    dice = random.Random(1)
    while True:
        dice.shuffle(words)
        lines = (" ".join(words[at : at + 10]) for at in range(0, len(words), 10))
        yield ("\n".join(lines) + "\n").encode()


def mixed(packages: Packages, small: bool, _name: str) -> Iterator[bytes]:
    """Manual pages and help in German, French, Russian, Japanese, Chinese and Korean, one document after the other."""
    languages = ["ko"] if small else ["de", "fr", "ru", "ja", "zh-cn", "ko"]
    documents = []
    for language in ["de", "fr", "ru", "ja", "zh"]:
        root = packages.unpack(f"manpages-{language}")
        documents += [manual_page(path) for path in sorted(root.glob("usr/share/man/**/*.gz"))]
    for language in languages:
        root = packages.unpack(f"libreoffice-help-{language}")
        documents += [help_page(path) for path in sorted(root.glob("usr/share/libreoffice/**/*.html"))]
    dice = random.Random(2)
    while True:
        dice.shuffle(documents)
        yield from documents


def manual_page(path: Path) -> bytes:
    """The words of a manual page: no comments, no requests of roff, no changes of font."""
    try:
        source = gzip.decompress(path.read_bytes()).decode()
    except UnicodeDecodeError:
        return b"\n"
    lines = []
    for line in source.split("\n"):
        if line.startswith((".\\\"", "'\\\"")):
            continue
        line = re.sub(r"^[.'][ ]*\w+", "", line)
        line = re.sub(r"\\f(\[\w*\]|\(..|.)|\\[&|^/,:%]", "", line)
        lines.append(BLANK.sub(" ", line.replace("\\-", "-").replace("\\ ", " ")))
    return ("\n".join(lines) + "\n").encode()


def help_page(path: Path) -> bytes:
    """The words of a page of HTML."""
    source = path.read_text(encoding="utf-8")
    source = re.sub(r"<(script|style).*?</\1>", "", source, flags=re.DOTALL)
    text = unescape(re.sub(r"<[^>]*>", " ", source))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return ("\n".join(line for line in lines if line) + "\n").encode()


def html(packages: Packages, small: bool, _name: str) -> Iterator[bytes]:
    """Documentation in HTML as it is: of Rust and of the standard library of C++, file by file."""
    names = ["git-doc"] if small else ["rust-doc", "libstdc++-12-doc"]
    paths = [path for name in names for path in packages.unpack(name).glob("usr/share/**/*.html") if path.is_file()]
    paths.sort()
    random.Random(3).shuffle(paths)
    for path in itertools.cycle(paths):
        try:
            text = path.read_text(encoding="utf-8")  # takes CR LF as LF
        except UnicodeDecodeError:
            continue
        yield (BLANK.sub(" ", text).rstrip("\n") + "\n").encode()


def log(_packages: Packages, _small: bool, _name: str) -> Iterator[bytes]:
    """Lines of a log, each with six numbers of 12 to 17 hexadecimal digits that come once: 19.8 million in 390 MB."""
    dice = random.Random(4)
    levels = ["info"] * 90 + ["warn"] * 8 + ["error"] * 2
    for second in itertools.count():
        lines = []
        clock = f"2026-11-{1 + second // 86400:02} {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"
        for _ in range(250):
            tokens = " ".join(f"{low | dice.getrandbits(4 * digits):x}" for digits, low in DIGITS)
            lines.append(f"{clock} {dice.choice(levels)} {tokens}\n")
        yield "".join(lines).encode()


def distinct(_packages: Packages, small: bool, name: str) -> Iterator[bytes]:
    """Words of eight letters, each of 10**k of them as likely as any other; `name` ends with k, of which the small set takes up to 4."""
    exponent = int(name.rpartition("-")[2])
    exponent = min(exponent, 4) if small else exponent
    dice = random.Random(100 + exponent)
    letters = "abcdefghijklmnopqrstuvwxyz"
    pairs = [first + second for first in letters for second in letters]
    seen: set[str] = set()
    while len(seen) < 10**exponent:
        seen.add("".join(dice.choices(pairs, k=4)))
    words = sorted(seen)
    while True:
        lines = dice.choices(words, k=100_000)
        yield ("\n".join(" ".join(lines[at : at + 10]) for at in range(0, len(lines), 10)) + "\n").encode()
