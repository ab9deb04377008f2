"""Sequences and tables in Parquet and Arrow files (extra: arrow)."""

from __future__ import annotations

import glob
import os
import pathlib
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from .. import _check
from .._extras import need
from .lazy import Lazy, Ragged, file_facts
from .sources import Sample

Path = str | os.PathLike[str]
Names = str | Sequence[str]
SUFFIXES = (".parquet", ".pq", ".arrow", ".feather", ".ipc")
ROWS = 1024  # that are decoded at once


class ArrowFiles:
    """Sequences in Parquet or Arrow (feather) files: a source for `Samples` (extra: arrow).

    Args:
        paths: of files; one, several, a directory, or a pattern with *.
        x, y: the column for each. The names of several columns make one array of them: their numbers are its last axis.
        columns: the same for other arguments of `Sequences`.
        group: None: each row is a sequence. Columns of lists are [t], of lists of lists [t, F], and plain ones have one
            value for each sequence. A row group of Parquet, or a batch of Arrow, is a shard. With the name of a column:
            each row is a step, and rows that follow each other and have the same value there are a sequence. A file is
            a shard, and each sequence lies in one file.
        once: with `group`, the arguments that have one value for each sequence: that of its first step.

    Raises:
        ValueError: there is no such file, or no such column, or lists have no numbers where they must.
        ImportError: pyarrow is not there.
    """

    def __init__(
        self,
        paths: Path | Sequence[Path],
        x: Names,
        y: Names | None = None,
        *,
        group: str | None = None,
        once: Collection[str] = (),
        **columns: Names,
    ):
        given = {"x": x, "y": y, **columns}
        self.columns = {name: value for name, value in given.items() if value is not None}
        self.group, self.once = group, (once,) if isinstance(once, str) else tuple(once)
        for name in self.once:
            if name not in self.columns or group is None:
                raise ValueError(f"once: expected {', '.join(self.columns)}, with group=, got {name!r}")
        self.files = _Files(paths, self.columns | ({} if group is None else {"group": group}))
        self.sizes: list[int | None] = [size for _, _, size in self.files.shards]
        if group is not None:
            self.sizes = [None] * len(self.files.paths)

    def read(self, shard: int, seed: list[int], begin: int) -> Iterator[Sample]:
        """The samples of a shard.

        Args:
            shard: its number.
            seed: of the epoch.
            begin: samples to leave out at the shard's beginning.

        Returns:
            An iterator of samples.
        """
        if self.group is not None:
            path = self.files.paths[shard]
            shards = [i for i, (own, _, _) in enumerate(self.files.shards) if own == path]
            batches = (batch for i in shards for batch in self.files.batches(i))
            for number, sample in enumerate(self._grouped(batches)):
                if number >= begin:
                    yield sample
            return
        for batch in self.files.batches(shard):
            rows = batch.slice(begin)
            begin = max(0, begin - len(batch))
            if not len(rows):
                continue
            values = {name: _values(name, rows, names) for name, names in self.columns.items()}
            for i in range(len(rows)):
                yield {name: value[i] for name, value in values.items()}

    def _grouped(self, batches: Iterator[Any]) -> Iterator[Sample]:
        """A sample for each run of rows with the same value of the group's column, also over several batches."""
        parts: list[dict[str, np.ndarray]] = []  # of a sequence that may go on in the next batch
        last = None
        for batch in batches:
            if not len(batch):
                continue
            new = {name: _dense(name, batch, names) for name, names in self.columns.items()}
            ids = _dense("group", batch, str(self.group))
            if parts and ids[0] != last:
                yield self._sample(parts)
                parts = []
            cuts = [0, *(np.flatnonzero(ids[1:] != ids[:-1]) + 1).tolist(), len(ids)]
            for begin, end in pairwise(cuts):
                parts.append({name: value[begin:end] for name, value in new.items()})
                if end < len(ids):
                    yield self._sample(parts)
                    parts = []
            last = ids[-1]
        if parts:
            yield self._sample(parts)

    def _sample(self, parts: list[dict[str, np.ndarray]]) -> Sample:
        return {
            name: parts[0][name][0] if name in self.once else np.concatenate([part[name] for part in parts])
            for name in self.columns
        }

    def _known_by(self) -> Any:
        return [self.files._known_by(), self.columns, self.group, self.once]


