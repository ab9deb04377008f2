"""Files that can be read in a sitting."""

import pathlib

ROOT = pathlib.Path(__file__).parents[2]
MOST_LINES = 300
CODE = {".py", ".pyi", ".h", ".cpp", ".cu", ".inc", ".cmake"}


def test_no_file_is_longer_than_it_may_be():
    files = [path for room in ("csrc", "python", "tests", "bench") for path in (ROOT / room).rglob("*")]
    lines = {path: len(path.read_text().splitlines()) for path in files if path.suffix in CODE}
    long = [f"{path.relative_to(ROOT)}, {n} lines" for path, n in lines.items() if n > MOST_LINES]
    assert len(lines) > 200 and not long, f"more than {MOST_LINES} lines: {'; '.join(long)}"
