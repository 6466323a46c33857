"""What a notebook of a data scientist gets to become a step, and what it is told."""

import jupytext
import pytest
from nbformat import NotebookNode

from ml_assets.authoring.adapt import Adapted, AdaptError, adapt
from ml_assets.authoring.percent import to_text

ASSET = "shop/order/model"
PARAMETERS = (
    '# %% tags=["parameters"]\nfrom ml_assets.jupyter import context_of\n\ncontext = context_of("shop/order/model")\n'
)
STEP = "# %%\nfrom ml_assets.notebooks.step import Step\n\nstep = Step.of(context)\n"


def notebook(text: str) -> NotebookNode:
    return jupytext.reads(text, fmt="py:percent")


def adapted(text: str, variable: str | None = None) -> Adapted:
    return adapt(notebook(text), ASSET, variable)


def body(text: str, variable: str | None = None) -> str:
    """The text of the adapted notebook, without its header."""
    return to_text(adapted(text, variable).notebook).split("# ---\n\n", 1)[1]


def test_the_parameters_cell_the_step_and_the_save_are_added_and_nothing_else() -> None:
    original = "# %% [markdown]\n# # Orders\n\n# %%\nmodel = Model()\nmodel.fit(X, y)\n"
    title, code = original.split("\n\n")
    assert body(original) == f"{title}\n\n{PARAMETERS}\n{STEP}\n{code}\n# %%\nstep.save_model(model)\n"


def test_adapting_again_changes_nothing() -> None:
    once = adapted("# %%\nmodel.fit(X, y)\n").notebook
    again = adapt(once, ASSET)
    assert to_text(again.notebook) == to_text(once)
    assert again.done == ()


def test_only_what_lacks_is_added() -> None:
    assert (
        body(f"{PARAMETERS}\n# %%\nmodel.fit(X, y)\n")
        == f"{PARAMETERS}\n{STEP}\n# %%\nmodel.fit(X, y)\n\n# %%\nstep.save_model(model)\n"
    )
    with_step = f"{PARAMETERS}\n# %%\ns = Step.of(context)\n\n# %%\nmodel.fit(X, y)\n"
    assert body(with_step) == f"{with_step}\n# %%\ns.save_model(model)\n"
    saving = f"{PARAMETERS}\n{STEP}\n# %%\nstep.save_files(mine.write)\n"
    assert body(saving) == saving


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("model.fit(X, y)", "model"),
        ("fitted = model.fit(X, y)", "fitted"),
        ("pipe = make_pipeline(A(), B()).fit(X, y)", "pipe"),
        ("scores = model.fit(X, y).predict(X)", "model"),
        ("for round in range(3):\n    model.fit(X, y)", "model"),
        ("%%time\nmodel.fit(X, y)", "model"),
        ("%time model.fit(X, y)", "model"),
        ("!pip list\nmodel.fit(X, y)", "model"),
        ("scaler.fit(X)\n\n# %%\nmodel.fit(X, y)", "model"),
        ("model.fit(X, y)\n\n# %%\n%%bash\nscaler.fit(", "model"),
        ("model.fit(X, y)\n\n# %%\ndef f(other):\n    other.fit(X)", "model"),
        ("model.fit(X, y)\n\n# %%\nmodel.score(X, y)", "model"),
    ],
)
def test_what_is_fitted_last_is_saved(code: str, name: str) -> None:
    assert adapted(f"# %%\n{code}\n").notebook.cells[-1].source == f"step.save_model({name})"


def test_what_is_saved_is_said_with_the_cell_that_fits_it_and_the_names_left_out() -> None:
    done = adapted("# %%\nscaler.fit(X)\n\n# %%\nmodel.fit(X, y)\n").done
    assert done == (
        "added the cell tagged `parameters`, which Dagster replaces",
        "saves `model`, which cell 4 fits last",
        "does not save scaler, fitted before; to save another: --model-variable NAME",
    )


def test_a_name_that_is_given_wins() -> None:
    text = "# %%\nbest = search(X)\n\n# %%\nmodel.fit(X, y)\n"
    assert adapted(text, "best").notebook.cells[-1].source == "step.save_model(best)"


