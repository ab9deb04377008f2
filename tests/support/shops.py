"""Sales of shops, as a user's file has them: series of different length, missing days, promotions."""

import numpy as np
import pandas as pd

WEEK = np.array([1.0, 0.9, 0.9, 1.0, 1.2, 1.6, 0.6])


def shops(count=3, days=120, missing=0.05, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(count):
        date = pd.date_range("2024-01-01", periods=days)[10 * i :]
        n = len(date)
        promotion = rng.random(n) < 0.15
        sales = 100 * (i + 1) * WEEK[date.day_of_week] * (1 + 0.5 * promotion)
        frame = pd.DataFrame(
            {
                "shop": f"s{i}", "date": date, "region": ["north", "south"][i % 2], "promotion": promotion,
                "weather": rng.choice(["rain", "sun"], n), "sales": sales * (1 + noise * rng.standard_normal(n)),
            }
        )  # fmt: skip
        keep = rng.random(n) >= missing
        keep[[0, -1]] = True
        parts.append(frame[keep])
    return pd.concat(parts, ignore_index=True).sample(frac=1, random_state=seed)  # rows need no order


ROLES = {
    "target": "sales", "series": "shop", "time": "date", "known": ["promotion"], "past": ["weather"],
    "static": ["region"],
}  # fmt: skip


def ahead(frame, days, promotion=False):
    """The days after the end of each shop."""
    rows = [
        (shop, day, promotion)
        for shop, end in frame.groupby("shop")["date"].max().items()
        for day in pd.date_range(end, periods=days + 1)[1:]
    ]
    return pd.DataFrame(rows, columns=["shop", "date", "promotion"])
