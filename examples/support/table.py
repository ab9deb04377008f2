"""Rewrites the table of examples/README.md, and its pictures, from what the last full runs measured.

python examples/support/table.py [out/examples]
"""

from __future__ import annotations

import json
import pathlib
import shutil
import sys

EXAMPLES = pathlib.Path(__file__).parents[1]
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"


def row(record: dict) -> str:
    """A figure is bold where it beats all of its baselines; one that stands for several figures is named once."""
    figures: dict[tuple[str, float], bool] = {}
    baselines = []
    for result in record["results"]:
        figure, baseline = (result["metric"], result["value"]), result["baseline"]
        if baseline is not None:
            lower = result["better"] == "lower"
            wins = result["value"] < baseline if lower else result["value"] > baseline
            figures[figure] = figures.get(figure, True) and wins
            baselines.append(f"{result['baseline_name']} {baseline:.4g}")
        else:
            figures[figure] = False
    measured = [
        f"{metric} **{value:.4g}**" if wins else f"{metric} {value:.4g}"
        for (metric, value), wins in figures.items()
    ]
    seconds = record["seconds"]
    time = f"{seconds / 60:.1f} min" if seconds > 90 else f"{seconds:.0f} s"
    cells = [
        record["title"],
        "<br>".join(measured),
        "<br>".join(dict.fromkeys(baselines)),
        time,
        f"`{record['command']}`",
        record["date"],
    ]
    return "| " + " | ".join(cells) + " |\n"


def main() -> None:
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
    records = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    table = "| | measured | to beat, on the same split | time | command | date |\n|---|---|---|---|---|---|\n"
    table += "".join(map(row, records))
    missing = [
        path.name for path in sorted(EXAMPLES.glob("*.py")) if not (out / f"{path.stem}.json").exists()
    ]
    if missing:
        table += f"\nNot measured yet: {', '.join(missing)}.\n"
    page = EXAMPLES / "README.md"
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(before + BEGIN + table + END + after)
    for path in sorted(out.glob("*.json")):
        picture = path.with_suffix(".png")
        if json.loads(path.read_text())["free_picture"] and picture.exists():
            shutil.copy(picture, EXAMPLES / "pictures" / picture.name)


if __name__ == "__main__":
    main()
