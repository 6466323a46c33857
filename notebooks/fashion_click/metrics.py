# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Metrics
# The model of this partition, judged on recommendations that it could not know: as they were shown, and by position.

# %% tags=["parameters"]
from ml_assets.jupyter import context_of

context = context_of("fashion/click/metrics_1h")

# %%
from ml_assets.metrics.by_position import by_position
from ml_assets.metrics.evaluate import evaluate
from ml_assets.notebooks.step import Step
from ml_assets.notebooks.summary import describe_metrics

step = Step.of(context)
model = step.load_model()
examples = step.read("evaluation_data")
labels, predictions = examples["label"].to_numpy(), model.predict(examples)

# %%
metrics = evaluate(labels, predictions, horizon=step.horizon, attribution=step.attribution, seed=0)
metrics

# %% [markdown]
# What the position explains: `predicted` differs by position because some positions are looked at more, and because of
# what is shown there. With each item predicted as if shown first, only what is shown there is left.

# %%
at_first = model.predict(examples.assign(position=1))
positions = by_position(examples["position"], labels, predictions, at_first)
positions

# %%
step.save(metrics)
step.report(**describe_metrics(metrics))
for position, row in positions.set_index("position").iterrows():
    step.report(**row.dropna().add_prefix(f"position_{position}_").to_dict())

# %%
if len(examples):
    positions.plot.bar(x="position", y=["click_rate", "predicted", "predicted_at_first"])
