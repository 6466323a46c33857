# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Evaluation data
# Labelled examples of the evaluation window, which begins where the model's knowledge ends. Every label is final: the
# outcomes of the whole horizon have arrived.

# %% tags=["parameters"]
from ml_assets.jupyter import context_of

context = context_of("ads/cvr/evaluation_data_1d")

# %%
from ml_assets.notebooks.step import Step
from ml_assets.notebooks.summary import describe_examples, first_rows, label_counts

step = Step.of(context)
examples = step.save(step.history(step.examples(frame=step.frame)))
first_rows(examples)

# %%
numbers = describe_examples(examples)
step.report(**numbers)

# %%
if numbers["rows"]:
    label_counts(examples).plot.bar(xlabel="label", ylabel="examples")