class ArrowTable(Lazy):
    """A long table in Parquet or Arrow files, whose rows are steps: an array [n, F] for `Stream` and
    `forecast_windows`, or [n] for one column by its name. Row groups are read when they are asked for (extra: arrow).

    Args:
        paths: of files, in their order; one, several, a directory, or a pattern with *.
        columns: names.
        held: row groups (of Arrow files, batches) that are held in memory: for a `Stream` at least as many as lanes.

    Raises:
        ValueError: there is no such file, or no such column.
        ImportError: pyarrow is not there.
    """

    def __init__(self, paths: Path | Sequence[Path], columns: Names, held: int = 64):
        self.columns = columns if isinstance(columns, str) else list(columns)
        self.files = _Files(paths, {"columns": self.columns})
        self._begins = np.cumsum([0, *(size for _, _, size in self.files.shards)])
        self.dtype = np.result_type(*map(self.files.kind, np.atleast_1d(self.columns).tolist()))
        self.shape = (int(self._begins[-1]), *(() if isinstance(columns, str) else (len(columns),)))
        self._shard = lru_cache(_check.whole_number("held", held, 1))(self._decode)

    def between(self, begin: int, end: int) -> np.ndarray:
        taken = np.empty((end - begin, *self.shape[1:]), self.dtype)
        at = begin
        while at < end:
            shard = int(np.searchsorted(self._begins, at, "right")) - 1
            first, last = self._begins[shard], min(end, self._begins[shard + 1])
            taken[at - begin : last - begin] = self._shard(shard)[at - first : last - first]
            at = int(last)
        return taken

    def _decode(self, shard: int) -> np.ndarray:
        parts = [_values("columns", batch, self.columns) for batch in self.files.batches(shard)]
        return np.concatenate(parts).astype(self.dtype, copy=False)

    def _known_by(self) -> Any:
        return [self.files._known_by(), self.columns]


class _Files:
    """Files of either kind, and the shards in them: (path, number in the file, rows)."""

    def __init__(self, paths: Any, columns: dict[str, Names]):
        self._parquet, self._ipc = (
            need(f"pyarrow.{name}", "arrow", "reading files") for name in ("parquet", "ipc")
        )
        self.paths = _paths(paths)
        self.names = sorted({name for names in columns.values() for name in np.atleast_1d(names).tolist()})
        self.shards: list[tuple[str, int, int]] = []
        self._types: dict[str, set[Any]] = {name: set() for name in self.names}
        for path in self.paths:
            with self._open(path) as file:
                schema = getattr(file, "schema_arrow", None) or file.schema
                for argument, names in columns.items():
                    _expect_columns(argument, names, path, schema.names)
                for name, types in self._types.items():
                    types.add(schema.field(name).type)
                if isinstance(file, self._parquet.ParquetFile):
                    rows = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
                else:
                    rows = [file.get_batch(i).num_rows for i in range(file.num_record_batches)]
            self.shards += [(path, i, size) for i, size in enumerate(rows) if size]

    def _open(self, path: str) -> Any:
        with open(path, "rb") as file:
            magic = file.read(6)
        if magic[:4] == b"PAR1":
            return self._parquet.ParquetFile(path)
        if magic == b"ARROW1":
            return self._ipc.open_file(path)
        raise ValueError(f"paths: expected Parquet or Arrow files, got {path!r}, which is neither")

    def batches(self, shard: int) -> Iterator[Any]:
        """The rows of a shard, so many as are decoded at once."""
        path, number, _ = self.shards[shard]
        with self._open(path) as file:
            if isinstance(file, self._parquet.ParquetFile):
                yield from file.iter_batches(ROWS, row_groups=[number], columns=self.names)
            else:
                yield file.get_batch(number).select(self.names)

    def kind(self, name: str) -> np.dtype:
        """The NumPy type that holds a column of all files."""
        try:
            return np.result_type(*(one.to_pandas_dtype() for one in self._types[name]))
        except (NotImplementedError, TypeError) as error:
            raise ValueError(f"columns: expected numbers in {name!r}, got {error}") from error

    def _known_by(self) -> Any:
        return [file_facts(path) for path in self.paths]


