"""Recognise what a figure does in artist-drawn animations of 3 to 33 frames: strike, shoot, idle or die.

The animations are those of the game The Battle for Wesnoth. In five folds that share no unit and no image, a few
two-way GRUs read each clip frame by frame: how it differs from the first frame (small grey images, reduced to 32
numbers by principal components of the training clips), and where the silhouette is. Compared with logistic regression
on the mean, deviation and change of the frames.

    python examples/clips.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from elman.models import SequenceClassifier
from elman.sequence import Standardizer
from elman.train import Batch, Cosine, Sequences, fit
from support.run import Example, Result
from support.wesnoth import OWN_CLIPS, Clip, from_folder, load_clips

LONGEST_SHOWN = 8  # frames of a clip in the picture


def load_data(path=None) -> tuple[list[Clip], np.ndarray]:
    """Clips, and the images [N, 96, 96, 4] that they show."""
    return load_clips() if path is None else from_folder(path)


def shrunk(images: np.ndarray, by: int = 4) -> np.ndarray:
    """Images [N, S, S, 4] as grey and opacity [N, S / by, S / by, 2], 0 to 1: means of blocks."""
    opacity = images[..., 3:].astype(np.float32) / 255
    grey = images[..., :3].mean(axis=3, keepdims=True, dtype=np.float32) / 255 * opacity
    n, size = images.shape[:2]
    blocks = np.concatenate([grey, opacity], axis=3).reshape(n, size // by, by, size // by, by, 2)
    return blocks.mean(axis=(2, 4))


def silhouette(frames: np.ndarray) -> np.ndarray:
    """[t, 20] of frames [t, s, s, 2]: size, place, spread, slant and brightness of the figure, how these differ
    from the first frame's, and how much has changed since the frame before, the first, and until the last."""
    opacity, across = frames[..., 1], np.linspace(-1, 1, frames.shape[1])
    size = opacity.sum(axis=(1, 2)) + 1e-3

    def average(values: np.ndarray) -> np.ndarray:
        return (opacity * values).sum(axis=(1, 2)) / size

    y, x = average(across[:, None]), average(across)
    down, right = across[:, None] - y[:, None, None], across - x[:, None, None]
    spread = np.sqrt(average(down**2)), np.sqrt(average(right**2)), average(down * right)
    now = np.stack([np.log(size), y, x, *spread, frames[..., 0].sum(axis=(1, 2)) / size], axis=1)
    others = np.roll(frames, 1, axis=0), frames[:1], frames[-1:]
    changes = [np.abs(frames - other).mean(axis=(1, 2)) for other in others]
    changes[0][0] = 0
    return np.concatenate([now, now - now[0], *changes], axis=1)


class FrameFeatures:
    """What the network reads of each frame [s, s, 2]: principal components of its difference from the clip's first
    frame, how they have changed since the frame before, and the silhouette. Learnt from training clips only."""

    def __init__(self, clips: list[np.ndarray], components: int = 32, seed: int = 0):
        pca = PCA(components, random_state=seed).fit(np.concatenate([motion(x) for x in clips]))
        self.centre, self.components = pca.mean_, pca.components_
        self.scale = Standardizer().fit(np.concatenate([self._of(x) for x in clips]))
        self.scale.scale_[: 2 * components] = self.scale.scale_[
            : 2 * components
        ].mean()  # so the first components count for more

    def __call__(self, clips: list[np.ndarray]) -> list[np.ndarray]:
        return [self.scale.transform(self._of(x)).astype(np.float32) for x in clips]

    def _of(self, frames: np.ndarray) -> np.ndarray:
        reduced = (motion(frames) - self.centre) @ self.components.T
        step = np.diff(reduced, axis=0, prepend=reduced[:1])
        return np.concatenate([reduced, step, silhouette(frames)], axis=1)

    def as_notes(self) -> dict:
        """The same as JSON can hold it."""
        arrays = {
            "centre": self.centre,
            "components": self.components,
            "mean": self.scale.mean_,
            "scale": self.scale.scale_,
        }
        return {name: np.round(values, 5).tolist() for name, values in arrays.items()}


def motion(frames: np.ndarray) -> np.ndarray:
    return (frames - frames[:1]).reshape(len(frames), -1)


class Uneven(Sequences):
    """Sequences of which each epoch leaves some frames out and shows some twice."""

    def batches(self, batch_size: int, seed=None) -> Iterator[Batch]:
        rng = np.random.default_rng(seed)
        times = [
            np.maximum(rng.choice(3, len(x), p=[0.15, 0.7, 0.15]), np.arange(len(x)) == 0) for x in self.x
        ]
        uneven = [np.repeat(x, n, axis=0) for x, n in zip(self.x, times, strict=True)]
        return Sequences(uneven, self.y).batches(batch_size, seed)


def mirrored(clips: list[np.ndarray]) -> list[np.ndarray]:
    return [frames[:, :, ::-1] for frames in clips]


def build_model(classes: int, features: int, hidden: int, seed: int) -> SequenceClassifier:
    return SequenceClassifier(
        classes, input_size=features, hidden_size=hidden, cell="gru", bidirectional=True, pooling="max", dropout=0.4,
        seed=seed,
    )  # fmt: skip


@dataclass
class Ensemble:
    """Networks that read a clip and its mirror image, and agree by the mean of their probabilities."""

    features: FrameFeatures
    networks: list[SequenceClassifier]

    def predict_proba(self, clips: list[np.ndarray]) -> np.ndarray:
        views = [self.features(clips), self.features(mirrored(clips))]
        return np.mean([network.predict_proba(view) for network in self.networks for view in views], axis=0)