@pytest.mark.parametrize(
    ("text", "variable", "words"),
    [
        ("x = 1", None, "no cell calls `.fit(` on a name: say which name holds the model by --model-variable NAME"),
        ("models[0].fit(X)", None, "no cell calls `.fit(` on a name"),
        (
            "scaler.fit(X)\nmodel.fit(X, y)",
            None,
            "cell 1 fits scaler, model: say which one is the model by --model-variable NAME",
        ),
        ("model.fit(X, y)", "mdoel", "--model-variable mdoel: no cell sets it; `.fit(` is called on model"),
        ("step = 0.1\nmodel.fit(X, y)", None, "cell 1 sets `step`, a name that the added cells need"),
        ("import context\nmodel.fit(X, y)", None, "cell 1 sets `context`"),
        ('x = 1\n# %% tags=["parameters"]\nalpha = 0.1', None, "cell 2 is tagged `parameters` and sets no `context`"),
        (f"x = 1\n{PARAMETERS}\n{PARAMETERS}", None, "cells 2, 3 are tagged `parameters`"),
    ],
)
def test_what_is_not_clear_is_refused(text: str, variable: str | None, words: str) -> None:
    with pytest.raises(AdaptError) as error:
        adapted(f"# %%\n{text}\n", variable)
    assert words in str(error.value)


def test_each_read_of_a_file_is_named_with_its_cell_and_what_to_put_in_its_place() -> None:
    reads = adapted('# %%\nvisits = pd.read_csv("visits.csv", sep=";")\n\n# %%\nmodel.fit(visits, y)\n').reads
    (read,) = reads
    assert (read.cell, read.line) == (3, 'visits = pd.read_csv("visits.csv", sep=";")')
    assert read.instead == 'visits = step.read("training_data")'
    assert (read.reader, read.path, read.options) == ("read_csv", "visits.csv", {"sep": ";"})


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ('pd.read_parquet(folder / "a.parquet")', 1),
        ('with open("a.json") as file:\n    x = json.load(file)', 1),
        ('open("a.txt", "w").write("x")', 0),
        ('with open("a.txt", mode="a") as file:\n    pass', 0),
        ('x = Path("a.txt").read_text()', 1),
        ('x = np.load("a.npy")', 1),
        ('def rows():\n    return pd.read_csv("a.csv")', 1),
        ("a, b = pd.read_csv(one), pd.read_csv(two)", 2),
        ('x = step_rows.read("training_data")', 0),
    ],
)
def test_reads_are_found_wherever_they_are(code: str, count: int) -> None:
    assert len(adapted(f"# %%\n{code}\n\n# %%\nmodel.fit(X, y)\n").reads) == count


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("model = XGBClassifier()", "XGBClassifier"),
        ("model = lightgbm.LGBMClassifier()", "LGBMClassifier"),
        ("class Model(ClassifierMixin, BaseEstimator):\n    pass\n\nmodel = Model()", "class Model of its own"),
        (
            "def twice(x):\n    return 2 * x\n\n# %%\nmodel = make_pipeline(FunctionTransformer(twice), Line())",
            "FunctionTransformer of a function of its own",
        ),
        (
            "model = make_pipeline(FunctionTransformer(func=lambda x: 2 * x), Line())",
            "FunctionTransformer of a function of its own",
        ),
    ],
)
def test_what_cannot_be_saved_without_its_code_is_named_with_its_cell(code: str, named: str) -> None:
    notebook = adapted(f"# %%\n{code}\nmodel.fit(X, y)\n")
    word = named.split(maxsplit=1)[0]
    number = next(place for place, cell in enumerate(notebook.notebook.cells, 1) if word in cell.source)
    assert notebook.refused == ((named, number),)


@pytest.mark.parametrize(
    "code",
    [
        "LogisticRegression()",
        "make_pipeline(SimpleImputer(), sklearn.ensemble.HistGradientBoostingClassifier())",
        "make_pipeline(FunctionTransformer(np.log1p), RandomForestClassifier())",
    ],
)
def test_what_is_of_scikit_learn_itself_is_not(code: str) -> None:
    assert adapted(f"# %%\nmodel = {code}\nmodel.fit(X, y)\n").refused == ()
