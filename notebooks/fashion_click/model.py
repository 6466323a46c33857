# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Model
# A logistic regression that knows the position in which an item was shown, so that the effects of items and users are
# free of it. On mature examples alone.

# %% tags=["parameters"]
from ml_assets.jupyter import context_of

context = context_of("fashion/click/model")

# %%
from ml_assets.examples.fashion_model import ClickConfig, fit, position_effects
from ml_assets.notebooks.step import Step
from ml_assets.notebooks.summary import describe_examples

step = Step.of(context)
config = ClickConfig.from_mapping(step.config)
examples = step.read("training_data")
rows = examples[examples["mature"]]

# %%
model = fit(rows, config)

# %%
step.save_model(model)
effects = position_effects(model)
step.report(**describe_examples(rows), immature_rows=len(examples) - len(rows))
step.report(**{f"position_{position}_effect": effect for position, effect in effects.items()})

# %% [markdown]
# What each position adds to the log-odds of a click, compared with the first.

# %%
effects.plot.bar(ylabel="log-odds")
