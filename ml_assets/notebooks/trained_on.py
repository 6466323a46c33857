"""Whether a model can judge what is to come: its columns and their types, against the table that it was trained on.

The metrics give a model the rows of evaluation data, which has the columns of training data. What a notebook makes of
them on the way to the model is not there, and would be missed days later, when the outcomes are in.
"""

from ml_assets.data.artifacts.tables import columns_of, first_rows_of
from ml_assets.domain.declared.near_misses import suggestions
from ml_assets.domain.declared.spec import LABEL_COLUMNS
from ml_assets.models.saved import SavedModel
from ml_assets.paths import AnyPath

#: Rows that a model is tried on, beside those that lack one of its columns.
_TRIED = 1000
_REMEDY = (
    "make it inside of a Pipeline (a ColumnTransformer, an imputer, a FunctionTransformer of a function of numpy), or "
    "as a column in notebooks of your own for training_data and evaluation_data, or leave it out of the features; "
    "where a metrics notebook of yours makes it, save the model by step.save_files"
)


class UnfitModelError(ValueError):
    """The metrics could not give a model what it needs. The message names it, and says what to do."""


def check_trained_on(model: SavedModel, step: str, table: AnyPath) -> None:
    """Check that a model can predict the rows of a stored table as they are.

    Args: `step`: that saved the table.
    Raises: UnfitModelError for columns that tell the outcome, for columns that the table lacks, and for a type or a
    missing value that the model refuses.
    """
    if telling := [name for name in model.columns if name in LABEL_COLUMNS]:
        raise UnfitModelError(
            f"the model was fitted on {telling}, which the outcomes make: whatever it is asked later, it would be told "
            f"the answer. Fit it on its features alone, without {', '.join(LABEL_COLUMNS)}"
        )
    columns = columns_of(table)
    missing = [name for name in model.columns if name not in columns]
    if missing:
        raise UnfitModelError(
            f"the model needs the columns {missing}{suggestions(missing, columns)}, which {step} does not have, nor "
            f"will the rows that the metrics judge it on; it has {columns}.\nWhat the notebook makes itself: {_REMEDY}"
        )
    # Of rows that are not mature, a model need know nothing. Values may begin to lack late in the window.
    mature = "mature" if "mature" in columns else None
    rows = first_rows_of(table, _TRIED, lacking=model.columns, where=mature)
    try:
        model.predict(rows)
    except (ValueError, TypeError) as error:
        raise UnfitModelError(
            f"the model cannot predict the rows of {step} as they are, nor those that the metrics will judge it on: "
            f"{error}\nWhat the notebook changes itself: {_REMEDY}"
        ) from error
