"""The programs that are measured: ours, the rivals of this folder's package, and the engines that PyPI carries."""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

# Without what the engines ask for and a count does not need (pandas, pyarrow).
PACKAGES = ["duckdb==2.0.1", "polars==2.1.0", "polars-runtime-32==2.1.0", "chdb==4.4.0", "chdb-core==26.9.0"]


def prepare(small: bool, musl: bool) -> dict[str, str]:
    """Builds and installs; the words that commands use for programs, and their paths. `musl`: the static build too."""
    profile = "debug" if small else "release"
    cargo = ["cargo", "build", "--locked", "--package", "fanout-benches", "--bin", "rival"]
    cargo += ["--package", "fanout-kernel", "--bin", "topn"]
    run([*cargo, *([] if small else ["--release"])])
    paths = {
        "topn": str(ROOT / "target" / profile / "topn"),
        "rival": str(ROOT / "target" / profile / "rival"),
        "python": sys.executable,
        "engines": f"{engines()} {HERE / 'engines.py'}",
        "here": str(HERE),
    }
    if musl:
        run([str(ROOT / "deploy/build-node.sh"), "x86_64"])
        paths["musl"] = str(ROOT / "target/node/x86_64/topn")
    return paths


def engines() -> Path:
    """The Python that has the engines, installed under `target/` once for these versions."""
    folder = ROOT / "target/peers/engines"
    python = folder / "bin/python"
    stamp = folder / "installed"
    wanted = "\n".join(PACKAGES)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--retries=10"]
        run([*pip, *PACKAGES])
        stamp.write_text(wanted, encoding="utf-8")
    return python


def run(command: list[str]) -> None:
    """Runs what prepares; what it says goes to standard error."""
    if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode != 0:
        raise SystemExit(f"failed: {' '.join(command)}")


def versions(paths: dict[str, str]) -> list[str]:
    """What was measured, one thing a line."""
    commands = [
        [paths["topn"], "--version"],
        ["rustc", "--version"],
        [paths["python"], "--version"],
        ["uname", "-sr"],
    ]
    said = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() for command in commands]
    return said + PACKAGES


def commit() -> str:
    """The commit that is checked out, with a mark if something but records is changed."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", ".", ":!benches/record"], check=False).returncode != 0
    return f"{head}-changed" if changed else head
