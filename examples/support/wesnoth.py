"""Artist-drawn animations of the game The Battle for Wesnoth: short clips, and what each shows.

The units' configuration (WML) says which frames are drawn when a unit strikes, shoots, idles or dies, and who it is.
Clips and configuration are read out of the Debian package wesnoth-1.16-data (GPL-2+) and kept in one .npz file.
"""

from __future__ import annotations

import io
import json
import pathlib
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import numpy as np
from PIL import Image, ImageSequence

from . import data

PACKAGE = "wesnoth-1.16-data"
OWN_CLIPS = "a folder of animated GIF or PNG files, action/unit/name.gif; folds share no unit"
SIZE = 96  # rows and columns of a frame
TAGS = {
    "idle_anim": "idle",
    "standing_anim": "idle",
    "death": "die",
}  # and attack_anim, whose action depends on the weapon's range


@dataclass
class Clip:
    """`frames` are rows of the array of images; clips that have a unit or an image in common are of one `group`."""

    action: str
    unit: str
    race: str
    gender: str
    weapon: str
    frames: list[int]
    group: int = 0


@dataclass
class Tag:
    """[name] with its values, and the tags in it, in their order."""

    name: str
    values: dict[str, str] = field(default_factory=dict)
    tags: list[Tag] = field(default_factory=list)

    def all(self, name: str) -> list[Tag]:
        return [tag for tag in self.tags if tag.name == name]


TOKEN = re.compile(
    r"#[^\n]*"  # a comment
    r"|\[(?P<open>[+a-z_]+)\]"
    r"|\[/(?P<close>[+a-z_]+)\]"
    r'|^[ \t]*(?P<key>[a-z_,]+)[ \t]*=[ \t]*(?P<value>(?:_?[ \t]*"(?:[^"]|"")*"|[^"\n#])*)',
    re.MULTILINE,
)


def parse(text: str) -> Tag:
    """The tags of a WML file. Macros are left as they are: clips made by macros alone are not found."""
    root = Tag("")
    path = [root]
    for token in TOKEN.finditer(text):
        if token["open"]:
            tag = Tag(token["open"].lstrip("+"))
            path[-1].tags.append(tag)
            path.append(tag)
        elif token["close"] and len(path) > 1:
            path.pop()
        elif token["key"]:
            path[-1].values[token["key"]] = re.sub(r'_?\s*"([^"]*)"', r"\1", token["value"]).strip()
    return root


def variants(animation: Tag) -> Iterator[list[str]]:
    """Image paths of an animation, once for each branch of its [if] and [else] (mostly one for each direction)."""
    branches = max([1, *(1 + len(animation.all("else")) for _ in animation.all("if")[:1])])
    for branch in range(branches):
        images, number = [], 0
        for tag in animation.tags:
            number = number + 1 if tag.name == "else" else 0
            last = tag.name in ("if", "else")
            if tag.name == "frame":
                images += expand(tag.values.get("image", ""))
            elif last and number == branch:
                for frame in tag.all("frame"):
                    images += expand(frame.values.get("image", ""))
        yield images


def expand(images: str) -> list[str]:
    """`a-[1~3,2].png:[100*2,50,80],b.png:90` as a-1.png, a-2.png, a-3.png, a-2.png, b.png."""
    paths = []
    for path in re.findall(r"units/(?:\[[^\]]*\]|[^\[\],:~])*\.png", images):
        before, bracket, rest = path.partition("[")
        numbers, _, after = rest.partition("]")
        paths += [f"{before}{n}{after}" for n in _numbers(numbers)] if bracket else [path]
    return paths


def _numbers(text: str) -> Iterator[str]:
    """`1~3,2*2` as 1, 2, 3, 2, 2."""
    for part in text.split(","):
        span, _, times = part.partition("*")
        first, _, last = span.partition("~")
        names = [first]
        if last:
            a, b = int(first), int(last)
            width = len(first) if first.startswith("0") else 0
            names = [str(n).zfill(width) for n in (range(a, b + 1) if a <= b else range(a, b - 1, -1))]
        yield from (name for name in names for _ in range(int(times or 1)))


