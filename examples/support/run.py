"""The command line of every example, and how its results are shown and kept."""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib
import sys
import time
from dataclasses import asdict, dataclass

QUICK = "--quick: a small slice and hardly any training, to see that it runs. The figures mean nothing."


@dataclass
class Result:
    """One figure beside its baseline, on the same split.

    `better` is "lower" or "higher"; a baseline of None says that there is none to compare with.
    """

    metric: str
    value: float
    baseline: float | None = None
    baseline_name: str = ""
    better: str = "lower"

    @property
    def wins(self) -> bool | None:
        if self.baseline is None:
            return None
        return self.value < self.baseline if self.better == "lower" else self.value > self.baseline


class Example:
    """One example's run: parses its arguments, knows where its results go, and reports them.

    Arguments that all examples have: --quick (a small slice and few epochs, to see that it runs), --data (the
    user's own files, where it takes such), --out (a folder for the model, the picture and the figures), --seed.
    """

    def __init__(self, title: str, doc: str, data_help: str, free_picture: bool = True, **more: dict):
        """`data_help`: of --data; "" where the example takes no other data.
        `free_picture`: False where the picture shows data whose licence does not let it stand in this repository.
        `more`: further arguments for argparse, `epochs={"type": int, "default": 10}`."""
        self.name = pathlib.Path(sys.argv[0]).stem
        self.title, self.free_picture = title, free_picture
        parser = argparse.ArgumentParser(
            description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument(
            "--quick",
            action="store_true",
            help="a small slice, to see that it runs; its figures mean nothing",
        )
        parser.set_defaults(data=None)
        if data_help:
            parser.add_argument("--data", type=pathlib.Path, help=data_help)
        parser.add_argument(
            "--out", type=pathlib.Path, default=pathlib.Path("out/examples"), help="a folder for results"
        )
        parser.add_argument("--seed", type=int, default=0)
        for name, options in more.items():
            parser.add_argument(f"--{name.replace('_', '-')}", **options)
        self.options = parser.parse_args()
        given = vars(self.options).items()
        self.as_usual = all(value == parser.get_default(name) for name, value in given if name != "out")
        self.options.out.mkdir(parents=True, exist_ok=True)
        self._begin = time.perf_counter()
        if self.quick:
            print(f"{QUICK}\n", flush=True)

    @property
    def quick(self) -> bool:
        return self.options.quick

    def path(self, end: str) -> pathlib.Path:
        """A file for this example's results: `path("safetensors")` is out/examples/name.safetensors."""
        return self.options.out / f"{self.name}.{end}"

    def report(self, results: list[Result], note: str = "") -> None:
        """Print the figures, and keep them for the table of all examples, whose commands have no options."""
        seconds = time.perf_counter() - self._begin
        print(f"\n{self.title}, after {seconds:.0f} s")
        for result in results:
            against = ""
            if result.baseline is not None:
                against = f"   {result.baseline_name}: {result.baseline:.4g}   ({result.better} is better)"
            print(f"  {result.metric}: {result.value:.4g}{against}")
        if note:
            print(f"  {note}")
        if self.quick:
            print(f"  {QUICK}")
        for end in ("safetensors", "png"):
            if self.path(end).exists():
                print(f"  {self.path(end)}")
        if self.as_usual:
            record = {
                "title": self.title,
                "command": f"python examples/{self.name}.py",
                "results": [asdict(result) for result in results],
                "note": note,
                "free_picture": self.free_picture,
                "seconds": seconds,
                "date": datetime.date.today().isoformat(),
            }
            self.path("json").write_text(json.dumps(record, indent=1))
