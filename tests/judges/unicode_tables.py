"""Owns the proof that the Unicode tables in the repository are what their generators make of the published database.

Does not look anything up in them: unit tests do. Needs node and npm, and a registry.
"""
# when: all

import pathlib
import subprocess
import sys
import tempfile

TABLES = pathlib.Path(__file__).resolve().parents[2] / "kernel/tables"


def main():
    kept = (TABLES / "properties.txt").read_text(encoding="utf-8")
    package = next(word for word in kept.split() if word.startswith("@unicode/"))
    with tempfile.TemporaryDirectory() as folder:
        name = subprocess.run(
            ["npm", "pack", "--silent", package],
            check=True, cwd=folder, stdout=subprocess.PIPE, text=True,
        ).stdout.split()[-1]
        subprocess.run(["tar", "xf", name], check=True, cwd=folder)
        extract = subprocess.run(
            ["node", TABLES / "extract.mjs", f"{folder}/package"],
            check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        ).stdout
    if extract != kept:
        sys.exit("kernel/tables/properties.txt is not what extract.mjs makes of the package that it names")
    subprocess.run([sys.executable, TABLES / "generate.py", "--check"], check=True)
    print("the tables are current")


if __name__ == "__main__":
    main()
