"""Outputs of a graph: classes by name and their weights, metrics of each, and inputs of texts."""

import copy
import pickle

import numpy as np
import pytest
import sklearn.metrics as sk

import elman
from elman.data import NamedSequences, Samples
from elman.layers import GRU, Embedding, Linear, Pooling
from elman.models import Graph, Input, Output, SequenceClassifier, SequenceTagger
from elman.train import Callback, Vocabulary, evaluate, fit
from tests.support.graphs import data, make
from tests.support.saved import equal

TEXTS = ["call me now", "now", "me me", "call call now me", "now me", "call"]
WORDS = Vocabulary.of(TEXTS)
KINDS = ["a", "b", "a", None, "b", "none"]
TAGS = [["V", "P", "-"], ["-"], ["P", "P"], ["V", "V", "-", "P"], ["-", "P"], ["V"]]
AGES = np.arange(6.0)
X, Y = {"notes": TEXTS, "age": AGES}, {"kind": KINDS, "tags": TAGS, "age": np.where(AGES == 1, np.nan, AGES)}


def texts(**options):
    notes = Input("notes", WORDS).through(Embedding(len(WORDS), 4, seed=0), reader=GRU(4, 5, seed=1))
    kind = notes.through(Pooling("last"), Linear(5, 2, seed=2))
    tags = notes.through(Linear(5, 3, seed=3))
    return Graph({
        "kind": Output(kind, "cross_entropy", classes=["a", "b"], ignore="none", **options),
        "tags": Output(tags, "cross_entropy", classes=["V", "P", "-"], label_smoothing=0.1),
        "age": Output(Input("age").through(Linear(1, 1, seed=4)), "absolute"),
    })  # fmt: skip


def twins(model, **options):
    """A classifier and a tagger with the same weights."""
    found = []
    for kind, classes, head in (
        (SequenceClassifier, ["a", "b"], "linear"),
        (SequenceTagger, ["V", "P", "-"], "linear_2"),
    ):
        own = {"ignore": "none", **options} if kind is SequenceClassifier else {"label_smoothing": 0.1}
        twin = kind(classes, vocabulary=WORDS, embedding_size=4, hidden_size=5, cell="gru", **own)
        for part, name in (("embedding", "embedding"), ("recurrent", "reader"), ("head", head)):
            twin["network." + part].load_state_dict(model[name].state_dict())
        found.append(twin)
    return found


@pytest.mark.parametrize("class_weight", [None, {"a": 2.0, "b": 0.5}, "balanced"])
def test_beside_a_classifier_and_a_tagger(class_weight):
    model = texts(class_weight=class_weight)
    classifier, tagger = twins(model, class_weight=class_weight)
    data = NamedSequences(X, Y, weights=np.arange(6.0), **model.vocabularies)
    if class_weight == "balanced":
        with pytest.raises(ValueError, match=r"^outputs\['kind'\]: class_weight: expected fit, which counts"):
            model.loss(data.take(np.arange(6)))
        model.begin(data)
        classifier.begin(elman.train.Sequences(TEXTS, KINDS, vocabulary=WORDS))
        assert model.notes["class_weight"] == {"kind": classifier.notes["class_weight"]}
    step = model.loss(data.take(np.arange(6)), train=False)
    w = {"weights": np.arange(6.0), "vocabulary": WORDS}
    parts = [
        evaluate(classifier, elman.train.Sequences(TEXTS, KINDS, **w)),
        evaluate(tagger, elman.train.Sequences(TEXTS, TAGS, **w)),
        np.average(np.abs(model.predict(X)["age"][:, 0] - AGES)[AGES != 1], weights=AGES[AGES != 1]),
    ]
    assert step.value == pytest.approx(sum(parts), rel=1e-6) and step.count == 15
    assert model.predict(X)["kind"].tolist() == classifier.predict(TEXTS).tolist()
    for one, other in zip(model.predict(X)["tags"], tagger.predict(TEXTS), strict=True):
        assert one.tolist() == other.tolist() and set(one) <= {"V", "P", "-"}
    found = evaluate(model, (X, Y), 4, metrics=["accuracy", "tags/f1", "mae"])
    assert found == pytest.approx({
        "loss": found["loss"],
        "kind/accuracy": evaluate(classifier, (TEXTS, KINDS), metrics="accuracy")["accuracy"],
        **{f"tags/{name}": value for name, value in evaluate(tagger, (TEXTS, TAGS), metrics=["accuracy", "f1"]).items()
           if name != "loss"},
        "age/mae": np.abs(model.predict(X)["age"][:, 0] - AGES)[AGES != 1].mean(),
    }, rel=1e-5)  # fmt: skip


