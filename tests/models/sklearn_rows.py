"""Rows that scikit-learn classifiers are fitted to."""

import numpy as np
import pandas as pd
import sklearn.base
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler


def on_features(classifier: object) -> Pipeline:
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["campaign", "returning"]),
        (StandardScaler(), ["hour"]),
        (FunctionTransformer(np.log1p, feature_names_out="one-to-one"), ["price"]),
        sparse_threshold=0,
    )
    return make_pipeline(encoder, classifier)


SAVED = {
    "logistic_regression": on_features(LogisticRegression()),
    "gradient_descent": on_features(SGDClassifier(loss="log_loss", random_state=0)),
    "discriminant": on_features(LinearDiscriminantAnalysis()),
    "naive_bayes": make_pipeline(OneHotEncoder(), BernoulliNB()),
    "without_a_pipeline": GaussianNB(),
    "columns_by_dtype": make_pipeline(
        make_column_transformer(
            (StandardScaler(), make_column_selector(dtype_include=np.number)),
            (OneHotEncoder(), make_column_selector(pattern="campaign", dtype_exclude=[np.number, bool])),
            remainder="passthrough",
        ),
        LogisticRegression(),
    ),
}


def rows() -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(0)
    features = pd.DataFrame(
        {
            "campaign": rng.choice(["a", "b", "価格"], 300),
            "returning": rng.random(300) < 0.5,
            "hour": rng.integers(0, 24, 300),
            "price": rng.lognormal(size=300),
        }
    )
    return features, (rng.random(300) < features["hour"] / 24).astype(int)


def fitted(estimator):
    features, labels = rows()
    if isinstance(estimator, GaussianNB):
        features = features[["hour", "price"]]
    return sklearn.base.clone(estimator).fit(features, labels)
