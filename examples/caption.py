"""Write captions for artist-drawn animations, such as "a male orc grunt strikes with a sword".

The animations are those of the game The Battle for Wesnoth, whose configuration says who acts, how and with what. An
encoder reads a clip frame by frame; a decoder that attends to it writes the caption word by word. In five folds that
share no unit and no image, the verbs and weapons written for unseen units are compared with those that logistic
regression finds from the mean, deviation and change of the frames.

    python examples/caption.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import StratifiedGroupKFold

from clips import FrameFeatures, Uneven, linear, load_data, mirrored, shrunk, statistics
from elman.models import Seq2Seq
from elman.train import Cosine, fit
from support.run import Example, Result
from support.wesnoth import OWN_CLIPS, Clip

FRAMES_SHOWN = 5


def caption(clip: Clip) -> str:
    """In words: gender, race and kind of the unit, what it does and with what."""
    kind = re.split(" of | at ", clip.unit.lower())[0].split()[-1]
    race = clip.race.removesuffix("s")  # all races but the bats are in the singular
    who = " ".join(dict.fromkeys(word for word in (clip.gender, race, kind) if word))
    return f"{with_article(who)} {clip.action}s" + (
        f" with {with_article(clip.weapon)}" if clip.weapon else ""
    )


def with_article(noun: str) -> str:
    if noun.endswith("s"):  # claws
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def verb(words: str) -> str:
    return words.partition(" with ")[0].rpartition(" ")[2]


def weapon(words: str) -> str:
    return re.sub("^an? ", "", words.partition(" with ")[2])


def coloured(images: np.ndarray, by: int = 8) -> np.ndarray:
    """Images [N, S, S, 4] as [N, S / by, S / by, 4], 0 to 1: means of blocks, colours weighted by opacity."""
    opacity = images[..., 3:].astype(np.float32) / 255
    n, size, _, channels = images.shape
    blocks = np.concatenate([images[..., :3] / np.float32(255) * opacity, opacity], axis=3)
    return blocks.reshape(n, size // by, by, size // by, by, channels).mean(axis=(2, 4))


class Looks:
    """Principal components of coloured frames [t, s, s, 4]: who it is, where FrameFeatures says what is done."""

    def __init__(self, clips: list[np.ndarray], components: int = 32, seed: int = 0):
        pca = PCA(components, random_state=seed).fit(np.concatenate([x.reshape(len(x), -1) for x in clips]))
        self.centre, self.components = pca.mean_, pca.components_ / np.sqrt(pca.explained_variance_.mean())

    def __call__(self, clips: list[np.ndarray]) -> list[np.ndarray]:
        flat = [x.reshape(len(x), -1) for x in clips]
        return [((x - self.centre) @ self.components.T).astype(np.float32) for x in flat]


@dataclass
class Captioner:
    """A network with the features that it reads and the words that it writes."""

    motion: FrameFeatures
    looks: Looks
    words: list[str]
    network: Seq2Seq | None = None

    def read(self, grey: list[np.ndarray], colour: list[np.ndarray]) -> list[np.ndarray]:
        return [
            np.concatenate(both, axis=1) for both in zip(self.motion(grey), self.looks(colour), strict=True)
        ]

    def write(self, grey: list[np.ndarray], colour: list[np.ndarray]) -> list[str]:
        written = self.network.predict(self.read(grey, colour), beam_size=4, max_length=12)
        return [" ".join(self.words[token] for token in tokens) for tokens in written]

    def save(self, path) -> None:
        looks = {"centre": self.looks.centre.tolist(), "components": self.looks.components.tolist()}
        self.network.notes = {"words": self.words, "motion": self.motion.as_notes(), "looks": looks}
        self.network.save(path)


def build_model(words: int, features: int, hidden: int, seed: int) -> Seq2Seq:
    return Seq2Seq(
        words, input_size=features, hidden_size=hidden, cell="gru", bidirectional=True, dropout=0.4,
        label_smoothing=0.1, seed=seed,
    )  # fmt: skip


def train(grey, colour, captions: list[str], options, label: str) -> Captioner:
    grey, colour = grey + mirrored(grey), colour + mirrored(colour)
    words = sorted({word for line in captions for word in line.split()})
    captioner = Captioner(FrameFeatures(grey, seed=options.seed), Looks(colour, seed=options.seed), words)
    x = captioner.read(grey, colour)
    y = [np.array([words.index(word) for word in line.split()]) for line in captions] * 2
    captioner.network = build_model(len(words), x[0].shape[1], options.hidden, options.seed)
    fit(
        captioner.network, Uneven(x, y), epochs=options.epochs, batch_size=32, optimizer="adamw", learning_rate=2e-3,
        schedule=Cosine(options.epochs, floor=0.02), seed=options.seed, progress=label,
    )  # fmt: skip
    return captioner


def found(model, features: np.ndarray, labels: np.ndarray, folds) -> np.ndarray:
    """What a classifier says of the unseen part of each fold; it learns from the seen part, where there is a label."""
    said = np.full_like(labels, "")
    for seen, unseen in folds:
        known = seen[labels[seen] != ""]
        said[unseen] = model.fit(features[known], labels[known]).predict(features[unseen])
    return said


def plot(shown: list[tuple[np.ndarray, str, str]], path) -> None:
    """Of each shown clip (images, its caption, the written one) some frames, from the first to the last."""
    figure = plt.figure(figsize=(15, 1.75 * ((len(shown) + 1) // 2)), layout="constrained")
    parts = np.ravel(figure.subfigures((len(shown) + 1) // 2, 2))
    for part, (images, true, written) in zip(parts, shown, strict=False):
        chosen = np.linspace(0, len(images) - 1, FRAMES_SHOWN).round().astype(int)
        axis = part.subplots()
        axis.imshow(np.concatenate(list(images[chosen]), axis=1))
        axis.set_axis_off()
        agrees = "tab:green" if (verb(true), weapon(true)) == (verb(written), weapon(written)) else "tab:red"
        axis.set_title(f"written: {written}", loc="left", fontsize=10, color=agrees, pad=3)
        axis.text(0, 1.22, f"true: {true}", transform=axis.transAxes, fontsize=10)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    example = Example(
        "Video captions: artist-drawn animation in words", __doc__, OWN_CLIPS,
        hidden={"type": int, "default": 64, "help": "units of the encoder in each direction"},
        epochs={"type": int, "default": 40},
        free_picture=False,
    )  # fmt: skip
    options = example.options
    if example.quick:
        options.hidden, options.epochs = 16, 3
    clips, images = load_data(options.data)
    clips, count = (clips[::4], 2) if example.quick else (clips, 5)
    small, bright = shrunk(images), coloured(images)
    grey, colour = [small[clip.frames] for clip in clips], [bright[clip.frames] for clip in clips]
    coarse = statistics([shrunk(images[clip.frames], by=8) for clip in clips])
    captions = [caption(clip) for clip in clips]
    groups = [clip.group for clip in clips]
    verbs = np.array([verb(line) for line in captions])
    folds = list(
        StratifiedGroupKFold(count, shuffle=True, random_state=options.seed).split(verbs, verbs, groups)
    )
    written = np.full(len(clips), "", object)
    for fold, (seen, unseen) in enumerate(folds, start=1):
        learnt = ([values[i] for i in seen] for values in (grey, colour, captions))
        captioner = train(*learnt, options, f"fold {fold} of {count}")
        written[unseen] = captioner.write(*([values[i] for i in unseen] for values in (grey, colour)))
    captioner.save(example.path("safetensors"))
    armed = [i for i in unseen if weapon(captions[i])]
    rest = [i for i in unseen if not weapon(captions[i])]
    shown = np.random.default_rng(options.seed).permutation(armed)[:8].tolist()
    shown += np.random.default_rng(options.seed).permutation(rest)[:4].tolist()
    plot([(images[clips[i].frames], captions[i], written[i]) for i in shown], example.path("png"))

    results, note = [], ""
    for name, word in {"verb": verb, "weapon": weapon}.items():
        truth, said = (np.array([word(line) for line in lines]) for lines in (captions, written))
        counted = truth != ""
        if not counted.any():  # clips of the user's own name no weapons
            continue
        baselines = (linear(len(clips), options.seed), DummyClassifier())
        answers = (said, *(found(model, coarse, truth, folds) for model in baselines))
        right = [100 * np.mean((answer == truth)[counted]) for answer in answers]
        results.append(
            Result(f"{name} right, %", right[0], right[1], "logistic regression on mean, deviation and change",
                   better="higher")
        )  # fmt: skip
        note += f"the commonest {name} {right[2]:.1f} %, "
    example.report(
        results, note + f"{len(clips)} clips of {len(set(groups))} groups, {count} folds that share no group"
    )


if __name__ == "__main__":
    main()
