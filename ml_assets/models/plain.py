"""What skops does not load without trust, as plain data: written as arrays, and made again of arrays that are checked.

A compiled tree follows its indices without looking, so that a file whose indices lead elsewhere would read outside of
memory. Here: dtypes, trees of every kind, splines, and the checks. Not here: the file (`sklearn_classifier`).
"""

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.interpolate import BSpline
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.neighbors import BallTree, KDTree
from sklearn.neighbors._base import NeighborsBase
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import TREE_LEAF, Tree
from sklearn.utils import check_array

from ml_assets.models.bounds import why_out_of_bounds

Array = np.ndarray


class DamagedError(ValueError):
    """Data that no fitted estimator would have left."""


class Plain:
    """Stands in a saved estimator for what is made of its `content`.

    No kind is a word that an estimator holds, too: what is shared in memory is written once.
    """

    def __init__(self, kind: str, content: Any) -> None:
        self.kind = kind
        self.content = content


def flattened(estimator: Any) -> Any:
    """The estimator with plain data in place of what skops does not load; itself where it holds none."""
    return _Copy(_flat, _fields_without_search_tree, lambda _: None).of(estimator)


def rebuilt(estimator: Any) -> Any:
    """Inverse of `flattened`. Raises: DamagedError where indices lead elsewhere."""
    return _Copy(_built, vars, _check).of(estimator)


class _Copy:
    """Copies what an estimator holds as far as something in it is replaced; what is shared stays shared.

    `replace`: gives another value, or the same; `fields`: of an object; `finish`: is told each object when it is done.
    """

    def __init__(
        self, replace: Callable[[Any], Any], fields: Callable[[Any], dict[str, Any]], finish: Callable[[Any], None]
    ) -> None:
        self._replace, self._fields, self._finish = replace, fields, finish
        # With the value itself, for an id is that of another object once it is gone.
        self._seen: dict[int, tuple[Any, Any]] = {}

    def of(self, value: Any) -> Any:
        if id(value) in self._seen:
            return self._seen[id(value)][1]
        self._seen[id(value)] = value, value
        other = self._replace(value)
        if other is value:
            other = self._copied(value)
        self._seen[id(value)] = value, other
        return other

    def _copied(self, value: Any) -> Any:
        copied = value
        if isinstance(value, Array) and value.dtype == object:
            if items := self._others(list(value.flat)):
                copied = np.empty(len(items), dtype=object)
                for place, item in enumerate(items):
                    copied[place] = item
                copied = copied.reshape(value.shape)
        elif type(value) in (list, tuple):
            if items := self._others(value):
                copied = type(value)(items)
        elif isinstance(value, dict):
            if items := self._others(list(value.values())):
                copied = copy(value)
                copied.update(zip(value, items, strict=True))
        elif type(value).__module__.partition(".")[0] == "sklearn" and hasattr(value, "__dict__"):
            fields = self._fields(value)
            if items := self._others(list(fields.values()), than=list(vars(value).values())):
                copied = object.__new__(type(value))
                copied.__dict__.update(zip(fields, items, strict=True))
            self._finish(copied)
        return copied

    def _others(self, values: Sequence[Any], than: Sequence[Any] | None = None) -> list[Any] | None:
        """What stands for each of the values; None where it is what there was."""
        items = [self.of(value) for value in values]
        same = all(item is value for item, value in zip(items, values if than is None else than, strict=True))
        return None if same else items


def _fields_without_search_tree(value: Any) -> dict[str, Any]:
    """Of neighbours, the tree that finds them is made anew of their rows."""
    fields = vars(value)
    if isinstance(value, NeighborsBase) and isinstance(fields.get("_tree"), (KDTree, BallTree)):
        return {**fields, "_tree": None}
    return fields


def _flat(value: Any) -> Any:
    match value:
        case np.dtype() if value.names is None:
            return Plain("numpy dtype", value.str)
        case Tree():
            _, (n_features, n_classes, n_outputs), state = value.__reduce__()
            size = {"n_features": n_features, "n_classes": n_classes, "n_outputs": n_outputs}
            return Plain("compiled tree", {**size, **state, "nodes": _without_padding(state["nodes"])})
        case TreePredictor():
            return Plain("tree of histograms", dict(vars(value)))
        case BSpline():
            return Plain(
                "scipy spline", {name: getattr(value, name) for name in ("t", "c", "k", "extrapolate", "axis")}
            )
    return value


def _without_padding(nodes: Array) -> Array:
    """The same fields, with nothing between them that is left over in memory."""
    clean = np.zeros(nodes.shape, dtype=nodes.dtype)
    for name in nodes.dtype.names or ():
        clean[name] = nodes[name]
    return clean


def _built(value: Any) -> Any:
    if not isinstance(value, Plain):
        return value
    make = _MAKERS.get(str(value.kind))
    if make is None:
        raise DamagedError(f"it holds {value.kind!r}: expected {', '.join(_MAKERS)}")
    try:
        return make(value.content)
    except (TypeError, KeyError, ValueError, IndexError, OverflowError) as error:
        raise DamagedError(f"its {value.kind} is none: {error}") from error


def _dtype(content: Any) -> np.dtype:
    return np.dtype(str(content))


def _spline(content: Any) -> BSpline:
    return BSpline(**content)


