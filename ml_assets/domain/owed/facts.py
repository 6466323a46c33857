"""What is recorded of a model's partitions: made, tried, running, arrived, lost. What follows from it is `due`'s."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ml_assets.domain.contents import Seen
from ml_assets.domain.maturity import Arrived


@dataclass(frozen=True, slots=True)
class Made:
    """The current materialization of a partition.

    `id`: which materialization it is; `data_version`: hash of its content; `inputs`: digest of what it was made
    from, None when that is not known; `code`: version of the code that made it; `run`: the run that did.
    """

    id: int
    data_version: str
    inputs: str | None
    code: str | None
    run: str = field(default="", compare=False)


@dataclass(frozen=True)
class Attempt:
    """The latest attempt to make a partition, which failed, or was stopped by a person, in `run`.

    `id`: when it began, on the scale of `Made.id`.
    """

    inputs: str
    code: str
    run: str = ""
    id: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Facts:
    """What is recorded, by asset or log key, then by partition key.

    `arrived`: the versions of event partitions that count. `late`: those that changed after their restatement window.
    `lost`: the file that is not in the store any more, of what is made. No sensor looks for it, or makes it again.
    `seen`: what their files hold, as far as somebody looked.
    """

    arrived: Arrived
    made: Mapping[str, Mapping[str, Made]] = field(default_factory=dict)
    failed: Mapping[str, Mapping[str, Attempt]] = field(default_factory=dict)
    running: Mapping[str, frozenset[str]] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    late: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lost: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    seen: Seen = field(default_factory=dict)


def model_inputs(training_data: Made) -> str:
    """The inputs of a model: one materialization of its training data."""
    return str(training_data.id)


def metrics_inputs(evaluation_data: Made, model: Made) -> str:
    """The inputs of metrics: the rows of the evaluation data, and one materialization of the model.

    Evaluation data that was made again with equal rows changes nothing; a remade model is judged anew.
    """
    return f"{evaluation_data.data_version}-{model.id}"
