"""Words to numbers and back, in every order and through every file."""

import json

import numpy as np
import pandas as pd
import pytest

import elman
from elman.models import CTCRecognizer, LanguageModel, Seq2Seq, SequenceClassifier, SequenceTagger
from elman.train import Sequences, Stream, Vocabulary, evaluate, fit

TEXTS = ["the cat sat", "the dog sat down", "a cat"]


def test_words_by_how_often_they_come():
    words = Vocabulary.of(TEXTS)
    assert words.words == ("<unknown>", "the", "cat", "sat", "dog", "down", "a") and len(words) == 7
    assert "dog" in words and "mouse" not in words and list(words) == list(words.words)
    assert Vocabulary.of(TEXTS, min_count=2).words == ("<unknown>", "the", "cat", "sat")
    assert Vocabulary.of(TEXTS, max_size=3).words == ("<unknown>", "the", "cat")
    special = Vocabulary.of(TEXTS, padding="<pad>", specials=["<end>", "sat"], max_size=5)
    assert special.words == ("<pad>", "<unknown>", "<end>", "sat", "the") and special.number("<pad>") == 0
    assert Vocabulary.of(["ab", "b"], split="characters", unknown=None).words == ("b", "a")
    assert Vocabulary.of(["a-b", "b"], split=lambda text: text.split("-")).words == ("<unknown>", "b", "a")
    assert Vocabulary.of([["the cat", "sat"], ["sat"]]).words == ("<unknown>", "sat", "the cat")


def test_plain_words():
    words = Vocabulary.of(
        ["Don't, WHERE's my phone-case?!", "- a_1 \u201cb\u201d 3.5", "\u00c9t\u00e9"], split="plain"
    )
    text = ["don't", ",", "where's", "my", "phone-case", "?", "!"]
    assert words.cut("Don't, WHERE's my phone-case?!") == text and words.cut(" \n") == []
    assert words.cut("- a_1 \u201cb\u201d 3.5") == ["-", "a_1", "\u201c", "b", "\u201d", "3", ".", "5"]
    again = Vocabulary(**json.loads(json.dumps(words.as_plain())))
    assert again.encode("my \u00c9T\u00c9!").tolist() == words.encode(["my", "\u00e9t\u00e9", "!"]).tolist()
    assert 0 not in again.encode("MY \u00e9t\u00e9")


def test_there_and_back():
    words = Vocabulary.of(TEXTS)
    numbers = words(["the cat down", [], ["a", "mouse"]])
    assert [one.tolist() for one in numbers] == [[1, 2, 5], [], [6, 0]]
    assert all(one.dtype == np.int64 for one in numbers)
    assert words.decode(numbers[0]) == ["the", "cat", "down"]
    assert words.encode("the the").tolist() == [1, 1]
    again = Vocabulary(**json.loads(json.dumps(words.as_plain())))
    assert again == words and hash(again) == hash(words) and again != Vocabulary(["a"])
    assert again.encode("a dog").tolist() == [6, 4]


def test_a_function_that_splits_is_not_in_files():
    words = Vocabulary.of(["a-b"], split=lambda text: text.split("-"))
    again = Vocabulary(**words.as_plain())
    assert again.encode(["a", "b"]).tolist() == words.encode("a-b").tolist()
    with pytest.raises(
        ValueError, match="split: expected the function that cut texts when the model was saved"
    ):
        again.encode("a-b")
    again.split = words.split
    assert again.encode("b-a").tolist() == words.encode("b-a").tolist()


@pytest.mark.parametrize("put", [list, pd.Series, np.array, lambda t: [one.split() for one in t]])
def test_a_model_reads_texts(put, tmp_path):
    texts = ["good film", "bad film", "very good", "very bad"] * 5
    y = ["pos", "neg", "pos", "neg"] * 5
    words = Vocabulary.of(texts)
    model = SequenceClassifier(["neg", "pos"], vocabulary=words, hidden_size=8, seed=0)
    fit(model, (put(texts), y), epochs=15, learning_rate=0.02, seed=0, progress=False)
    assert model.predict(put(texts)).tolist() == y
    assert evaluate(model, (put(texts), y)) < 0.3
    model.save(tmp_path / "m")
    again = elman.load(tmp_path / "m")
    assert again.vocabulary == words and again.predict(["good", "utterly bad"]).tolist() == ["pos", "neg"]
    assert "vocabulary=Vocabulary(5 words, unknown='<unknown>', padding=None)" in repr(again) == repr(model)
    same = model.predict_proba(words(texts))
    np.testing.assert_array_equal(model.predict_proba(put(texts)), same)
    model.notes["words"] = words
    model.save(tmp_path / "m")
    assert Vocabulary(**elman.load(tmp_path / "m").notes["words"]) == words


