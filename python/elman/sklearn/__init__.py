"""scikit-learn estimators (extra: sklearn): recurrent networks for pipelines and grid searches.

X may be a list of arrays [t_i, d], an array [n, t, d], or an array [n, t] whose columns are steps of one feature.
"""

from .._extras import need

need("sklearn", "sklearn", "elman.sklearn")

from .forecaster import RecurrentForecaster  # noqa: E402
from .supervised import RecurrentClassifier, RecurrentRegressor  # noqa: E402

__all__ = ["RecurrentClassifier", "RecurrentForecaster", "RecurrentRegressor"]
