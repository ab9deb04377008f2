"""DataFrames whose columns lie in another order: no feature is taken for another one."""

import numpy as np
import pandas as pd
import pytest

from elman.sequence import pad
from elman.sklearn import RecurrentClassifier, RecurrentForecaster
from elman.train import Sequences

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 6, 2)).astype(np.float32)
Y = np.arange(12) % 2


def tables(*names):
    return [pd.DataFrame(x, columns=["a", "b"])[list(names or "ab")] for x in X]


SWAPPED = [*tables()[:5], *tables("b", "a")[5:]]
MESSAGE = r"\[5\]: expected the columns \['a', 'b'\], got \['b', 'a'\]; .*\[5\]\[\['a', 'b'\]\] has them so"


def test_within_what_is_given():
    assert np.array_equal(pad(tables())[0], X.swapaxes(0, 1))
    assert len(Sequences([*tables()[:5], *X[5:]], Y)) == 12  # arrays have no names
    for call in (
        lambda: pad(SWAPPED),
        lambda: Sequences(SWAPPED, Y),
        lambda: RecurrentClassifier(epochs=1).fit(SWAPPED, Y),
        lambda: RecurrentForecaster(epochs=1, context=2).fit(SWAPPED),
    ):
        with pytest.raises(ValueError, match=MESSAGE):
            call()


def test_between_fit_and_predict():
    model = RecurrentClassifier(epochs=1, hidden_size=4, random_state=0).fit(tables(), Y)
    want = model.predict_proba(X)
    assert np.array_equal(model.predict_proba(tables()), want)
    with pytest.raises(ValueError, match=r"X\[0\]: expected the columns \['a', 'b'\], got \['b', 'a'\]"):
        model.predict(tables("b", "a"))
    with pytest.raises(ValueError, match=r"X\[0\]: expected the columns \['a', 'b'\], got \['a', 'c'\]$"):
        model.predict([table.rename(columns={"b": "c"}) for table in tables()])
    model.fit(list(X), Y)
    assert np.array_equal(model.predict_proba(tables()), want)
    forecaster = RecurrentForecaster(epochs=1, context=2, hidden_size=4).fit(tables())
    with pytest.raises(ValueError, match=r"X\[0\]: expected the columns"):
        forecaster.predict(tables("b", "a"))


@pytest.mark.parametrize(
    "column", [pd.date_range("2020", periods=6), pd.array([1, None] * 3)], ids=["date", "NA"]
)
def test_what_is_no_number_is_named(column):
    with pytest.raises(ValueError, match=r"X\[0\]: expected numbers, got \[6, 2\] object: float"):
        RecurrentClassifier(epochs=1).fit([pd.DataFrame({"t": column, "v": x[:, 0]}) for x in X], Y)