def train(clips: list[np.ndarray], actions: np.ndarray, options, label: str) -> Ensemble:
    features = FrameFeatures(clips + mirrored(clips), seed=options.seed)
    x, y = features(clips + mirrored(clips)), np.concatenate([actions, actions])
    networks = []
    for member in range(options.members):
        seed = options.seed + member
        model = build_model(actions.max() + 1, x[0].shape[1], options.hidden, seed)
        fit(
            model, Uneven(x, y), epochs=options.epochs, batch_size=32, optimizer="adamw", learning_rate=2e-3,
            schedule=Cosine(options.epochs, floor=0.02), seed=seed,
            progress=f"{label}, network {member + 1} of {options.members}",
        )  # fmt: skip
        networks.append(model)
    return Ensemble(features, networks)


def statistics(clips: list[np.ndarray]) -> np.ndarray:
    """Mean, deviation and mean change of each pixel, for the baseline."""
    rows = []
    for frames in clips:
        flat = frames.reshape(len(frames), -1)
        rows.append(np.concatenate([flat.mean(0), flat.std(0), np.abs(np.diff(flat, axis=0)).mean(0)]))
    return np.stack(rows)


def linear(clips: int, seed: int):
    """Logistic regression on the principal components of the statistics of so many clips."""
    components = PCA(min(100, clips // 3), random_state=seed)
    return make_pipeline(StandardScaler(), components, LogisticRegression(C=0.1, max_iter=500, tol=1e-3))


def plot(truth, said, actions, shown, ensemble: Ensemble, path) -> None:
    """The confusion matrix; and of each shown clip (images, frames, action) what the networks say after each frame."""
    figure = plt.figure(figsize=(15, 8.5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.5])
    axis = left.subplots()
    ConfusionMatrixDisplay.from_predictions(
        truth, said, labels=range(len(actions)), display_labels=actions, normalize="true", values_format=".0%",
        cmap="Blues", colorbar=False, ax=axis,
    )  # fmt: skip
    axis.set_title("clips of units not seen in training")
    for axis, (images, frames, action) in zip(np.ravel(right.subplots(len(shown), 1)), shown, strict=True):
        steps = np.arange(1, len(frames) + 1)
        for step, image in zip(steps, images[:, 8:-8, 8:-8], strict=True):
            axis.imshow(image, extent=(step - 0.5, step + 0.5, 1.05, 2.05))
        so_far = ensemble.predict_proba([frames[:step] for step in steps])
        for name, curve in zip(actions, so_far.T, strict=True):
            axis.plot(steps, curve, "o-", markersize=3, label=name)
        axis.set(xlim=(0.4, LONGEST_SHOWN + 0.6), ylim=(-0.05, 2.1), xticks=steps, yticks=(0, 1))
        axis.set_ylabel(action, fontsize=12)
        axis.spines[["top", "right"]].set_visible(False)
    axis.set_xlabel("below each frame: the probability of each action from the frames so far")
    right.legend(
        *axis.get_legend_handles_labels(), loc="outside upper center", ncols=len(actions), frameon=False
    )
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main() -> None:
    example = Example(
        "Video classification: actions in artist-drawn animation", __doc__, OWN_CLIPS,
        members={"type": int, "default": 4, "help": "networks whose probabilities are averaged"},
        hidden={"type": int, "default": 48, "help": "units of the GRU in each direction"},
        epochs={"type": int, "default": 30},
        free_picture=False,
    )  # fmt: skip
    options = example.options
    if example.quick:
        options.members, options.hidden, options.epochs = 1, 16, 3
    clips, images = load_data(options.data)
    clips, count = (clips[::4], 2) if example.quick else (clips, 5)
    small = shrunk(images)
    actions = sorted({clip.action for clip in clips})
    truth = np.array([actions.index(clip.action) for clip in clips])
    frames = [small[clip.frames] for clip in clips]
    groups = [clip.group for clip in clips]
    coarse = statistics([shrunk(images[clip.frames], by=8) for clip in clips])
    network, plain, reduced = np.empty((3, len(clips)), int)
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=options.seed)
    for fold, (seen, unseen) in enumerate(folds.split(truth, truth, groups), start=1):
        ensemble = train([frames[i] for i in seen], truth[seen], options, f"fold {fold} of {count}")
        network[unseen] = ensemble.predict_proba([frames[i] for i in unseen]).argmax(axis=1)
        every = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        for said, model in ((plain, every), (reduced, linear(len(clips), options.seed))):
            said[unseen] = model.fit(coarse[seen], truth[seen]).predict(coarse[unseen])
    model = ensemble.networks[0]
    model.notes = {"actions": actions, "features": ensemble.features.as_notes()}
    model.save(example.path("safetensors"))
    short = [i for i in unseen if len(frames[i]) <= LONGEST_SHOWN]
    first = [next(i for i in short if truth[i] == action) for action in np.unique(truth[short])]
    shown = [(images[clips[i].frames], frames[i], clips[i].action) for i in first]
    plot(truth, network, actions, shown, ensemble, example.path("png"))
    example.report(
        [Result("accuracy, %", 100 * np.mean(network == truth), 100 * np.mean(baseline == truth), name, "higher")
         for name, baseline in (("logistic regression on mean, deviation and change of the frames", plain),
                                ("the same on their principal components", reduced))],
        f"{len(clips)} clips of {len(set(groups))} groups, {count} folds that share no group",
    )  # fmt: skip


if __name__ == "__main__":
    main()