def test_weights_of_each_output_and_step():
    """Those of the tags' steps alone: the others count alike."""
    model = texts()
    tagger = twins(model)[1]
    rng = np.random.default_rng(0)
    w = [rng.integers(0, 3, len(one)).astype(float) for one in TAGS]
    data = NamedSequences(X, Y, weights={"tags": w}, **model.vocabularies)
    plain = NamedSequences(X, Y, **model.vocabularies)
    got, before = (model.loss(one.take(np.arange(6)), train=False) for one in (data, plain))
    weighted = evaluate(tagger, elman.train.Sequences(TEXTS, TAGS, weights=w, vocabulary=WORDS))
    assert got.value - before.value == pytest.approx(weighted - evaluate(tagger, (TEXTS, TAGS)), rel=1e-4)
    assert got.count == 6
    some = data.subset([3, 0])
    np.testing.assert_array_equal(some.take(np.array([1])).weights["tags"][0], w[0])
    assert data.take(np.arange(6)).part(slice(3, 4)).weights["tags"].shape == (1, 4)
    wrong = {
        r"weights: expected names among kind, tags, age, got 'b'": {"b": [1.0] * 6},
        r"weights\['kind'\]: expected \[n\], as y has one target": {"kind": [[1.0]] * 6},
        r"weights\['tags'\]\[0\]: expected \[3\], one for each step": {"tags": [[1.0]] * 6},
    }
    for message, weights in wrong.items():
        with pytest.raises(ValueError, match=f"^{message}"):
            NamedSequences(X, Y, weights=weights, **model.vocabularies)
    with pytest.raises(ValueError, match=r"^weights: expected targets y with them, got None"):
        NamedSequences(X, weights={"kind": [1.0] * 6}, **model.vocabularies)


def test_watching_one_output_and_going_on(tmp_path):
    seen = []

    def hits(true, predicted):
        seen.append((true.tolist(), predicted.tolist()))
        return (true == predicted).sum()

    options = {
        "metrics": {"kind/hits": hits, "f1": "f1", "age/far": "mae"},
        "watch": "max kind/hits",
        "seed": 0,
    }
    options |= {"progress": False, "batch_size": 2, "learning_rate": 0.05}
    whole, again = texts(class_weight="balanced"), texts(class_weight="balanced")
    history = fit(whole, (X, Y), (X, Y), epochs=6, **options)
    assert history.metrics.keys() == {"kind/hits", "kind/f1", "tags/f1", "age/far"}
    counts = history.metrics["kind/hits"]
    best = max(i for i, count in enumerate(counts) if count == max(counts))
    assert history.best_epoch == best and set(seen[0][0]) <= {"a", "b"} and len(seen[0][0]) == 4
    kept = [i for i, kind in enumerate(KINDS) if kind in ("a", "b")]
    hit = whole.predict(X)["kind"][kept] == np.array(KINDS, object)[kept]
    assert hit.sum() == history.metrics["kind/hits"][best]

    class Stop(Callback):
        def on_batch(self, run):
            if (run.epoch, run.batches) == (2, 2):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            texts(class_weight="balanced"),
            (X, Y),
            (X, Y),
            epochs=6,
            checkpoint=tmp_path,
            callbacks=[Stop()],
            **options,
        )
    assert fit(again, (X, Y), (X, Y), epochs=6, checkpoint=tmp_path, **options).metrics == history.metrics
    assert equal(again, whole)