def described(unit: Tag) -> Iterator[tuple[str, str, str, list[str]]]:
    """(action, gender, weapon, image paths) of each animation of a [unit_type]."""
    bodies = [(unit, unit.values.get("gender", "male").split(",")[0])]
    bodies += [(tag, tag.name) for tag in unit.tags if tag.name in ("female", "male")]
    for body, gender in bodies:
        ranges = {
            attack.values.get("name"): attack.values.get("range")
            for attack in unit.all("attack") + body.all("attack")
        }
        for animation in body.tags:
            action, weapon = TAGS.get(animation.name), ""
            if animation.name == "attack_anim":
                values = {
                    key: value for tag in animation.all("filter_attack") for key, value in tag.values.items()
                }
                weapon = values.get("name", "").split(",")[0]
                reach = values.get("range") or ranges.get(weapon)
                action = {"melee": "strike", "ranged": "shoot"}.get(reach or "")
            if action:
                for images in variants(animation):
                    yield action, gender, weapon.replace("_", " "), images


def load_clips() -> tuple[list[Clip], np.ndarray]:
    """The clips with three different frames or more, and the images [N, 96, 96, 4] uint8 (red, green, blue, alpha) that
    their frames are."""
    path = data.folder() / f"{PACKAGE}-clips.npz"
    if not path.exists():
        clips, images = _extract()
        kept = json.dumps([asdict(clip) for clip in clips])
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, images=images, clips=np.array(kept))
        part.replace(path)
    with np.load(path) as kept:
        return [Clip(**clip) for clip in json.loads(str(kept["clips"]))], kept["images"]


def _extract() -> tuple[list[Clip], np.ndarray]:
    print(f"reading clips out of {PACKAGE} (once; 146 MB to download if it is not there yet)")
    units, files = [], {}
    for name, content in data.members(
        data.from_debian(PACKAGE), "*/data/core/units/*.cfg", "*/data/core/images/units/*.png"
    ):
        if name.endswith(".cfg"):
            units += parse(content.decode()).all("unit_type")
        else:
            files[name.partition("/core/images/")[2]] = content
    index: dict[str, int] = {}
    clips, seen = [], set()
    for unit in sorted(units, key=lambda unit: unit.values["id"]):
        for action, gender, weapon, images in described(unit):
            key = (action, *images)
            if len(set(images)) < 3 or key in seen or not all(image in files for image in images):
                continue
            seen.add(key)
            frames = [index.setdefault(image, len(index)) for image in images]
            clips.append(Clip(action, unit.values["id"], unit.values.get("race", ""), gender, weapon, frames))
    _group(clips)
    return clips, np.stack([picture(Image.open(io.BytesIO(files[image]))) for image in index])


def picture(image: Image.Image) -> np.ndarray:
    """An image in the middle of [96, 96, 4], cut where it is larger."""
    left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
    return np.asarray(image.convert("RGBA").crop((left, top, left + SIZE, top + SIZE)))


def _group(clips: list[Clip]) -> None:
    """Number the groups: clips that share a unit or an image, directly or through others."""
    group = {}

    def find(key):
        while group.setdefault(key, key) != key:
            key = group[key]
        return key

    for clip in clips:
        for frame in clip.frames:
            group[find(frame)] = find(clip.unit)
    numbers: dict = {}
    for clip in clips:
        clip.group = numbers.setdefault(find(clip.unit), len(numbers))


def from_folder(path: pathlib.Path) -> tuple[list[Clip], np.ndarray]:
    """Clips and images as `load_clips` gives them, from files of one's own."""
    clips, images = [], []
    units: dict[str, int] = {}
    for file in sorted(path.glob("*/*/*")):
        with Image.open(file) as animation:
            frames = [picture(frame) for frame in ImageSequence.Iterator(animation)]
        action, unit = file.parts[-3:-1]
        rows = list(range(len(images), len(images) + len(frames)))
        clips.append(Clip(action, unit, "", "", "", rows, units.setdefault(unit, len(units))))
        images += frames
    return clips, np.stack(images)
