"""`python -m bench.tables NAME JSON`: what `bench --out` has written, as the tables of the pages.

A page says where they belong: what stands between `<!-- bench: grid of NAME -->` and `<!-- bench: end -->` is written
anew, so that no figure is typed by hand; likewise `means of NAME`, and `random of NAME` from a run of random shapes.
NAME is the processor's family.
"""

from __future__ import annotations

import argparse
import pathlib
import re

import numpy as np

from bench.report import Report, geometric_mean, table

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "docs/performance.md", ROOT / "README.md"]


def grid(name: str, report: Report, other: Report | None) -> str:
    """The machine, every row, and their means; `other`: the same machine held to another instruction set."""
    titles, rows = report.titles(), [report.cells(row) for row in report.rows]
    if other:
        isa = other.machine["isa"]
        titles += [f"{isa}: of its limit", f"{isa}: PyTorch"]
        there = {row.id: row for row in other.rows}
        for cells in rows:
            row = there.get(cells[0])
            cells += (
                [f"{row.of_limit:.0%} of {row.bound_by}", f"{row.ratio('torch'):.2f}"] if row else ["", ""]
            )
    machine = f"{name}: {report.heading()}"
    if other:
        machine += f" Held to {isa}, {other.machine['date']}: peak {other.machine['peak']['float32']:.0f}."
    return "\n\n".join([machine, table(titles, rows), means(report, other)])


def means(report: Report, other: Report | None = None) -> str:
    """Geometric means and the worst row, for each mode."""
    columns = {
        "to the best peer": {row.id: row.to_best for row in report.rows},
        "to PyTorch": {row.id: row.ratio("torch") for row in report.rows},
    }
    if report.peers == ["torch"]:
        del columns["to the best peer"]
    if other:
        columns[f"{other.machine['isa']}: to PyTorch"] = {row.id: row.ratio("torch") for row in other.rows}
    rows = []
    for mode in dict.fromkeys(row.mode for row in report.rows):
        cells = [mode]
        ids = [row.id for row in report.rows if row.mode == mode]
        for column in columns.values():
            ratios = {id: column[id] for id in ids if not np.isnan(column.get(id, np.nan))}
            worst = min(ratios, key=ratios.__getitem__, default=None)
            cells += ["", ""] if worst is None else [
                f"{geometric_mean(list(ratios.values())):.2f}", f"{worst} {ratios[worst]:.2f}"
            ]  # fmt: skip
        rows.append(cells)
    titles = [title for column in columns for title in (column, "worst row")]
    return table(["geometric mean of speed", *titles], rows)


def short(name: str, report: Report) -> str:
    """The machine in a line, and the means."""
    m = report.machine
    line = (
        f"{name}: {m['processor']}, {m['threads']} threads, {m['isa']}, "
        f"{m['peak']['float32']:.0f} GFLOP/s of measured peak, {m['date']}:"
    )
    return f"{line}\n\n{means(report)}"


def random(report: Report) -> str:
    """The means of a run of random shapes, and where elman is least ahead of PyTorch."""
    rows = [
        [row.id, row.mode, f"{row.ratio('torch'):.2f}", f"{row.of_limit:.0%}", row.bound_by]
        for row in report.worst()
    ]
    m = report.machine
    head = f"{len(report.rows)} shapes, {m['threads']} threads, {m['isa']}, {m['date']}:"
    worst = table(["shape", "mode", "PyTorch", "of its limit", "bound by"], rows)
    return f"{head}\n\n{means(report)}\n\nWhere elman is least ahead:\n\n{worst}"


def written(page: str, name: str, parts: dict[str, str]) -> tuple[str, int]:
    """The page with what belongs into it, and how many places there are."""
    places = 0
    for kind, text in parts.items():
        mark = f"<!-- bench: {kind} of {name} -->"
        place = re.compile(f"{re.escape(mark)}.*?<!-- bench: end -->", re.DOTALL)
        page, count = place.subn(lambda _, new=f"{mark}\n{text}\n<!-- bench: end -->": new, page)
        places += count
    return page, places


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="the processor's family, as the pages have it")
    parser.add_argument("json", type=pathlib.Path)
    parser.add_argument("--other", type=pathlib.Path, help="JSON of a run held to another instruction set")
    parser.add_argument("--random", type=pathlib.Path, help="JSON of a run of random shapes")
    parser.add_argument("--chart", type=pathlib.Path, help="draw it again, with the family's name")
    parser.add_argument(
        "--pages", type=pathlib.Path, nargs="*", default=PAGES, help="default: those of elman"
    )
    options = parser.parse_args()
    report, other = Report.read(options.json), options.other and Report.read(options.other)
    parts = {"grid": grid(options.name, report, other), "means": short(options.name, report)}
    if options.random:
        parts["random"] = random(Report.read(options.random))
    total = 0
    for path in options.pages:
        page, places = written(path.read_text(), options.name, parts)
        path.write_text(page)
        print(f"{path}: {places} places")
        total += places
    if options.chart:
        report.chart(options.chart, options.name)
    if not total:
        raise SystemExit(f"expected a place for {options.name} in the pages, got none")


if __name__ == "__main__":
    main()
