"""DuckDB, Polars and ClickHouse as word counters: `engines.py ENGINE LOWER FILE` prints the ten most frequent words between spaces.

Each takes lines, cuts them at spaces and groups the words. LOWER says when words are lower-cased: `first`, or `last`, after they
were grouped as they are written, which is faster unless nearly all are different; then they are grouped once more. Of the ways that
were tried with each engine these are the fastest that are right. Standard error tells the seconds of the query alone, without
starting Python and importing the engine: in favour of the engine.
"""

import os
import sys
import time
from collections.abc import Callable

THREADS = 2
Rows = list[tuple[str, int]]
Query = Callable[[], Rows]


def duckdb(path: str, last: bool) -> Query:
    """Lines as a table of one column, cut and unnested."""
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS})
    # No byte of the texts is \x01: each line is one field.
    lines = f"""read_csv('{path}', columns = {{'line': 'varchar'}}, delim = '\x01', quote = '', escape = '',
        header = false, auto_detect = false)"""
    line = "line" if last else "lower(line)"
    counts = f"""
        select word, count(*) as n from (select unnest(string_split({line}, ' ')) as word from {lines}) where word <> '' group by word"""
    if last:
        counts = f"select lower(word) as word, sum(n)::bigint as n from ({counts}) group by lower(word)"
    query = f"select word, n from ({counts}) order by n desc, word limit 10"
    return lambda: connection.execute(query).fetchall()


def polars(path: str, last: bool) -> Query:
    """The streaming engine."""
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    import polars as pl

    line, word = pl.col("line"), pl.col("word")
    line = line if last else line.str.to_lowercase()
    words = pl.scan_lines(path, name="line").select(word=line.str.split(" ")).explode("word").filter(word != "")
    counts = words.group_by("word").agg(n=pl.len())
    if last:
        counts = counts.group_by(word.str.to_lowercase()).agg(pl.col("n").sum())
    top = counts.sort(["n", "word"], descending=[True, False]).head(10)
    return lambda: top.collect(engine="streaming").rows()


def clickhouse(path: str, last: bool) -> Query:
    """ClickHouse in the process, as chDB."""
    import chdb

    with open(path, "rb") as file:
        is_ascii = all(block.isascii() for block in iter(lambda: file.read(1 << 24), b""))
    lower = "lower" if is_ascii else "lowerUTF8"  # the first is faster, and right for ASCII only
    line = "line" if last else f"{lower}(line)"
    counts = f"""
        select written, count() as k
        from (select arrayJoin(splitByWhitespace({line})) as written from file('{path}', 'LineAsString', 'line String'))
        group by written"""
    if last:
        counts = f"select {lower}(written) as word, sum(k) as n from ({counts}) group by word"
    else:
        counts = f"select written as word, k as n from ({counts})"
    query = f"select word, n from ({counts}) order by n desc, word limit 10 settings max_threads = {THREADS}"

    def run() -> Rows:
        rows = str(chdb.query(query, "TSVRaw")).splitlines()
        return [(word, int(n)) for word, n in (row.split("\t") for row in rows)]

    return run


ENGINES = {"duckdb": duckdb, "polars": polars, "clickhouse": clickhouse}


def main() -> None:
    """Runs one engine."""
    name, lower, path = sys.argv[1:]
    run = ENGINES[name](path, lower == "last")
    started = time.perf_counter()
    rows = run()
    seconds = time.perf_counter() - started
    print(f"seconds {seconds}", file=sys.stderr)
    sys.stdout.buffer.write("".join(f"{word}\t{count}\n" for word, count in rows).encode())


if __name__ == "__main__":
    main()