def test_metrics_of_every_kind_of_output():
    model, (x, y) = make("float32"), data()
    found = evaluate(model, (x, y), metrics=["ill/auc", "crps"], batch_size=4)
    assert found.keys() == {"loss", "ill/auc", "days/crps", "levels/crps"}
    want = sk.roc_auc_score(y["ill"], model.predict_proba(x)["ill"], multi_class="ovr", labels=[0, 1, 2])
    assert found["ill/auc"] == pytest.approx(want)
    levels = model.predict_quantiles(x)["levels"]
    assert levels[0].shape == (len(x["words"][0]), 2, 3)
    error = np.concatenate(y["levels"])[..., None] - np.concatenate(levels)
    shares = np.array([0.1, 0.5, 0.9])
    pinball = np.maximum(shares * error, (shares - 1) * error)
    assert evaluate(model, (x, y)) > 0 and pinball.mean() > 0
    for name, wrong in {"mse2": "mse2", "days/f1": "f1", "ill": "ill"}.items():
        with pytest.raises(ValueError, match=rf"^metrics: expected .*got '{wrong}'$"):
            evaluate(model, (x, y), metrics=name)
    with pytest.raises(
        ValueError, match=r"^watch: expected 'loss' or one of the metrics \['ill/f1', 'tags/f1'\]"
    ):
        fit(model, (x, y), (x, y), metrics="f1", watch="f1", progress=False)


def test_an_output_of_which_nothing_counts_has_no_metrics():
    y = Y | {"kind": [None] * 6}
    found = evaluate(texts(), (X, y), metrics=["accuracy"])
    assert np.isnan(found["kind/accuracy"]) and found["tags/accuracy"] >= 0


