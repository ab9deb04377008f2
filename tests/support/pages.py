"""The pages of the repository: their code, what they link to, their headings."""

from __future__ import annotations

import pathlib
import re
import textwrap

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "examples/README.md",
]
FENCE = re.compile(
    r"^(?P<indent>[ \t]*)```(?P<language>\w*)[^\n]*\n(?P<block>.*?)^(?P=indent)```[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
STEP = re.compile(rf"^<!-- test:(?P<hidden>.*?)-->|{FENCE.pattern}", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!`)!?\[[^\]\n]*\]\(([^)\s]+)\)")


def name_of(page: pathlib.Path) -> str:
    return str(page.relative_to(ROOT))


def code_of(page: pathlib.Path) -> list[tuple[int, str]]:
    """What a page runs, in order, each with its line: blocks of ```python, and comments `<!-- test: ... -->`, which
    nobody sees and which make names that the blocks need or look at what they did."""
    text = page.read_text()
    steps = []
    for match in STEP.finditer(text):
        kind = "hidden" if match["hidden"] is not None else "block"
        if kind == "hidden" or match["language"] == "python":
            line = text.count("\n", 0, match.start(kind)) + 1
            steps.append((line, textwrap.dedent(match[kind]).strip(" ")))
    return steps


def blocks_of(page: pathlib.Path, *languages: str) -> list[str]:
    """The blocks of code in these languages ("" for those that name none)."""
    return [block for _, language, block in FENCE.findall(page.read_text()) if language in languages]


def links_of(page: pathlib.Path) -> list[str]:
    return LINK.findall(FENCE.sub("", page.read_text()))


def anchors_of(page: pathlib.Path) -> set[str]:
    """Of its headings, as GitHub and mkdocs make them."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCE.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"[ ]", "-", heading) for heading in plain}
