"""Learn to write like the King James Bible, one character at a time.

An LSTM reads the text in 32 lanes side by side, the state carried along each (truncated back-propagation), and is
measured by the bits it needs for each character of the last twentieth, which it has never seen. bz2 needs 1.68 for each
character of the whole text, xz 1.75.

    python examples/text.py                    # or --data with a text file of your own
    python examples/text.py --cell min_gru --out out/min_gru      # another cell, about as many weights
"""

from __future__ import annotations

import bz2
import lzma
import pathlib
import subprocess

import matplotlib.pyplot as plt
import numpy as np

from elman import cells, losses
from elman.models import LanguageModel
from elman.train import Cosine, Schedule, Stream, evaluate, fit
from support.data import folder, from_debian, members
from support.run import Example, Result

HIDDEN = 512
# With about as many weights each. The gates of a minGRU read x alone, so that it needs layers to see a context.
CELLS = {
    "lstm": {"cell": "lstm"},
    "layer_norm_lstm": {"cell": cells.layer_norm_lstm()},
    "min_gru": {"cell": cells.min_gru(), "num_layers": 3},
}
TRAINING = {"epochs": 9, "batch_size": 32, "learning_rate": 2e-3}


def schedule(epochs: int) -> Schedule:
    return Cosine(epochs, floor=0.02)


def king_james() -> str:
    """The verses, one a line, as Debian's reader `bible` prints them (they are packed in a format of its own)."""
    path = folder() / "king-james.txt"
    if not path.exists():
        for package in ("bible-kjv", "bible-kjv-text"):
            for name, content in members(from_debian(package), "usr/bin/bible", "usr/lib/bible.data*"):
                (folder() / pathlib.Path(name).name).write_bytes(content)
        (folder() / "bible").chmod(0o755)
        command = [folder() / "bible", "-f", "-l100000", "-p", folder(), "Gen1:1-Rev22:21"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        path.write_text("".join(line.split(" ", 1)[1] + "\n" for line in lines))
    return path.read_text()


def build_model(symbols: int, hidden_size: int, seed: int, cell: str = "lstm") -> LanguageModel:
    return LanguageModel(
        symbols, embedding_size=64, hidden_size=hidden_size, dropout=0.3, seed=seed, **CELLS[cell]
    )


def streams(text: str, steps: int) -> tuple[str, dict[str, Stream]]:
    """The alphabet, and the first 90 % to train on, 5 % to choose the epoch and the last 5 % to test."""
    alphabet = "".join(sorted(set(text)))
    tokens = np.searchsorted(np.array(list(alphabet)), np.array(list(text)))
    ends = [0, int(0.9 * len(tokens)), int(0.95 * len(tokens)), len(tokens)]
    names = ("train", "validation", "test")
    return alphabet, {
        name: Stream(tokens[a:b], steps=steps) for name, a, b in zip(names, ends, ends[1:], strict=False)
    }


def surprise(model: LanguageModel, tokens: np.ndarray) -> np.ndarray:
    """Bits that each token but the first costs after those before it."""
    logits = model(tokens[:-1, None])
    one = [
        losses.cross_entropy(logits[t], tokens[t + 1 : t + 2], gradient=False).value
        for t in range(len(logits))
    ]
    return np.array(one) / np.log(2)


def draw(text: str, bits: np.ndarray, path: pathlib.Path, width: int = 64) -> None:
    """Draw the text. The more a character surprised the model, the darker its ground."""
    lines = [(text[i : i + width], bits[i : i + width]) for i in range(0, len(text), width)]
    figure, axes = plt.subplots(figsize=(12, 0.42 * len(lines) + 1), layout="constrained")
    shade = np.zeros((len(lines), width))
    for row, (line, values) in enumerate(lines):
        shade[row, : len(values)] = values
        for column, character in enumerate(line):
            axes.text(column, row, character, ha="center", va="center", family="monospace", fontsize=11,
                      color="white" if values[column] > 5 else "black")  # fmt: skip
    image = axes.imshow(shade, cmap="Oranges", vmin=0, vmax=8, aspect="auto")
    figure.colorbar(image, label="bits", pad=0.01)
    axes.set(
        xticks=[], yticks=[], title="A passage of the test text: bits that the model needs for each character"
    )
    figure.savefig(path, dpi=110)


def main() -> None:
    example = Example("Text generation, characters", __doc__, "a text file, UTF-8",
                      cell={"choices": CELLS, "default": "lstm"},
                      hidden={"type": int, "default": HIDDEN, "help": "units; 64 with --quick"},
                      epochs={"type": int, "default": TRAINING["epochs"], "help": "1 with --quick"})  # fmt: skip
    options = example.options
    text = options.data.read_text() if options.data else king_james()
    if example.quick:
        text, options.hidden, options.epochs = text[:100_000], 64, 1
    alphabet, data = streams(text, steps=100)
    model = build_model(len(alphabet), options.hidden, options.seed, options.cell)
    fit(model, data["train"], data["validation"], schedule=schedule(options.epochs), seed=options.seed,
        **(TRAINING | {"epochs": options.epochs}))  # fmt: skip
    model.notes["alphabet"] = alphabet
    model.save(example.path("safetensors"))

    test = data["test"]
    # Bits per character of the test text, read in one lane, from its beginning to its end.
    bits = evaluate(model, test, batch_size=1) / np.log(2)
    passage = test.x[:513]
    draw(
        "".join(alphabet[t] for t in passage[1:]).replace("\n", "¶"),
        surprise(model, passage),
        example.path("png"),
    )
    prompt = [alphabet.index(c) for c in "And the "]
    for temperature in (0.5, 0.8, 1.0):
        (written,) = model.generate(300, prompt, temperature=temperature, seed=options.seed)
        print(f"\nat temperature {temperature}:\nAnd the {''.join(alphabet[t] for t in written)}")
    raw = text.encode()
    packed = {"bz2": len(bz2.compress(raw, 9)), "xz": len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME))}
    best = min(packed, key=packed.__getitem__)
    example.report([Result("bits per character", bits, 8 * packed[best] / len(text), f"{best}, whole text")])


if __name__ == "__main__":
    main()