def _paths(paths: Any) -> list[str]:
    found = []
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else list(paths):
        name = os.fspath(path)
        if os.path.isdir(name):
            found += sorted(str(one) for one in pathlib.Path(name).rglob("*") if one.suffix in SUFFIXES)
        else:
            found += sorted(glob.glob(name)) if glob.has_magic(name) and not os.path.exists(name) else [name]
    if not found:
        raise ValueError(f"paths: expected files, got none in {paths!r}")
    return found


def _expect_columns(argument: str, names: Names, path: str, known: list[str]) -> None:
    for name in np.atleast_1d(np.asarray(names, object)).tolist():
        if name not in known:
            raise ValueError(f"{argument}: expected columns of {path!r} ({', '.join(known)}), got {name!r}")


def _values(argument: str, batch: Any, names: Names) -> Any:
    """One value for each row: an array [n, ...], or a Ragged one where they are lists of different lengths."""
    if isinstance(names, str):
        return _array(f"{argument}: column {names!r}", batch.column(names))
    parts = [_values(argument, batch, name) for name in names]
    if not isinstance(parts[0], Ragged):
        return np.stack(parts, axis=-1)
    if any(not np.array_equal(part.offsets, parts[0].offsets) for part in parts if isinstance(part, Ragged)):
        raise ValueError(f"{argument}: expected lists of the same lengths in {', '.join(names)}")
    return Ragged(np.stack([part.values for part in parts], axis=-1), parts[0].offsets)


def _dense(argument: str, batch: Any, names: Names) -> np.ndarray:
    """One value or as many for each row: an array [n, ...]."""
    values = _values(argument, batch, names)
    return _even(f"{argument}: column {names!r}", values) if isinstance(values, Ragged) else values


def _even(what: str, lists: Ragged) -> np.ndarray:
    """[n, F, ...] of lists that all have F."""
    sizes = set(lists.lengths.tolist())
    if len(sizes) > 1:
        raise ValueError(f"{what}: expected as many features in each step, got {min(sizes)} to {max(sizes)}")
    begin, end = int(lists.offsets[0]), int(lists.offsets[-1])
    return lists.values[begin:end].reshape(len(lists), *sizes, *lists.values.shape[1:])


def _array(what: str, column: Any) -> Any:
    kind = column.type
    if hasattr(kind, "index_type"):  # a dictionary
        column = column.dictionary_decode()
    if column.null_count and str(kind) not in ("float", "double", "halffloat"):
        raise ValueError(f"{what}: expected a value in each row, got null in {column.null_count} rows")
    if hasattr(kind, "list_size"):
        inner = _array(what, column.flatten())
        return inner.reshape(len(column), kind.list_size, *inner.shape[1:])
    if not hasattr(kind, "value_type") or hasattr(kind, "index_type"):
        return column.to_numpy(zero_copy_only=False)
    offsets = column.offsets.to_numpy().astype(np.int64)
    inner = _array(what, column.values.slice(offsets[0], offsets[-1] - offsets[0]))
    if isinstance(inner, Ragged):  # lists of steps, each with a list of features
        inner = _even(what, inner)
    return Ragged(inner, offsets - offsets[0])