def test_other_models_take_one():
    words = Vocabulary.of(TEXTS, split="words")
    model = LanguageModel(words, hidden_size=4, seed=0)
    fit(model, Stream(words.encode(" ".join(TEXTS)), steps=3), epochs=1, seed=0, progress=False)
    written = model.generate(3, "the cat", temperature=0)
    np.testing.assert_array_equal(written, model.generate(3, words.encode("the cat"), temperature=0))
    assert len(words.decode(written[0])) == 3
    seq = Seq2Seq(4, vocabulary=words, hidden_size=4, seed=0)
    assert len(seq.predict(["the cat", "a dog"], max_length=2)) == 2
    data = Sequences(["the cat", "a dog"], [[0], [1, 2]], vocabulary=words)
    fit(seq, data, epochs=1, seed=0, progress=False)
    assert len(seq.attention_weights(["the cat"], [[0]])) == 1


def test_targets_may_be_texts(tmp_path):
    english, french = ["the cat", "a dog"] * 8, ["le chat", "un chien"] * 8
    source, target = Vocabulary.of(english), Vocabulary.of(french)
    model = Seq2Seq(target, vocabulary=source, hidden_size=12, seed=0)
    fit(model, (english, french), epochs=20, learning_rate=0.03, seed=0, progress=False)
    model.save(tmp_path / "m")
    again = elman.load(tmp_path / "m")
    assert [again.target_vocabulary.decode(row) for row in again.predict(["a dog"])] == [["un", "chien"]]
    assert again.attention_weights(["a dog"], ["un chien"])[0].shape == (3, 2)
    letters = Vocabulary.of(["ab"], split="characters", unknown=None)
    reader = CTCRecognizer(letters, input_size=2, hidden_size=3, seed=0)
    x = np.random.default_rng(0).standard_normal((4, 6, 2))
    assert evaluate(reader, (x, ["ab", "a", "", "b"])) == evaluate(reader, (x, [[0, 1], [0], [], [1]]))


REFUSALS = {
    "words: expected at least one, got none": lambda: Vocabulary([]),
    "words: expected each once, got 'a' twice": lambda: Vocabulary(["a", "b", "a"]),
    r"words\[1\]: expected text, got 3": lambda: Vocabulary(["a", 3]),
    "unknown: expected one of the words, or None, got '<u>'": lambda: Vocabulary(["a"], unknown="<u>"),
    "padding: expected one of the words, or None, got 0": lambda: Vocabulary(["a"], padding=0),
    "split: expected one of 'words', 'plain', 'characters', got 'letters'": lambda: Vocabulary(
        ["a"], split="letters"
    ),
    "text: expected words of the vocabulary, which has none for others, got 'c'": lambda: Vocabulary(
        ["a"]
    ).encode("a c"),
    "texts: expected several, as a list, got 'a b'": lambda: Vocabulary.of("a b"),
    r"texts\[1\]: expected a text or a list of words, got 3 in it": lambda: Vocabulary.of([["b"], ["a", 3]]),
    r"texts\[1\]: expected a text or a list of words, got nan; leave it out, or give '' for it": lambda: (
        Vocabulary.of(pd.Series(["a", None]).astype(object).fillna(np.nan))
    ),
    r"texts\[0\]: expected a text or a list of words, got None; leave it out": lambda: Vocabulary(["a"])(
        [None, "a"]
    ),
    r"texts\[1\]: expected a text or a list of words, got 7$": lambda: Vocabulary(["a"])(["a", 7]),
    "text: expected a text or a list of words, got None; leave it out": lambda: Vocabulary(["a"]).encode(
        None
    ),
    r"train: texts\[0\]: expected a text or a list of words, got nan": lambda: fit(
        SequenceClassifier(2, vocabulary=Vocabulary(["a"]), hidden_size=2), (pd.Series([np.nan, "a"]), [0, 1])
    ),
    "tokens: expected 0 to 0, got 1 to 1": lambda: Vocabulary(["a"]).decode([1]),
    r"tokens: expected \[t\], got \[1, 1\] int64": lambda: Vocabulary(["a"]).decode([[0]]),
    "min_count: expected a whole number of at least 1, got 0": lambda: Vocabulary.of(TEXTS, min_count=0),
    "max_size: expected a whole number of at least 1, got 0": lambda: Vocabulary.of(TEXTS, max_size=0),
    "max_size: expected a whole number of at least 3, got 2": lambda: Vocabulary.of(
        TEXTS, max_size=2, padding="<p>", specials=["<s>"]
    ),
    "specials: expected a list of words, got '<s>'": lambda: Vocabulary.of(TEXTS, specials="<s>"),
    "x: expected words of|text: expected words of": lambda: SequenceClassifier(
        2, vocabulary=Vocabulary(["a"]), hidden_size=2
    ).predict(["b"]),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refusals(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()


def test_each_text_of_a_list_is_a_sequence():
    """Also where all are of one word: what may be meant as one sentence is a list in a list."""
    model = SequenceTagger(["V", "O"], vocabulary=Vocabulary(["please", "call"]), hidden_size=3, seed=0)
    assert [one.shape for one in model.predict(["please", "call"])] == [(1,), (1,)]
    (words,), (text,) = model.predict([["please", "call"]]), model.predict(["please call"])
    assert words.shape == (2,) and words.tolist() == text.tolist()
    with pytest.raises(
        ValueError, match=r"^x: expected an array .* or a list, got 'please'; \[x\] is a list of one"
    ):
        model.predict("please")
