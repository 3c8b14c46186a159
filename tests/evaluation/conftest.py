"""scikit-learn sets two variables of the environment when it is first imported; here, before any test looks."""

import sklearn  # noqa: F401
