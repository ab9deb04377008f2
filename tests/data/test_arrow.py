"""Sequences and tables in Parquet and Arrow files."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elman.data import ArrowFiles, ArrowTable, Samples, Sequences, Stream, forecast_windows
from elman.data.fingerprint import fingerprint
from elman.models import SequenceTagger
from elman.train import fit
from tests.support.runs import same

WRITERS = {
    "parquet": lambda table, path, rows: pq.write_table(table, path, row_group_size=rows),
    "feather": lambda table, path, rows: _ipc(table, path, rows),
}


def _ipc(table, path, rows):
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)


@pytest.fixture(params=WRITERS)
def write(request, tmp_path):
    def write(table, name="a", rows=5):
        path = tmp_path / f"{name}.{request.param}"
        WRITERS[request.param](table if isinstance(table, pa.Table) else pa.table(table), path, rows)
        return path

    return write


def drawn(n=23, seed=0):
    """Lists of steps with two features and a tag each, and one value for each sequence."""
    rng = np.random.default_rng(seed)
    x = [rng.standard_normal((t, 2)).astype(np.float32) for t in rng.integers(1, 7, n)]
    return x, [rng.integers(0, 3, len(one)) for one in x], rng.standard_normal(n)


def read(source, seed=None):
    return [sample for shard in range(len(source.sizes)) for sample in source.read(shard, [0], 0)]


def check(source, x, y):
    got = read(source)
    assert len(got) == len(x)
    for sample, one, other in zip(got, x, y, strict=True):
        np.testing.assert_array_equal(sample["x"], one, strict=True)
        np.testing.assert_array_equal(sample["y"], other)
    for shard in range(len(source.sizes)):  # from any place on
        whole = list(source.read(shard, [0], 0))
        for begin in (1, 3, len(whole)):
            rest = list(source.read(shard, [0], begin))
            assert [len(s["x"]) for s in rest] == [len(s["x"]) for s in whole[begin:]]


def test_a_column_of_numbers_of_several_types(write):
    """Whole numbers in one file and fractions in another, whichever comes last."""
    whole, parts = write({"a": [1, 2]}, "whole"), write({"a": [0.5, 1.5]}, "parts")
    for paths, want in (((whole, parts), [1, 2, 0.5, 1.5]), ((parts, whole), [0.5, 1.5, 1, 2])):
        table = ArrowTable(paths, "a")
        assert table.dtype == np.float64 and table[:].tolist() == want


def test_rows_with_lists_of_lists(write):
    x, tags, values = drawn()
    path = write({"x": [one.tolist() for one in x], "tags": [one.tolist() for one in tags], "value": values})
    x = [one.astype(np.float64) for one in x]
    source = ArrowFiles(path, "x", "tags")
    assert source.sizes == [5, 5, 5, 5, 3]
    check(source, x, tags)
    check(ArrowFiles(path, x="x", y="value"), x, values)


def test_rows_with_a_column_for_each_feature(write):
    x, tags, _ = drawn()
    kind = pa.list_(pa.float32())
    table = pa.table({
        "a": pa.array([one[:, 0] for one in x], kind), "b": pa.array([one[:, 1] for one in x], kind),
        "tags": [one.tolist() for one in tags],
    })  # fmt: skip
    check(ArrowFiles(write(table), ["a", "b"], "tags"), x, tags)


def test_rows_with_lists_of_fixed_size(write, rng):
    x = rng.standard_normal((12, 3, 2)).astype(np.float32)
    steps = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 2)
    table = pa.table({"x": pa.FixedSizeListArray.from_arrays(steps, 3), "y": np.arange(12)})
    source = ArrowFiles(write(table), "x", "y")
    check(source, list(x), np.arange(12))
    (batch,) = Samples(source).batches(12)
    assert batch.lengths is None and batch.x.shape == (3, 12, 2)
    ragged = pa.table(
        {"x": pa.array([[[1.0, 2.0]] * t for t in (1, 3)], pa.list_(pa.list_(pa.float64(), 2)))}
    )
    (one, other) = read(ArrowFiles(write(ragged, "b"), "x"))
    assert one["x"].shape == (1, 2) and other["x"].shape == (3, 2)


def long(x, tags, values):
    steps = [len(one) for one in x]
    flat = np.concatenate(x)
    return pd.DataFrame({
        "id": np.repeat([f"s{i}" for i in range(len(x))], steps), "a": flat[:, 0], "b": flat[:, 1],
        "tag": np.concatenate(tags), "value": np.repeat(values, steps),
    })  # fmt: skip


def test_rows_as_steps(write, monkeypatch):
    x, tags, values = drawn()
    paths = []
    for i, (begin, end) in enumerate([(0, 9), (9, 23)]):
        part = long(x[begin:end], tags[begin:end], values[begin:end])
        paths.append(write(pa.Table.from_pandas(part), f"part{i}", rows=7))
    for rows in (3, 1024):
        monkeypatch.setattr("elman.data.arrow.ROWS", rows)
        check(ArrowFiles(paths, ["a", "b"], "tag", group="id"), x, tags)
        source = ArrowFiles(paths, ["a", "b"], "value", group="id", once=["y"])
        assert source.sizes == [None, None]
        check(source, x, values)
    pattern = paths[0].with_name("part*" + paths[0].suffix)
    check(ArrowFiles(str(pattern), ["a", "b"], "tag", group="id"), x, tags)
    check(ArrowFiles(paths[0].parent, ["a", "b"], "tag", group="id"), x, tags)


def test_further_columns(write):
    x, _, values = drawn(8)
    table = {"x": [one.tolist() for one in x], "y": values, "known": [[[1.0, 2.0]] * 3] * 8}
    source = Samples(ArrowFiles(write(table), "x", "y", future="known"))
    (batch,) = source.batches(8)
    assert batch.future.shape == (3, 8, 2)


def test_trains_as_in_memory(write, tmp_path):
    x, tags, _ = drawn(40)
    table = {"x": pa.array([one.tolist() for one in x], pa.list_(pa.list_(pa.float32()))),
             "y": [one.tolist() for one in tags]}  # fmt: skip
    source = ArrowFiles(write(table), "x", "y")
    models = [SequenceTagger(3, input_size=2, hidden_size=4, seed=0) for _ in range(2)]
    fit(models[0], Samples(source, window=16), epochs=2, seed=0, progress=False, batch_size=8)
    parts = [(sample["x"], sample["y"]) for sample in read(source)]

    class Same:
        sizes = source.sizes

        def read(self, shard, seed, begin):
            begin += sum(self.sizes[:shard])
            return parts[begin : sum(self.sizes[: shard + 1])]

    fit(models[1], Samples(Same(), window=16), epochs=2, seed=0, progress=False, batch_size=8)
    assert same(models[0].state_dict(), models[1].state_dict())


def test_a_table_is_an_array(write, rng):
    values = rng.standard_normal((53, 3)).astype(np.float32)
    tokens = rng.integers(0, 9, 53)
    frame = {"a": values[:, 0], "b": values[:, 1], "c": values[:, 2], "token": tokens}
    paths = [
        write({name: column[:20] for name, column in frame.items()}, "a", 6),
        write({name: column[20:] for name, column in frame.items()}, "b", 9),
    ]
    table, token = ArrowTable(paths, ["a", "b", "c"]), ArrowTable(paths, "token", held=2)
    assert table.shape == (53, 3) and table.dtype == np.float32 and token.shape == (53,)
    for index in (slice(None), slice(3, 3), slice(5, 31), -1, np.array([52, 0, 19, 20, 21, 0])):
        np.testing.assert_array_equal(table[index], values[index])
        np.testing.assert_array_equal(token[index], tokens[index])
    pairs = [
        (Stream(token, steps=4), Stream(tokens, steps=4)),
        (Stream(table, token, steps=4), Stream(values, tokens, steps=4)),
        (forecast_windows(table, 5, 2, [2]), forecast_windows(values, 5, 2, [2])),
        (Sequences(forecast_windows(table, 5, 2).x), Sequences(forecast_windows(values, 5, 2).x)),
    ]
    for there, here in pairs:
        for batch, other in zip(there.batches(4, 0), here.batches(4, 0), strict=True):
            np.testing.assert_array_equal(batch.x, other.x, strict=True)
            assert (batch.y is None) == (other.y is None)
            if other.y is not None:
                np.testing.assert_array_equal(batch.y, other.y)


def test_fingerprints(write):
    x, tags, _ = drawn()
    path = write({"x": [one.tolist() for one in x], "y": [one.tolist() for one in tags]})
    known = fingerprint(Samples(ArrowFiles(path, "x", "y")))
    assert (
        known
        == fingerprint(Samples(ArrowFiles(path, "x", "y")))
        != fingerprint(Samples(ArrowFiles(path, "y", "y")))
    )
    write({"x": [one.tolist() for one in x[:-1]], "y": [one.tolist() for one in tags[:-1]]})
    assert known != fingerprint(Samples(ArrowFiles(path, "x", "y")))


def test_missing_numbers(write):
    table = {"x": [[1.0, None], [None]], "y": pa.array([1, None], pa.int64()), "l": [None, [1.0]]}
    path = write(table)
    one, other = read(ArrowFiles(path, "x"))
    np.testing.assert_array_equal(one["x"], [1.0, np.nan])
    np.testing.assert_array_equal(other["x"], [np.nan])
    for name, count in (("y", 1), ("l", 1)):
        with pytest.raises(
            ValueError, match=f"x: column '{name}': expected a value in each row, got null in {count} rows"
        ):
            read(ArrowFiles(path, name))


def test_refusals(write, tmp_path):
    path = write({"x": [[[1.0, 2.0], [1.0]]], "a": [[1.0]], "b": [[1.0, 2.0]]})
    with pytest.raises(ValueError, match=r"y: expected columns of '.*' \(x, a, b\), got 'z'"):
        ArrowFiles(path, "x", "z")
    with pytest.raises(ValueError, match=r"group: expected columns of '.*' .*, got 'id'"):
        ArrowFiles(path, "x", group="id")
    with pytest.raises(ValueError, match=r"once: expected x, with group=, got 'y'"):
        ArrowFiles(path, "x", group="a", once="y")
    with pytest.raises(ValueError, match="x: column 'x': expected as many features in each step, got 1 to 2"):
        read(ArrowFiles(path, "x"))
    with pytest.raises(ValueError, match="x: expected lists of the same lengths in a, b"):
        read(ArrowFiles(path, ["a", "b"]))
    with pytest.raises(ValueError, match=r"paths: expected files, got none in '.*nothing.*parquet'"):
        ArrowFiles(str(tmp_path / "nothing*.parquet"), "x")
    with pytest.raises(FileNotFoundError):
        ArrowFiles(tmp_path / "nothing.parquet", "x")
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(
        ValueError, match=r"paths: expected Parquet or Arrow files, got '.*', which is neither"
    ):
        ArrowFiles(tmp_path / "text.parquet", "x")
    with pytest.raises(ValueError, match="held: expected a whole number of at least 1, got 0"):
        ArrowTable(path, "a", held=0)
