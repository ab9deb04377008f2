"""Plain forecasts beside a backtest's: against loops and scikit-learn's ridge."""

import numpy as np
import pandas as pd
import pytest

from elman.sklearn import RecurrentForecaster
from tests.support.shops import ROLES, shops

FRAME = shops()
FAST = {"horizon": 7, "context": 14, "hidden_size": 4, "epochs": 1, "season": 7, "random_state": 0}


@pytest.mark.parametrize("context", [14, 5])  # a season may be longer than the context
def test_last_and_seasonal(context):
    found = RecurrentForecaster(**FAST | {"context": context}).backtest(
        FRAME, baselines=["last", "seasonal"], **ROLES
    )
    known = FRAME.pivot(index="date", columns="shop", values="sales").asfreq("D").ffill()
    for row in found.frame.sample(60, random_state=0).itertuples():
        days = pd.Timedelta(days=7 * -(-row.step // 7))
        assert row.last == pytest.approx(known.loc[row.origin, row.series], rel=1e-5)
        assert row.seasonal == pytest.approx(known.loc[row.time - days, row.series], rel=1e-5)
    table = found.summary(None)
    rows = found.frame[found.frame["truth"].notna()]
    assert table.loc["all", "mae_last"] == pytest.approx((rows["truth"] - rows["last"]).abs().mean())
    assert "mae_seasonal" in found.summary("series").columns


@pytest.mark.parametrize("scale", [True, "last", False])
def test_linear_finds_a_linear_rule(scale):
    """Waves are linear maps of their past; one is known ahead too."""
    n = np.arange(240)
    frame = pd.DataFrame({"t": n, "extra": np.cos(0.31 * n)})
    frame["y"] = 5 + np.sin(0.7 * n) + 3 * frame["extra"]
    model = RecurrentForecaster(**FAST | {"horizon": 3}, scale=scale)
    options = {"start": 0.7, "stride": 1, "target": "y", "time": "t", "known": "extra"}
    found = model.backtest(frame, baselines="linear", **options)
    assert found.summary(None).loc["all", "mae_linear"] < 0.05
    assert found.summary(None).loc["all", "mae"] > 0.2  # of a network after one epoch


def test_it_learns_nothing_from_after_the_origin():
    later = FRAME.copy()
    start = pd.Timestamp(sorted(FRAME["date"])[int(0.8 * len(FRAME))])
    later.loc[pd.to_datetime(later["date"]) > start, "sales"] *= 3
    one, other = (
        RecurrentForecaster(**FAST)
        .backtest(rows, start=start, stride=300, baselines="linear", **ROLES)
        .frame["linear"]
        for rows in (FRAME, later)
    )
    assert len(one) and (one == other).all()


def test_refused():
    with pytest.raises(ValueError, match="baselines: expected one of"):
        RecurrentForecaster(**FAST).backtest(FRAME, baselines=["ridge"], **ROLES)
