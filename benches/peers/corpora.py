#!/usr/bin/env python3
"""Makes the texts that `topn` is measured with: from Debian's packages and from seeds, the same bytes each time.

    benches/peers/corpora.py [--small] [--to FOLDER] [--bytes N] [NAME...]

Packages are downloaded with apt and unpacked under FOLDER; nothing is installed. `FOLDER/SHA256SUMS` lists the texts, with
the packages that they were made from. A text that is there is kept. In every text lines end with LF, and all other blanks
(tabs, no-break and ideographic spaces) are spaces, so that every counter finds the same words between blanks.
"""

import argparse
import hashlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import texts
from debian import Packages

ROOT = Path(__file__).resolve().parents[2]
MB = 1_000_000

# name: what makes it, bytes, bytes of the small one
CORPORA = {
    "prose": (texts.prose, 430 * MB, 4 * MB),
    "dictionaries": (texts.dictionaries, 460 * MB, 4 * MB),
    "mixed": (texts.mixed, 400 * MB, 8 * MB),
    "html": (texts.html, 400 * MB, 8 * MB),
    "log": (texts.log, 390 * MB, 4 * MB),
    "distinct-3": (texts.distinct, 220 * MB, 4 * MB),
    "distinct-4": (texts.distinct, 220 * MB, 4 * MB),
    "distinct-5": (texts.distinct, 220 * MB, 4 * MB),
    "distinct-6": (texts.distinct, 220 * MB, 4 * MB),
    "distinct-7": (texts.distinct, 220 * MB, 4 * MB),
}
FILES = (100_000, 2_000)  # how many small files, in full and in the small set


def folder_for(small: bool) -> Path:
    """Where texts are kept unless something else is said."""
    return ROOT / "target" / "corpora" / ("small" if small else "full")


def make(folder: Path, small: bool, names: list[str], size: int | None = None) -> dict[str, Path]:
    """The texts `names` in `folder`, made if they are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    packages = Packages(folder)
    paths = {}
    for name in names:
        if name == "files":
            paths[name] = make_files(folder, small, names)
            continue
        maker, full_bytes, small_bytes = CORPORA[name]
        path = folder / f"{name}.txt"
        if not path.exists():
            print(f"{name} ...", file=sys.stderr)
            wanted = size or (small_bytes if small else full_bytes)
            packages.used.clear()
            digest, written = write(path, maker(packages, small, name), wanted)
            note(folder, name, digest, written, packages.used)
        paths[name] = path
    return paths


def write(path: Path, parts: Iterator[bytes], wanted: int) -> tuple[str, int]:
    """Writes `parts` up to `wanted` bytes, to the end of a line."""
    unfinished = path.with_suffix(".unfinished")
    digest = hashlib.sha256()
    written = 0
    with unfinished.open("wb") as file:
        for part in parts:
            if written + len(part) > wanted:
                part = part[: part.rfind(b"\n", 0, wanted - written) + 1]
            digest.update(part)
            file.write(part)
            written += len(part)
            if written + 4096 > wanted or not part:
                break
    unfinished.rename(path)
    return digest.hexdigest(), written


def note(folder: Path, name: str, digest: str, size: int, used: dict[str, str]) -> None:
    """Puts a text into the list of texts, in the format of `sha256sum`, with comments."""
    path = folder / "SHA256SUMS"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    lines = [line for line in lines if not line.startswith(f"# {name} from ") and not line.endswith(f"  {name}.txt")]
    lines += [f"# {name} from {package} {package_digest}" for package, package_digest in sorted(used.items())]
    lines.append(f"{digest}  {name}.txt")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{name}: {size} bytes, sha256 {digest}", file=sys.stderr)


def make_files(folder: Path, small: bool, names: list[str]) -> Path:
    """A tree of small files of 1 to 10 KB, cut from the prose at lines."""
    tree = folder / "files"
    if tree.exists():
        return tree
    prose = make(folder, small, ["prose"])["prose"].read_bytes()
    unfinished = folder / "files.unfinished"
    dice = random.Random(7)
    start = 0
    for index in range(FILES[small]):
        length = 1_000 + int(9_000 * dice.random())
        if start + length > len(prose):
            start = 0
        end = prose.rfind(b"\n", start, start + length) + 1
        subfolder = unfinished / f"{index // 500:03}"
        subfolder.mkdir(parents=True, exist_ok=True)
        (subfolder / f"{index:06}.txt").write_bytes(prose[start:end])
        start = end
    unfinished.rename(tree)
    return tree


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a few megabytes each, from fewer packages")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="default: target/corpora/full or .../small")
    parser.add_argument("--bytes", type=int, metavar="N", help="this many bytes each, in place of the usual ones")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(CORPORA)}, files")
    arguments = parser.parse_args()
    names = arguments.names or [*CORPORA, "files"]
    unknown = [name for name in names if name != "files" and name not in CORPORA]
    if unknown:
        parser.error(f"no text is called {', '.join(unknown)}")
    folder = arguments.to or folder_for(arguments.small)
    for name, path in make(folder, arguments.small, names, arguments.bytes).items():
        print(name, path)


if __name__ == "__main__":
    main()
