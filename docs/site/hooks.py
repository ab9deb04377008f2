"""What makes the site of `make docs` out of the repository: pages outside docs/, the navigation, the reference.

A page is written for the repository: its links are paths there. Here they become those of the site.
"""

from __future__ import annotations

import fnmatch
import json
import pathlib
import posixpath
import re
from typing import Any

import griffe
from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[2]
# Pages of the site that lie outside docs/.
OUTSIDE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "examples.md": "examples/README.md",
}
OUTSIDE = {page: path for page, path in OUTSIDE.items() if (ROOT / path).exists()}
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")
CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)


def path_of(page: str) -> str:
    """Where a page of the site lies in the repository."""
    return OUTSIDE.get(page, f"docs/{page}")


def page_of(path: str) -> str:
    """Where a file of the repository lies on the site."""
    pages = {outside: page for page, outside in OUTSIDE.items()}
    return pages.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else f"source/{path}")


def target_of(page: str, link: str) -> str | None:
    """The file of the repository that a link names; None of one to elsewhere, or to a place on its page."""
    path = link.partition("#")[0]
    if not path or re.match(r"[a-z]+:", link):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(path_of(page)), path))


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie elsewhere, the reference, and what pages link to outside docs/."""
    for page, path in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    for page, text in reference().items():
        files.append(File.generated(config, page, content=text))
    for file in list(files.documentation_pages()):
        if file.src_uri.startswith("reference/"):
            continue
        for _, link, _ in LINK.findall(CODE.sub("", file.content_string)):
            path = target_of(file.src_uri, link)
            if path and not files.get_file_from_path(page_of(path)) and (ROOT / path).is_file():
                files.append(File.generated(config, page_of(path), abs_src_path=str(ROOT / path)))
    pages = [file.src_uri for file in files.documentation_pages()]
    config.nav = navigation(config.nav, pages)
    return files


def navigation(nav: list[Any], pages: list[str]) -> list[Any]:
    """`nav` with each pattern replaced by the pages that fit it and that no other line names."""
    named = set(re.findall(r"[\w./-]+\.md", repr(nav)))

    def resolve(entry: Any) -> list[Any]:
        if isinstance(entry, dict):
            ((title, inner),) = entry.items()
            if isinstance(inner, str):
                return [entry] if inner in pages else []
            found = [one for part in inner for one in resolve(part)]
            return [{title: found}] if found else []
        if "*" not in entry:
            return [entry] if entry in pages else []
        depth = entry.count("/")
        fitting = (page for page in pages if fnmatch.fnmatch(page, entry) and page.count("/") == depth)
        fitting = (page for page in fitting if page not in named)
        return sorted(fitting, key=lambda page: page.removesuffix(".md"))  # a package before what is in it

    return [one for entry in nav for one in resolve(entry)]


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links between files of the repository as links between pages of the site."""
    here = page.file.src_uri
    if here.startswith("reference/"):
        return markdown

    if 'class="grid"' in markdown:  # two columns want the room
        page.meta["hide"] = ["toc"]

    def relink(match: re.Match[str]) -> str:
        path = target_of(here, match[2])
        if path is None:
            return match[0]
        fragment = match[2].partition("#")[1:]
        link = posixpath.relpath(page_of(path), posixpath.dirname(here) or ".")
        return f"{match[1]}{link}{''.join(fragment)}{match[3]}"

    parts = CODE.split(markdown)
    return "".join(part if i % 2 else LINK.sub(relink, part) for i, part in enumerate(parts))


# The reference: a page for each module that has an `__all__`.


def public_modules(extensions: griffe.Extensions | None = None) -> dict[str, griffe.Module]:
    """By name, the package first. They are read, not imported."""
    package = griffe.load(
        "elman", search_paths=[str(ROOT / "python")], allow_inspection=False, extensions=extensions
    )
    found: dict[str, griffe.Module] = {}

    def walk(module: griffe.Module) -> None:
        if module.exports is not None:
            found[module.path] = module
        for inner in module.modules.values():
            if not inner.is_alias and not inner.name.startswith("_"):
                walk(inner)

    walk(package)
    return dict(sorted(found.items()))


def member(module: griffe.Module, name: str) -> Any:
    """What a module means by a name: where it has a file of that name too (`fit`), what it takes from that file."""
    thing = module[name]
    return thing[name] if thing.is_module and thing.exports is None else thing


def homes(modules: dict[str, griffe.Module]) -> dict[str, str]:
    """For each thing that a module names (`elman.train.Adam`), where it is shown (`elman.optim.Adam`): of the modules
    that name it the innermost around its definition."""
    names: dict[str, list[str]] = {}
    for path, module in modules.items():
        for name in module.exports:
            names.setdefault(member(module, name).canonical_path, []).append(f"{path}.{name}")

    def home(target: str, all_names: list[str]) -> str:
        around = [n for n in all_names if target.startswith(n.rpartition(".")[0] + ".")]
        return max(around or all_names, key=lambda n: n.count("."))

    return {name: home(target, found) for target, found in names.items() for name in found}


def reference() -> dict[str, str]:
    """The text of each page of the reference."""
    modules = public_modules()
    shown = homes(modules)
    return {f"reference/{path}.md": page_text(module, shown) for path, module in modules.items()}


def page_text(module: griffe.Module, shown: dict[str, str]) -> str:
    """A table of all names of a module, then those that are shown here."""
    path = module.path
    things = {name: member(module, name) for name in sorted(module.exports) if not name.startswith("__")}
    lines = [
        f"# {path}",
        "",
        anchor(path),
        "",
        f"::: {path}",
        *options(show_root_heading=False, show_root_toc_entry=False, members=False),
        "",
    ]
    lines += [
        "| | |",
        "|---|---|",
        *(row(name, thing, shown[f"{path}.{name}"]) for name, thing in things.items()),
    ]
    for name, thing in things.items():
        here = f"{path}.{name}"
        if shown[here] == here and not thing.is_module:
            same = thing.path == here
            lines += ["", *([] if same else [anchor(here), ""])]
            lines += [f"::: {thing.path}", *options(inherited_members=hidden(thing, shown))]
    return "\n".join(lines)


def anchor(name: str) -> str:
    """A place that `[...][name]` leads to."""
    return f"[](){{#{name}}}"


def row(name: str, thing: Any, home: str) -> str:
    """The name, with a link to where it is shown, and the first sentence about it."""
    return f"| [`{name}`][{home}] | {first_sentence(thing.docstring.value if thing.docstring else '')} |"


def first_sentence(text: str) -> str:
    paragraph = " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")
    return re.split(r"(?<=\.)(?<!al\.)\s", paragraph, maxsplit=1)[0].rstrip(":;.")


def hidden(thing: Any, shown: dict[str, str]) -> list[str]:
    """What a class has from bases that are on no page, which its own page shows therefore."""
    thing = thing.final_target if thing.is_alias else thing
    if not thing.is_class:
        return []
    public = {thing.modules_collection[home].canonical_path for home in shown.values()}
    return [
        name
        for name, member in thing.inherited_members.items()
        if member.final_target.docstring is not None
        and (not name.startswith("_") or name in ("__init__", "__call__"))
        and member.final_target.parent.path not in public
    ]


def options(**values: Any) -> list[str]:
    """Lines of options under a `:::`, in YAML, of which JSON is a part."""
    return ["    options:", *(f"      {name}: {json.dumps(value)}" for name, value in values.items())]
