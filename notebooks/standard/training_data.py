# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Training data
# Labelled examples of the training window, each label as it was known at the cutoff.

# %% tags=["parameters"]
from ml_assets.jupyter import context_of

context = context_of("ads/cvr/training_data")

# %%
from ml_assets.notebooks.step import Step
from ml_assets.notebooks.summary import describe_examples

step = Step.of(context)
examples = step.history(step.examples())
examples.head()

# %%
step.save(examples)
step.report(**describe_examples(examples))

# %% [markdown]
# The youngest examples look worse than they are: their outcomes are still to come.

# %%
if len(examples):
    days_before_cutoff = (examples["label_age"] // 86_400).astype(int)
    examples.groupby(days_before_cutoff)["label"].mean().plot(xlabel="days before the cutoff", ylabel="positive rate")
