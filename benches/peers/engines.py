"""DuckDB, Polars and ClickHouse as word counters: `engines.py ENGINE FILE` prints the ten most frequent words between spaces.

Each does it in the fastest way that was found to be right for every text; both the ways and their figures are in the record.
Standard error tells the seconds of the query alone, without starting Python, importing the engine or setting it up: in favour of the engine.
"""

import os
import sys
import time
from collections.abc import Callable

THREADS = 2
Rows = list[tuple[str, int]]


def duckdb(path: str) -> Callable[[], Rows]:
    """Lines as a table of one column, cut and unnested."""
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS})
    # No byte of the texts is \x01: each line is one field.
    lines = f"""read_csv('{path}', columns = {{'line': 'varchar'}}, delim = '\x01', quote = '', escape = '',
        header = false, auto_detect = false)"""
    query = f"""
        select word, count(*) as n from (select unnest(string_split(lower(line), ' ')) as word from {lines})
        where word <> '' group by word order by n desc, word limit 10"""
    return lambda: connection.execute(query).fetchall()


def polars(path: str) -> Callable[[], Rows]:
    """The streaming engine."""
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    import polars as pl

    line = pl.col("line")
    words = pl.scan_lines(path, name="line").select(word=line.str.to_lowercase().str.split(" ")).explode("word")
    counts = words.filter(pl.col("word") != "").group_by("word").len()
    top = counts.sort(["len", "word"], descending=[True, False]).head(10)
    return lambda: top.collect(engine="streaming").rows()


def clickhouse(path: str) -> Callable[[], Rows]:
    """ClickHouse in the process, as chDB."""
    import chdb

    with open(path, "rb") as file:
        is_ascii = all(block.isascii() for block in iter(lambda: file.read(1 << 24), b""))
    lower = "lower" if is_ascii else "lowerUTF8"  # the first is faster and right for ASCII only
    query = f"""
        select word, count() as n
        from (select arrayJoin(splitByChar(' ', {lower}(line))) as word from file('{path}', 'LineAsString', 'line String'))
        where word <> '' group by word order by n desc, word limit 10 settings max_threads = {THREADS}"""

    def run() -> Rows:
        rows = str(chdb.query(query, "TSVRaw")).splitlines()
        return [(word, int(n)) for word, n in (row.split("\t") for row in rows)]

    return run


ENGINES = {"duckdb": duckdb, "polars": polars, "clickhouse": clickhouse}


def main() -> None:
    """Runs one engine."""
    name, path = sys.argv[1:]
    run = ENGINES[name](path)
    started = time.perf_counter()
    rows = run()
    seconds = time.perf_counter() - started
    print(f"seconds {seconds}", file=sys.stderr)
    sys.stdout.buffer.write("".join(f"{word}\t{count}\n" for word, count in rows).encode())


if __name__ == "__main__":
    main()
