#!/usr/bin/env python3
"""Measures `topn` beside other programs that count the same words, and says what is reached.

    benches/peers/run.py [--small] [--rows NAME,...] [--texts FOLDER] [--record MACHINE]

Builds, installs the engines that PyPI carries under `target/`, makes the texts, compares the answers, measures the commands of each
row in turn and prints the table. One-thread rows are compared by CPU seconds, rows of two threads by the clock: keep the machine
quiet. A row whose answers differ has no figure, and the exit code is 1; so it is if a row misses what is to be reached at least.

`--small` compares the answers on small texts with debug builds, and measures nothing.
"""

import argparse
import datetime
import json
import sys
from pathlib import Path

import corpora
import measure
import programs
import record
from rows import ROWS, Row


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="compare answers on small texts, measure nothing")
    parser.add_argument("--rows", metavar="NAME,...", help=f"only these of {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--texts", type=Path, metavar="FOLDER", help="where the texts are kept [default: target/corpora]")
    parser.add_argument("--record", metavar="MACHINE", help="write benches/record/MACHINE/DATE-peers.{csv,md}")
    given = parser.parse_args()
    known = [row.name for row in ROWS]
    names = given.rows.split(",") if given.rows else known
    for name in names:
        if name not in known:
            parser.error(f"no row is called {name}")
    given.rows = [row for row in ROWS if row.name in names]
    if given.small:
        given.rows = [row for row in given.rows if row.compares()]
    if given.small and given.record:
        parser.error("--small measures nothing that could be recorded")
    return given


class Table:
    """Measures rows on texts with programs."""

    def __init__(self, folder: Path, small: bool, rows: list[Row]) -> None:
        self.folder = folder
        self.small = small
        self.paths = programs.prepare(small, any("{musl}" in row.commands[0] for row in rows))
        self.facts: dict[tuple[str, str], dict[str, int]] = {}

    def text(self, name: str) -> str:
        """The path of a text, made if it is not there."""
        if name == "kilobyte":
            prose = Path(self.text("prose")).read_bytes()[:1024]
            path = self.folder / "kilobyte.txt"
            path.write_bytes(prose[: prose.rfind(b"\n") + 1])
            return str(path)
        return str(corpora.make(self.folder, self.small, [name])[name])

    def command(self, row: Row, command: str) -> list[str]:
        """The words of a command."""
        return command.format(text=self.text(row.text), **self.paths).split()

    def fact(self, row: Row, key: str) -> int:
        """A total of our count of the row's text."""
        words = "whitespace" if row.answer == "words" or "whitespace" in row.commands[0] else "unicode"
        at = (row.text, words)
        if at not in self.facts:
            command = f"{{topn}} -n1 -o json --words {words} {{text}}"
            self.facts[at] = json.loads(measure.run_once(self.command(row, command)).output)
        return self.facts[at][key]

    def differences(self, row: Row, outputs: dict[str, bytes]) -> list[str]:
        """The commands whose answers are not ours."""
        ours, *others = outputs
        match row.answer:
            case "top":
                expected = outputs[ours]
            case "words":
                expected = str(self.fact(row, "total")).encode()
            case "files":
                expected = f"{self.fact(row, 'inputs')}\t{self.fact(row, 'bytes')}\n".encode()
            case _:
                return []
        wrong = []
        for command in others:
            got = outputs[command].split()[0] if row.answer == "words" else outputs[command]
            if got != expected:
                wrong.append(f"{row.name}: {command} says\n{got.decode()}\nand ours is\n{expected.decode()}")
        return wrong

    def run(self, row: Row) -> record.Measured | list[str]:
        """The figures of a row, or how its answers differ."""
        words = [self.command(row, command) for command in row.commands]
        first = measure.in_turn(words, 1)  # what is compared; it also brings the text into memory
        wrong = self.differences(row, {command: runs[0].output for command, runs in zip(row.commands, first, strict=True)})
        if wrong:
            return wrong
        if self.small:
            return record.Measured({}, 0, 0, "")
        runs = measure.in_turn(words, row.times, watch_memory=row.kind == "bytes")
        found = {command: measure.figures(done) for command, done in zip(row.commands, runs, strict=True)}
        return record.Measured(found, self.fact(row, "total"), self.fact(row, "distinct"), programs.commit())


def main() -> int:
    """Runs the rows."""
    given = arguments()
    table = Table(given.texts or corpora.folder_for(given.small), given.small, given.rows)
    measured: dict[str, record.Measured] = {}
    wrong: list[str] = []
    if not table.differences(ROWS[0], dict(zip(ROWS[0].commands, [b"one\t2\n", b"one\t3\n"], strict=True))):
        raise SystemExit("a wrong answer is not noticed")
    for row in given.rows:
        result = table.run(row)
        if isinstance(result, list):
            wrong += result
            print(f"{row.name}: the answers differ", flush=True)
        elif given.small:
            print(f"{row.name}: the same answer from {len(row.commands)} commands", flush=True)
        else:
            measured[row.name] = result
            print(record.line_of(row, result), flush=True)
    print("\n".join(wrong), file=sys.stderr)
    if given.small:
        print("ok" if not wrong else f"{len(wrong)} answers differ")
        return 1 if wrong else 0
    if given.record:
        base = programs.ROOT / "benches/record" / given.record / f"{datetime.date.today()}-peers"
        measured = record.read(base.with_suffix(".csv")) | measured
        record.write(base.with_suffix(".csv"), measured)
        record.write_page(base.with_suffix(".md"), measured, [record.machine(), *programs.versions(table.paths)])
    print("\n".join(["", *record.table(measured)]))
    missed = [row.name for row in ROWS if row.name in measured and record.verdict_of(row, measured[row.name]) == "MISS"]
    print(f"\nmissed: {', '.join(missed) or 'none'}; differing answers: {len(wrong)}")
    return 1 if wrong or missed else 0


if __name__ == "__main__":
    sys.exit(main())
