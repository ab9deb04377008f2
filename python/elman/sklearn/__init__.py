"""scikit-learn estimators (extra: sklearn): recurrent networks for pipelines and grid searches.

X may be a list of arrays [t_i, d], an array [n, t, d], or an array [n, t] whose columns are steps of one feature.
Arrays are those of NumPy, pandas or PyTorch, or lists. Numbers are scaled in float64, then computed with in float32:
without `scale` a column of large numbers that differ little (timestamps) keeps but 7 digits.
"""

from .._extras import need

need("sklearn", "sklearn", "elman.sklearn")

from .forecaster import RecurrentForecaster  # noqa: E402
from .supervised import RecurrentClassifier, RecurrentRegressor  # noqa: E402

__all__ = ["RecurrentClassifier", "RecurrentForecaster", "RecurrentRegressor"]


def __dir__() -> list[str]:
    return __all__
