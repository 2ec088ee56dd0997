"""Every page's textbook network as an estimator of scikit-learn: regression, classification, and their folds."""

from __future__ import annotations

from cortwin.estimator.classifier import RNNClassifier as RNNClassifier
from cortwin.estimator.regressor import RNNRegressor as RNNRegressor
from cortwin.estimator.sequences import padded as padded
