"""The record: figures of every command as CSV, and the table as a page. What is measured again replaces what was there."""

import csv
import platform
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from measure import Figures
from rows import ROWS, Row

ROOT = Path(__file__).resolve().parents[2]
BY_HAND = "## What the figures say"  # from here on the page is kept


@dataclass(frozen=True)
class Measured:
    """A row's figures by its commands, the words of its text, and the commit of the programs."""

    found: dict[str, Figures]
    words: int
    distinct: int
    commit: str


def read(path: Path) -> dict[str, Measured]:
    """The figures of a CSV, by the names of rows."""
    measured: dict[str, Measured] = {}
    if not path.exists():
        return measured
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            own = Measured({}, int(line["words"]), int(line["distinct"]), line["commit"])
            row = measured.setdefault(line["row"], own)
            numbers = {field.name: float(line[field.name]) for field in fields(Figures)}
            row.found[line["command"]] = Figures(**numbers | {"runs": int(line["runs"])})
    return measured


def write(path: Path, measured: dict[str, Measured]) -> None:
    """All figures, a command a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        names = [field.name for field in fields(Figures)]
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["row", "commit", "words", "distinct", "command", *names])
        for row in ROWS:
            if row.name in measured:
                own = measured[row.name]
                for command, found in own.found.items():
                    numbers = [f"{value:.6g}" if isinstance(value, float) else value for value in asdict(found).values()]
                    table.writerow([row.name, own.commit, own.words, own.distinct, command, *numbers])


def table(measured: dict[str, Measured]) -> list[str]:
    """The table in Markdown."""
    lines = [
        "| what | text | ours | best other | measured | at least | stretch | | by CPU time |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        if row.name in measured:
            lines.append(line_of(row, measured[row.name]))
    return lines


def verdict_of(row: Row, own: Measured) -> str:
    """What the row reaches."""
    return row.verdict(row.value(own.found, own.words, own.distinct))


def line_of(row: Row, own: Measured) -> str:
    """A row of the table."""
    value = row.value(own.found, own.words, own.distinct)
    ours, *others = row.commands
    best = min(others, key=lambda command: getattr(own.found[command], row.measure), default=None)
    if row.kind == "gain":
        best = others[0]
    if row.kind == "nanoseconds" and best is not None:
        other = f"{1e9 * own.found[best].cpu / own.words:.1f} ns {label(best)}"
    else:
        other = "" if best is None else f"{seconds(own.found[best], row.measure)} {label(best)}"
    cells = [
        row.what,
        row.text,
        seconds(own.found[ours], row.measure),
        other,
        row.shown(value),
        row.shown(row.least),
        row.shown(row.stretch),
        row.verdict(value),
        row.shown(by_cpu(row, own)),
    ]
    return f"| {' | '.join(cells)} |"


def by_cpu(row: Row, own: Measured) -> float | None:
    """What a ratio of times by the clock is by CPU time, which other work on the machine disturbs less."""
    if row.measure == "cpu" or row.kind not in ("times", "share", "cost"):
        return None
    return replace(row, measure="cpu").value(own.found, own.words, own.distinct)


def seconds(found: Figures, measure: str) -> str:
    """Seconds with their kind."""
    value = getattr(found, measure)
    shown = f"{1000 * value:.2f} ms" if value < 0.05 else f"{value:.2f} s"
    return f"{shown} {'CPU' if measure == 'cpu' else ''}".strip()


def label(command: str) -> str:
    """A short name of a command."""
    words = command.replace("{engines} ", "").replace("{python} {here}/", "").replace(" {text}", "").split()
    return "`" + " ".join(word.strip("{}") for word in words if word not in ("-o", "tsv")) + "`"


def machine() -> str:
    """This machine in a line."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    found = {key.strip(): value.strip() for key, value in found.items()}
    cores = info.count("processor\t")
    parts = [found.get("model name", platform.machine()), f"family {found.get('cpu family')}", f"model {found.get('model')}"]
    return f"{cores} cores of {', '.join(parts)}"


def write_page(path: Path, measured: dict[str, Measured], facts: list[str]) -> None:
    """The page, with what was written by hand below it."""
    kept = ""
    if path.exists():
        _, found, rest = path.read_text(encoding="utf-8").partition(BY_HAND)
        kept = found + rest
    head = [
        "# `topn` beside other programs",
        "",
        "Made by `benches/peers/run.py`, which tells what is compared and how; every command and its figures are in the CSV beside",
        "this page. Medians of runs in turn; answers were compared first.",
        "",
        *[f"- {fact}" for fact in facts],
        f"- programs at {', '.join(dict.fromkeys(own.commit for own in measured.values()))}: the CSV tells which row",
        "",
        *table(measured),
        "",
    ]
    path.write_text("\n".join(head) + ("\n" + kept if kept else ""), encoding="utf-8")