def test_files_and_copies(tmp_path):
    model = texts(class_weight=[1.0, 2.0])
    fit(model, (X, Y), epochs=1, seed=0, progress=False)
    model.save(tmp_path / "file")
    found = elman.load(tmp_path / "file", Graph)
    want = model.predict(X)
    for twin in (found, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert equal(twin, model) and twin.config == model.config
        assert twin.vocabularies == {"vocabulary": {"notes": WORDS}}
        assert twin.predict(X)["kind"].tolist() == want["kind"].tolist()
        assert evaluate(twin, (X, Y)) == evaluate(model, (X, Y))
    assert (
        "reader" in model.summary()
        and f"{sum(v.size for v in model.parameters.values()):,}" in model.summary()
    )


def test_texts_in_samples():
    model = texts()
    rows = [({"notes": text, "age": age}, {"kind": "a", "tags": tags, "age": age}) for text, tags, age in
            zip(TEXTS, TAGS, AGES, strict=True)]  # fmt: skip
    data = Samples(lambda: iter(rows), vocabulary=model.vocabularies["vocabulary"])
    assert evaluate(model, data) == pytest.approx(evaluate(model, (X, Y | {"kind": ["a"] * 6, "age": AGES})))


NODE = Input("a").through(Linear(1, 2))
MADE = {
    "vocabulary: expected a Vocabulary, got 7": lambda: Input("a", 7),
    r"classes: expected None with loss='squared', which is of no classes, got 2": lambda: Output(NODE, classes=2),
    r"ignore: expected None with loss='huber', which": lambda: Output(NODE, "huber", ignore=-1),
    r"class_weight: expected None with loss='squared', which": lambda: Output(NODE, class_weight=[1, 2]),
    r"label_smoothing: expected 0 with loss='squared', got 0.1": lambda: Output(NODE, label_smoothing=0.1),
    r"class_weight: expected one of 'balanced', got 'even'": lambda: Output(NODE, "cross_entropy", class_weight="even"),
    r"class_weight: expected a weight for each of \['x', 'y'\], got \['x'\]": lambda: Output(
        NODE, "cross_entropy", classes=["x", "y"], class_weight={"x": 1}
    ),
    r"outputs: expected the input 'a' to be read by an Embedding of its vocab.*, got one of 2": lambda: Graph(
        {"out": Input("a", WORDS).through(Embedding(2, 1))}
    ),
    r"outputs: expected the input 'a' to be read by an Embedding of its vocab.*, got none": lambda: Graph(
        {"out": Input("a", WORDS).through(GRU(1, 1))}
    ),
    r"outputs: expected one vocabulary of the input 'a', got several": lambda: Graph(
        {"out": Input("a", WORDS).through(Embedding(9, 1)) + Input("a", Vocabulary(["w"])).through(Embedding(9, 1))}
    ),
    r"vocabulary: expected a dict of Vocabulary by name, got Vocabulary": lambda: NamedSequences(
        {"a": TEXTS}, vocabulary=WORDS
    ),
    r"x\['a'\]: expected numbers, or texts with a vocabulary, got texts": lambda: NamedSequences({"a": TEXTS}),
}  # fmt: skip


@pytest.mark.parametrize("message", MADE)
def test_what_is_refused_when_it_is_made(message):
    with pytest.raises(ValueError, match=f"^{message}"):
        MADE[message]()


FIT = {
    r"outputs\['kind'\]: y: expected labels among 'a', 'b', got 'c'": (X, Y | {"kind": ["c"] * 6}),
    r"outputs\['tags'\]: y\[1\]: expected 1 steps, as many as x\['notes'\]\[1\] has, got 2": (
        X, Y | {"tags": [TAGS[0], ["V", "V"], *TAGS[2:]]}
    ),
    r"outputs\['age'\]: y: expected \[n, 1\] numbers, got \[6, 2\] float64": (X, Y | {"age": np.ones((6, 2))}),
    r"x\['notes'\]: expected tokens 0 to 3, got -1 to -1": (X | {"notes": [[-1]] * 6}, Y),
    r"x\['notes'\]: expected tokens, got \[1\] float32": (X | {"notes": [[0.5]] * 6}, Y),
    r"linear_3: x: expected \[..., 1\] float32, got \[1, 2\] float32": (X | {"age": np.ones((6, 2))}, Y),
}  # fmt: skip


@pytest.mark.parametrize("message", FIT)
def test_what_is_refused_before_any_work(message):
    model = texts()
    model.loss = None  # nothing is computed
    with pytest.raises(ValueError, match=f"^train: {message}"):
        fit(model, FIT[message], progress=False)


def test_logits_of_another_number_of_classes():
    model = Graph({"out": Output(NODE, "cross_entropy", classes=3)})
    with pytest.raises(
        ValueError, match=r"^train: outputs\['out'\]: expected logits of 3 classes, got \[1, 2\]"
    ):
        fit(model, ({"a": [1.0, 2.0]}, {"out": [0, 2]}), progress=False)


def test_metrics_count_the_weights_of_their_output():
    model, w = texts(), np.arange(6.0)
    kinds = np.array(["a", "b", "a", "b", "a", "b"])
    data = NamedSequences(X, Y | {"kind": kinds}, weights={"kind": w}, **model.vocabularies)
    found = evaluate(model, data, 4, metrics="accuracy")
    assert found["kind/accuracy"] == pytest.approx(np.average(model.predict(X)["kind"] == kinds, weights=w))
    tags = np.concatenate(model.predict(X)["tags"]) == np.concatenate(TAGS)
    assert found["tags/accuracy"] == pytest.approx(tags.mean())

    def share(true, predicted):
        return (true == predicted).mean()

    assert evaluate(model, data, metrics={"tags/share": share})["tags/share"] == tags.mean()
    with pytest.raises(
        ValueError, match=r"^metrics\['kind/share'\]: expected a function \(true, predicted, sample_w"
    ):
        evaluate(model, data, metrics={"kind/share": share})
