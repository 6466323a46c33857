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
from ml_assets.notebooks.summary import describe_examples, first_rows, rate_by_age

step = Step.of(context)
examples = step.save(step.history(step.examples(frame=step.frame)))
first_rows(examples)

# %%
numbers = describe_examples(examples)
step.report(**numbers)

# %% [markdown]
# The youngest examples look worse than they are: their outcomes are still to come.

# %%
if numbers["rows"]:
    rate_by_age(examples).plot(xlabel="days before the cutoff", ylabel="positive rate")