def _tree(content: Any) -> Tree:
    nodes, values, classes = _array(content["nodes"], 1), _array(content["values"], 3), _array(content["n_classes"], 1)
    n_features, count = int(content["n_features"]), len(nodes)
    _require(content["n_outputs"] == 1 and len(classes) == 1, "more than one output")
    _require(values.shape == (count, 1, int(classes[0])) and values.size > 0, "other values than nodes")
    _require(content["node_count"] == count, "another count of nodes")
    inner = nodes["left_child"] != TREE_LEAF
    _check_children(nodes["left_child"], nodes["right_child"], inner)
    _check_below(nodes["feature"][inner], n_features, "feature")
    tree = Tree(n_features, classes.astype(np.intp), 1)
    names = ("max_depth", "node_count", "nodes", "values")
    tree.__setstate__({name: content[name] for name in names})
    return tree


def _predictor(content: Any) -> TreePredictor:
    nodes = _array(content["nodes"], 1).astype(PREDICTOR_RECORD_DTYPE, casting="same_kind")
    bitsets = [
        np.ascontiguousarray(_array(content[name], 2), dtype=np.uint32)
        for name in ("binned_left_cat_bitsets", "raw_left_cat_bitsets")
    ]
    _require(len(nodes) > 0, "no nodes")
    _require(all(one.shape[1] == 8 for one in bitsets), "other bitsets")  # of 256 categories
    inner = nodes["is_leaf"] == 0
    _check_children(nodes["left"], nodes["right"], inner)
    _check_below(nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)], min(map(len, bitsets)), "bitset")
    return TreePredictor(nodes, *bitsets)


_MAKERS = {
    "numpy dtype": _dtype,
    "compiled tree": _tree,
    "tree of histograms": _predictor,
    "scipy spline": _spline,
}


def _check_children(left: Array, right: Array, inner: Array) -> None:
    """Each child comes after its parent: so a way through the tree ends."""
    place = np.arange(len(left))[inner]
    for children in (left[inner].astype(np.int64), right[inner].astype(np.int64)):
        _require(
            bool(np.all((children > place) & (children < len(left)))), "a child that is before its parent, or none"
        )


def _check_below(indices: Array, bound: int, what: str) -> None:
    _require(bool(np.all((indices >= 0) & (indices < bound))), f"a {what} that there is not")


def _array(value: Any, dimensions: int) -> Array:
    _require(isinstance(value, Array) and value.ndim == dimensions, "no array of the right shape")
    return value


def _require(right: bool, what: str) -> None:
    if not right:
        raise DamagedError(what)


def _check(value: Any) -> None:
    """Check what an estimator holds against the columns that it checks itself, and make its search tree."""
    try:
        why = why_out_of_bounds(value)
        _require(not why, why)
        match value:
            case NeighborsBase(_fit_method=_):
                _make_search_tree(value)
            case BaseDecisionTree(tree_=_):
                _require(isinstance(value.tree_, Tree), "no tree")
                _require(value.tree_.n_features == value.n_features_in_, "a tree of other columns")
            case IsolationForest():
                # Its trees read columns of their own, which nothing compares.
                _require(False, "it is not loaded")
            case BaseForest(estimators_=_):
                _check_parts(value, value.estimators_)
            case BaseGradientBoosting(estimators_=_):
                shape = len(value.estimators_), value.n_trees_per_iteration_
                _require(value.estimators_.shape == shape and shape[1] == 1, "trees of other classes")
                _check_parts(value, value.estimators_.flat)
            case BaseHistGradientBoosting(_predictors=_):
                _check_histograms(value)
    except (TypeError, AttributeError, IndexError, ValueError) as error:
        raise DamagedError(f"its {type(value).__name__} is none: {error}") from error


def _check_parts(value: Any, parts: Any) -> None:
    """The columns are checked for the first tree alone, when it predicts."""
    for part in parts:
        _require(isinstance(part, BaseDecisionTree) and part.n_features_in_ == value.n_features_in_, "no such trees")


def _make_search_tree(value: Any) -> None:
    make = {"kd_tree": KDTree, "ball_tree": BallTree}.get(value._fit_method)
    if make is not None:
        value._tree = make(
            value._fit_X, value.leaf_size, metric=value.effective_metric_, **value.effective_metric_params_
        )


def _check_histograms(value: Any) -> None:
    categorical, bins = value._bin_mapper.is_categorical_, value._bin_mapper.bin_thresholds_
    count = value.n_features_in_
    _require(_array(categorical, 1).shape == (count,) and categorical.dtype.kind in "bu", "other columns")
    for column in np.flatnonzero(categorical):
        _check_below(np.asarray(bins[column]), 256, "category")
    for trees in value._predictors:
        _require(len(trees) == 1, "trees of other classes")
        _require(isinstance(trees[0], TreePredictor), "no tree")
        nodes = trees[0].nodes
        inner = nodes[nodes["is_leaf"] == 0]
        _check_below(inner["feature_idx"], count, "feature")
        _require(bool(np.all(categorical[inner["feature_idx"][inner["is_categorical"] != 0]])), "no such category")
    if value._preprocessor is not None:
        _check_preprocessor(value._preprocessor, count)


def _check_preprocessor(value: Any, count: int) -> None:
    """It makes as many columns as it is given, whatever the rows: nothing else looks."""
    _require(isinstance(value, ColumnTransformer), "another preprocessor")
    parts = [part for _, part, _ in value.transformers_ if part != "drop"]
    _require(all(isinstance(part, (OrdinalEncoder, FunctionTransformer)) for part in parts), "another preprocessor")
    functions = [part.func for part in parts if isinstance(part, FunctionTransformer)]
    checked = [isinstance(one, partial) and one.func is check_array and not one.args for one in functions]
    _require(all(checked), "another preprocessor")
    row: Any = np.full((1, count), np.nan, dtype=object)
    if hasattr(value, "feature_names_in_"):
        row = pd.DataFrame(row, columns=value.feature_names_in_)
    _require(value.transform(row).shape == (1, count), "another preprocessor")
