"""The rows of the table: what is measured on which text, against what, and what is to be reached.

In commands, `{topn}`, `{musl}`, `{rival}`, `{engines}` and `{python}` are programs, `{text}` is the text of the row.
"""

from dataclasses import dataclass

from measure import Figures

WHITESPACE = "{topn} -j1 -o tsv --words whitespace {text}"
UNICODE = "{topn} -j2 -o tsv {text}"
BUFFER = "{rival} buffer {text}"
CRATES = "{rival} crates 2 {text}"


@dataclass(frozen=True)
class Row:
    """What is measured. The first command is ours."""

    name: str
    what: str
    text: str
    commands: list[str]
    measure: str = "cpu"  # or wall
    kind: str = "times"  # see `value`
    least: float | None = None
    stretch: float | None = None
    times: int = 5
    answer: str = "top"  # what the others must print: "top" as ours, "words" or "files" as ours counts them, "any"

    def compares(self) -> bool:
        """Whether there is an answer beside ours that needs no static build."""
        return self.answer != "any" and len(self.commands) > 1 and "{musl}" not in self.commands[0]

    def value(self, found: dict[str, Figures], words: int, distinct: int) -> float:
        """The figure of the row, from the medians of its commands."""
        seconds = [getattr(found[command], self.measure) for command in self.commands]
        match self.kind:
            case "gain":  # ours on two threads, ours on one, the loop on two, the loop on one
                return (seconds[1] / seconds[0]) / (seconds[3] / seconds[2])
            case "bytes":
                return found[self.commands[0]].anonymous / distinct
            case "nanoseconds":
                return 1e9 * seconds[0] / words
            case "cost":
                return seconds[0] / min(seconds[1:])
            case _:
                return min(seconds[1:]) / seconds[0]

    def shown(self, value: float | None) -> str:
        """A value of this row for people."""
        if value is None:
            return ""
        return {
            "gain": f"{100 * value:.0f} %",
            "share": f"{100 * value:.0f} %",
            "bytes": f"{value:.0f} B",
            "nanoseconds": f"{value:.1f} ns",
        }.get(self.kind, f"{value:.2f}×")

    def verdict(self, value: float) -> str:
        """What the value reaches."""
        sign = -1 if self.kind in ("bytes", "cost") else 1
        if self.least is None or self.stretch is None:
            return ""
        if sign * value >= sign * self.stretch:
            return "stretch"
        return "pass" if sign * value >= sign * self.least else "MISS"


def engines(text: str, least: float, stretch: float) -> Row:
    """The best of the three engines on a text, each in its fastest way."""
    lower = "first" if text == "log" else "last"
    rivals = [f"{{engines}} {name} {lower} {{text}}" for name in ("clickhouse", "polars", "duckdb")]
    ours = "{topn} -j2 -o tsv --words whitespace {text}"
    what = "two threads vs the best of ClickHouse, Polars, DuckDB"
    return Row(f"engines-{text}", what, text, [ours, *rivals], "wall", "times", least, stretch)


def crates(text: str) -> Row:
    """The usual crates on a text."""
    what = "`unicode` vs unicode-segmentation + `to_lowercase` + ahash + rayon + mmap, two threads each"
    return Row(f"crates-{text}", what, text, [UNICODE, CRATES], "wall", "times", 6, 9, times=3)


def musl(text: str, mode: str) -> Row:
    """Two builds of ours."""
    commands = [f"{{{program}}} -j2 -o tsv --words {mode} {{text}}" for program in ("musl", "topn")]
    return Row(f"musl-{text}", f"static musl build vs glibc build, `{mode}`", text, commands, "cpu", "share", 0.97, 1, times=11)


def start(name: str, build: str, program: str) -> Row:
    """What a process costs that has next to nothing to count."""
    what = f"a file of 1 KB, the whole process beside `wc -w`, {build}"
    return Row(name, what, "kilobyte", [f"{program} {{text}}", "wc -w {text}"], "wall", "cost", 2, 1.2, 200, "words")


def distinct(exponent: int) -> Row:
    """The cost of a word when 10**exponent are different."""
    text = f"distinct-{exponent}"
    what = f"CPU time a word, 10^{exponent} different words, one thread"
    return Row(f"cost-{exponent}", what, text, [WHITESPACE, BUFFER], "cpu", "nanoseconds", times=3)


def mode(name: str, least: float, stretch: float) -> Row:
    """A mode beside `whitespace`."""
    commands = [f"{{topn}} -j1 -o tsv --words {name} {{text}}", WHITESPACE]
    what = f"`{name}` vs our `whitespace`, one thread"
    return Row(f"mode-{name}", what, "prose", commands, "cpu", "share", least, stretch, answer="any")


ROWS = [
    Row("loop-prose", "one thread vs a loop over a buffer", "prose", [WHITESPACE, BUFFER], "cpu", "times", 5, 6),
    Row(
        "vector-prose", "the same loop, but lower-cased before it, in vectors", "prose",
        [WHITESPACE, "{rival} buffer-vector {text}"], "cpu", "times",
    ),
    Row("loop-dictionaries", "one thread vs a loop over a buffer, many different words", "dictionaries", [WHITESPACE, BUFFER], "cpu", "times", 6, 8),
    Row(
        "yardstick", "share of the speed of the tokenizer-and-hash pass, one thread", "prose",
        [WHITESPACE, "{rival} yardstick {text}"], "cpu", "share", 0.6, 0.75, answer="words",
    ),
    mode("alpha", 0.9, 1),
    mode("unicode", 0.8, 0.9),
    crates("prose"),
    crates("dictionaries"),
    crates("mixed"),
    engines("prose", 4, 5),
    engines("dictionaries", 4, 5),
    engines("mixed", 4, 5),
    engines("html", 3.5, 5),
    engines("log", 2, 3),
    Row(
        "threads", "what two threads gain, as a share of what a perfectly parallel loop gains", "prose",
        [UNICODE, "{topn} -j1 -o tsv {text}", "{rival} loop 2", "{rival} loop 1"], "wall", "gain", 0.93, 0.97, 11, "any",
    ),
    Row(
        "tutorial", "the Batch tutorial's task in Python, two threads", "prose",
        ["{topn} -j2 -o tsv --words tutorial {text}", "{python} {here}/tutorial.py {text}"], "wall", "times", 60, 80, 3,
    ),
    Row(
        "memory", "memory beyond the mapped file for each different word, two workers", "log",
        ["{topn} -j2 -o tsv --words whitespace {text}"], "wall", "bytes", 96, 64, 3,
    ),
    start("start", "glibc build", "{topn}"),
    start("start-musl", "static musl build", "{musl}"),
    musl("prose", "unicode"),
    musl("log", "whitespace"),
    *[distinct(exponent) for exponent in range(3, 8)],
    Row(
        "files", "speed on small files, as a share of reading them alone, two threads", "files",
        ["{topn} -j2 -o tsv {text}", "{rival} read 2 {text}"], "wall", "share", times=5, answer="files",
    ),
]
