"""Estimators of texts and tokens, and estimators in files."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

import elman
from elman.models import SequenceClassifier
from elman.sklearn import RecurrentClassifier, RecurrentRegressor
from elman.train import Vocabulary, fit

TEXTS = ["good film", "bad film", "very good", "a bad one"] * 6
Y = ["pos", "neg", "pos", "neg"] * 6
QUICK = {"epochs": 12, "hidden_size": 8, "learning_rate": 0.02, "random_state": 0}


@pytest.mark.parametrize("put", [list, pd.Series, np.array, lambda texts: [text.split() for text in texts]])
def test_texts(put):
    model = RecurrentClassifier(vocabulary="learn", **QUICK).fit(put(TEXTS), Y)
    assert model.predict(put(TEXTS)).tolist() == Y and len(model.vocabulary_) == 7
    assert model.predict(["utterly bad"]).tolist() == ["neg"]
    words = Vocabulary.of(TEXTS)
    given = RecurrentClassifier(vocabulary=words, **QUICK).fit(words(TEXTS), Y)
    np.testing.assert_array_equal(given.predict_proba(put(TEXTS)), model.predict_proba(put(TEXTS)))
    by_number = RecurrentClassifier(vocabulary=len(words), **QUICK).fit(words(TEXTS), Y)
    np.testing.assert_array_equal(by_number.predict_proba(words(TEXTS)), model.predict_proba(put(TEXTS)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_in_searches():
    model = RecurrentClassifier(vocabulary=Vocabulary.of(TEXTS), **QUICK)
    scores = cross_val_score(model, TEXTS, Y, cv=2, n_jobs=2)
    np.testing.assert_array_equal(scores, cross_val_score(model, TEXTS, Y, cv=2))
    assert scores.mean() > 0.7


def test_clones_and_parts():
    model = clone(RecurrentClassifier(vocabulary=Vocabulary.of(TEXTS), embedding_size=3, **QUICK))
    assert model.fit(TEXTS, Y).model_.parameters["network.embedding.weight"].shape == (7, 3)
    part = RecurrentClassifier(vocabulary="learn", **QUICK)
    for _ in range(12):
        part.partial_fit(TEXTS, Y)
    assert part.score(TEXTS, Y) == 1


def test_numbers_from_texts():
    y = [1.0 if label == "pos" else -1.0 for label in Y]
    model = RecurrentRegressor(vocabulary="learn", **QUICK).fit(TEXTS, y)
    assert model.score(TEXTS, y) > 0.8


def test_a_vocabulary_learnt_as_a_dict_says(tmp_path):
    texts = [text.upper() + "!" for text in TEXTS] + ["once"]
    model = RecurrentClassifier(vocabulary={"min_count": 2, "split": "plain"}, **QUICK).fit(
        texts, [*Y, "pos"]
    )
    assert set(model.vocabulary_) == {"<unknown>", "!", "good", "bad", "film", "very", "a", "one"}
    model.save(tmp_path / "m")
    again = elman.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(["A good one?"]), model.predict_proba(["a GOOD one?"]))
    assert again.get_params()["vocabulary"] == {"min_count": 2, "split": "plain"}
    assert clone(again).fit(texts, [*Y, "pos"]).vocabulary_ == model.vocabulary_


@pytest.mark.parametrize("weight", ["balanced", {"pos": 3}, {"pos": 3.0, "neg": 1.0}])
def test_weights_of_classes(weight, tmp_path):
    y = ["pos", "neg", "neg", "neg"] * 6
    model = RecurrentClassifier(vocabulary="learn", class_weight=weight, **QUICK).fit(TEXTS, y)
    own = {"neg": 24 / (2 * 18), "pos": 24 / (2 * 6)} if weight == "balanced" else {"neg": 1.0, "pos": 3.0}
    network = SequenceClassifier(
        ["neg", "pos"], vocabulary=model.vocabulary_, class_weight=own, hidden_size=8, cell="gru",
        seed=model._seed(),
    )  # fmt: skip
    fit(network, (TEXTS, y), epochs=12, learning_rate=0.02, seed=model._seed(), progress=False)
    np.testing.assert_array_equal(network.predict_proba(TEXTS), model.predict_proba(TEXTS))
    plain = RecurrentClassifier(vocabulary="learn", **QUICK).fit(TEXTS, y)
    assert (plain.predict_proba(TEXTS) != model.predict_proba(TEXTS)).any()
    model.save(tmp_path / "m")
    assert elman.load(tmp_path / "m").class_weight == weight
    numbered = RecurrentClassifier(vocabulary="learn", class_weight={7: 3.0}, **QUICK).fit(
        TEXTS, [7, 1, 1, 1] * 6
    )
    numbered.save(tmp_path / "n")
    assert elman.load(tmp_path / "n").class_weight == {7: 3.0} and numbered.class_weight == {7: 3.0}
    if weight != "balanced":
        np.testing.assert_array_equal(numbered.predict_proba(TEXTS), model.predict_proba(TEXTS))
        part = RecurrentClassifier(vocabulary="learn", class_weight=weight, **QUICK)
        assert part.partial_fit(TEXTS, y, classes=["neg", "pos"]).predict(TEXTS).shape == (24,)


X = [np.random.default_rng(i).standard_normal((3 + i % 3, 2)) * 5 + 100 for i in range(24)]


@pytest.mark.parametrize(
    ("model", "x", "y"),
    [
        (RecurrentClassifier(**QUICK), X, Y),
        (RecurrentClassifier(scale=False, **QUICK), X, np.array(Y) == "pos"),
        (RecurrentClassifier(**QUICK), X, [3, 7, 3, 7] * 6),
        (RecurrentClassifier(**QUICK), X, np.array(Y, object)),
        (RecurrentClassifier(vocabulary="learn", **QUICK), TEXTS, Y),
        (RecurrentClassifier(vocabulary=Vocabulary.of(TEXTS), **QUICK), TEXTS, Y),
        (RecurrentRegressor(**QUICK), X, np.arange(24.0) * 1e6),
        (RecurrentRegressor(**QUICK), np.ones((24, 3)) * np.arange(24)[:, None], np.ones((24, 2))),
    ],
)
def test_a_file_keeps_scales_and_classes(model, x, y, tmp_path):
    model = clone(model).fit(x, y)
    model.save(tmp_path / "estimator")
    again = elman.load(tmp_path / "estimator", type(model))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.predict(x).dtype == model.predict(x).dtype
    assert again.get_params() == model.get_params() and repr(again.model_) == repr(model.model_)
    if hasattr(model, "classes_"):
        np.testing.assert_array_equal(again.classes_, model.classes_)
    again.save(tmp_path / "again")
    np.testing.assert_array_equal(elman.load(tmp_path / "again").predict(x), model.predict(x))
    with pytest.raises(
        ValueError, match="partial_fit: expected an estimator fitted in this program, got one from"
    ):
        again.partial_fit(x, y)


def test_a_model_taken_out_keeps_the_scales_in_its_notes(tmp_path):
    model = RecurrentRegressor(**QUICK).fit(X, np.arange(24.0) * 1e6)
    model.model_.save(tmp_path / "model")
    network = elman.load(tmp_path / "model")
    mean, deviation = map(np.array, network.notes["scale"])
    centre, spread = map(np.array, network.notes["target_scale"])
    got = network.predict([(x - mean) / deviation for x in X]) * spread + centre
    np.testing.assert_allclose(got[:, 0], model.predict(X), rtol=1e-6)
    labels = RecurrentClassifier(**QUICK).fit(X, Y).model_.notes["classes"]
    assert labels == ["neg", "pos"]


def test_frames_keep_their_columns_in_files(tmp_path):
    frames = [pd.DataFrame(x, columns=["a", "b"]) for x in X]
    RecurrentClassifier(**QUICK).fit(frames, Y).save(tmp_path / "m")
    again = elman.load(tmp_path / "m")
    with pytest.raises(ValueError, match=r"X\[0\]: expected the columns \['a', 'b'\], got \['b', 'a'\]"):
        again.predict([frame[["b", "a"]] for frame in frames])
    table = pd.DataFrame(np.arange(72.0).reshape(24, 3) % 7, columns=["x", "y", "z"])
    RecurrentClassifier(**QUICK).fit(table, Y).save(tmp_path / "t")
    again = elman.load(tmp_path / "t")
    assert again.n_features_in_ == 3 and list(again.feature_names_in_) == ["x", "y", "z"]


def test_token_lists_are_not_scaled_without_a_word():
    tokens = [[1, 2, 3], [4], [2, 2], [1]]
    with pytest.warns(
        UserWarning, match="X: lists of whole numbers are taken as one feature, which is scaled"
    ):
        RecurrentClassifier(epochs=1).fit(tokens, [0, 1, 0, 1])
    RecurrentClassifier(epochs=1, vocabulary=5).fit(tokens, [0, 1, 0, 1])  # and no warning


SOME = {"epochs": 1, "hidden_size": 2}
REFUSALS = {
    "X: expected numbers, got texts; vocabulary='learn' reads them": lambda: RecurrentClassifier().fit(
        TEXTS, Y
    ),
    r"X: expected texts or lists of words, \[n\], with vocabulary='learn', got list": lambda: (
        RecurrentClassifier(vocabulary="learn").fit([[1], [2]], [0, 1])
    ),
    r"X: expected texts or lists of words, \[n\], with .*'min_count': 2}, got DataFrame": lambda: (
        RecurrentClassifier(vocabulary={"min_count": 2}).fit(pd.DataFrame({"text": TEXTS}), Y)
    ),
    r"texts\[1\]: expected a text or a list of words, got nan; leave it out": lambda: RecurrentClassifier(
        vocabulary="learn"
    ).fit(["a", np.nan], [0, 1]),
    r"y\[1\]: expected a label, got nan": lambda: RecurrentClassifier(vocabulary="learn").fit(
        TEXTS[:3], pd.Series(["pos", np.nan, "neg"])
    ),
    "class_weight: expected one of 'balanced', got 'even'": lambda: RecurrentClassifier(
        vocabulary="learn", class_weight="even"
    ).fit(TEXTS, Y),
    "class_weight: The classes, .*, are not in class_weight": lambda: RecurrentClassifier(
        vocabulary="learn", class_weight={"good": 2.0}
    ).fit(TEXTS, Y),
    "class_weight: expected a dict or None with partial_fit, which does not see all": lambda: (
        RecurrentClassifier(vocabulary="learn", class_weight="balanced").partial_fit(TEXTS, Y)
    ),
    "X: expected tokens, got texts; a Vocabulary, or": lambda: RecurrentClassifier(vocabulary=5).fit(
        TEXTS, Y
    ),
    "vocabulary: expected 'learn', a Vocabulary or a whole number, got 'all'": lambda: RecurrentClassifier(
        vocabulary="all"
    ).fit(TEXTS, Y),
    "vocabulary: expected a whole number of at least 1, got 0": lambda: RecurrentClassifier(vocabulary=0).fit(
        [[1], [2]], [0, 1]
    ),
    r"X\[1\]: expected 0 to 4, got 5 to 5": lambda: RecurrentClassifier(vocabulary=5).fit([[1], [5]], [0, 1]),
    r"X\[0\]: expected \[t\] tokens, whole numbers, got \[1\] float": lambda: RecurrentClassifier(
        vocabulary=5
    ).fit([[0.5], [1.0]], [0, 1]),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()
