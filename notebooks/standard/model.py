# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Model
# Gradient-boosted trees on the mature examples alone. Dropping only the immature examples without an outcome would keep
# the positives among them, and bias the model upwards.

# %% tags=["parameters"]
import dagstermill

context = dagstermill.get_context()

# %%
from ml_assets.models.gbdt import GbdtConfig, train
from ml_assets.notebooks.step import Step
from ml_assets.notebooks.summary import describe_examples

step = Step.of(context)
examples = step.read("training_data")
mature = examples[examples["mature"]]
step.log.info(f"{len(mature)} of {len(examples)} examples are mature")

# %%
model = train(mature, GbdtConfig.from_mapping(step.config))

# %%
step.save_files(model.save)
step.report(**describe_examples(mature), immature_rows=len(examples) - len(mature))

# %%
model.importance().sort_values("gain").plot.barh(x="feature", y="gain", legend=False)
