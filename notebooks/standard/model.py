# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Model
# Gradient-boosted trees on the mature examples alone, or on all with weights: the config key `examples` says which.
# Dropping only the immature examples without an outcome would keep the positives among them, and bias the model
# upwards.

# %% tags=["parameters"]
from ml_assets.jupyter import context_of

context = context_of("ads/cvr/model")

# %%
from ml_assets.models.delayed_feedback import training_examples
from ml_assets.models.gbdt import GbdtConfig, train
from ml_assets.notebooks.step import Step
from ml_assets.notebooks.summary import describe_examples

step = Step.of(context)
examples = step.read("training_data")
config = GbdtConfig.from_mapping(step.config)
rows, weight = training_examples(examples, config, step.cutoff)
step.log.info(f"{examples['mature'].sum()} of {len(examples)} examples are mature; training on {len(rows)}")

# %%
model = train(rows, config, weight=weight)

# %%
step.save_model(model)
step.report(**describe_examples(rows), immature_rows=len(examples) - examples["mature"].sum())
if weight is not None:
    step.report(weighted_positive_rate=(weight * rows["label"]).sum() / weight.sum())

# %%
model.importance().sort_values("gain").plot.barh(x="feature", y="gain", legend=False)
