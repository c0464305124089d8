"""Debian's packages as sources of texts: downloaded and unpacked, not installed."""

import hashlib
import os
import subprocess
from pathlib import Path


class Packages:
    """Packages under a folder, each downloaded once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "packages"
        self.used: dict[str, str] = {}  # file name of each package that was asked for, and its SHA-256
        self.apt = ["apt-get", "-q", "-o", f"Dir::State::Lists={self.folder}/lists"]
        # apt keeps no index of its own beside ours, and needs no root.
        self.apt += ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "-o", "Acquire::Retries=3"]
        self.apt += ["-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=1"]

    def unpack(self, name: str) -> Path:
        """The folder with what the package would install."""
        root = self.folder / name
        if not root.exists():
            self._run([*self.apt, "download", name], self._download_folder(name))
            unfinished = self.folder / f"{name}.unfinished"
            subprocess.run(["dpkg-deb", "-x", str(self._archive(name)), str(unfinished)], check=True)
            unfinished.rename(root)
        archive = self._archive(name)
        self.used[archive.name] = hashlib.sha256(archive.read_bytes()).hexdigest()
        return root

    def _download_folder(self, name: str) -> Path:
        lists = self.folder / "lists"
        if not any(lists.glob("*Packages*")):
            (lists / "partial").mkdir(parents=True, exist_ok=True)
            self._run([*self.apt, "update"], self.folder)
        folder = self.folder / f"{name}.deb"
        folder.mkdir(exist_ok=True)
        for left in folder.glob("*.deb"):
            left.unlink()
        return folder

    def _archive(self, name: str) -> Path:
        (archive,) = (self.folder / f"{name}.deb").glob("*.deb")
        return archive

    def _run(self, command: list[str], folder: Path) -> None:
        environment = os.environ | {"LC_ALL": "C"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
