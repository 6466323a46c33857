# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Metrics
# The model of this partition, judged on exposures that it could not know.

# %% tags=["parameters"]
from ml_assets.jupyter import context_of

context = context_of("ads/cvr/metrics_1d")

# %%
from ml_assets.metrics.evaluate import evaluate
from ml_assets.notebooks.step import Step
from ml_assets.notebooks.summary import describe_metrics

step = Step.of(context)
model = step.load_model()
examples = step.read("evaluation_data")
predictions = model.predict(examples)

# %%
metrics = evaluate(
    examples["label"].to_numpy(), predictions, horizon=step.horizon, attribution=step.attribution, seed=0
)
metrics

# %%
step.save(metrics)
step.report(**describe_metrics(metrics))
# What the model never saw in training: its predictions of these rows are guesses.
step.report(**{f"{column}_note": note for column, note in model.unlike_training(examples).items()})

# %% [markdown]
# Predicted against observed, by tenths of the examples.

# %%
import pandas as pd

if len(examples):
    tenths = pd.Series(predictions).rank(method="first", pct=True).mul(10).clip(upper=9.99).astype(int)
    judged = pd.DataFrame({"predicted": predictions, "observed": examples["label"].to_numpy()})
    judged.groupby(tenths).mean().plot(x="predicted", y="observed", marker="o")
