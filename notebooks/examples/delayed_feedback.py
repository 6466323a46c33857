# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Outcomes that come late
# What a conversion that has not come yet does to a model, and what helps. The log is simulated, so the true probability
# of each impression is known. This notebook needs no Dagster: run it from top to bottom.

# %% tags=["parameters"]
first_day = "2026-02-01"
window_days = 14
evaluation_days = 7
impressions_per_day = 20_000
seed = 7

# %% [markdown]
# ## A log, as it was known at the cutoff
# An impression counts as positive when it converts within 7 days. The evaluation days lie after the cutoff. All days
# are of one month, in which the campaigns of this world change little: what differs below is the work of the delay.

# %%
from datetime import date, timedelta

import ibis
import pandas as pd

from ml_assets.data.labels import Selection, label_examples, select_events
from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.event_log import Columns
from ml_assets.examples.advertising import TIMEZONE, simulate_day

attribution, window = timedelta(days=7), timedelta(days=window_days)
start = pd.Timestamp(first_day, tz=TIMEZONE).tz_convert("UTC").to_pydatetime()
cutoff = start + attribution + window

first = date.fromisoformat(first_day)
days = [first + timedelta(days=day) for day in range((attribution + window).days + evaluation_days)]
simulated = [simulate_day(day, seed=seed, impressions_per_day=impressions_per_day) for day in days]
impressions = pd.concat([of_day[0] for of_day in simulated], ignore_index=True)
conversions = pd.concat([of_day[1] for of_day in simulated], ignore_index=True)
later = impressions[impressions["event_time"] >= cutoff]

# %%
columns = Columns("event_time", ("impression_id",), "ingested_at")
# Rows are two hours late at most, and a training waits for them.
known = Selection(columns, Interval(start, cutoff), known_before=cutoff + timedelta(hours=2))
connection = ibis.duckdb.connect()
connection.raw_sql("SET TimeZone = 'UTC'")
labelled = label_examples(
    select_events(ibis.memtable(impressions), known),
    select_events(ibis.memtable(conversions), known),
    exposure_time="event_time",
    outcome_columns=columns,
    keys=["impression_id"],
    by_id=True,
    within=attribution,
    observed_until=cutoff,
)
examples = connection.to_pandas(labelled.order_by("impression_id"))
examples[["event_time", "campaign", "label", "label_age", "mature", "outcome_time"]].tail()

# %% [markdown]
# ## Five ways to train one model
# - **naive**: the last two weeks, with the labels as they are. Conversions to come are taken for none.
# - **drop immature negatives**: a conversion is certain and its absence is not, so only the latter is left out.
# - **mature only**: impressions at least 7 days old. The default, `examples: mature`.
# - **gap**: two weeks again, all of them mature, since they end 7 days before the cutoff. `gap: 7d`.
# - **importance weights**: the last two weeks, weighted by how much is still to come. `examples: all`.

# %%
from dataclasses import replace

from ml_assets.examples.delayed_feedback import against_truth, rates_by_age, unweighted_ways
from ml_assets.models.delayed_feedback import training_examples
from ml_assets.models.gbdt import GbdtConfig, train

config = GbdtConfig(features=["campaign", "device", "hour", "user_id"], categorical=["user_id"])
rows_of = unweighted_ways(examples, window=window, attribution=attribution)
models = {way: train(rows, config) for way, rows in rows_of.items()}
weighted, weight = training_examples(rows_of["naive"], replace(config, examples="all"), cutoff)
models["importance weights"] = train(weighted, config, weight=weight)

# %% [markdown]
# ## What each predicts for the days after the cutoff
# `predicted_over_true` is 1 for a model without bias, in a world that stands still. In this one the days before the
# cutoff convert 2 % more often than those after it, which no model knows; another seed moves it by a percent or two.
# `log_loss` is the expected one, in nats, and least for the truth. It rewards more rows and hardly sees the naive bias:
# to see that, compare mean with mean.

# %%
truth = later["probability_7d"].to_numpy()
table = against_truth({way: model.predict(later) for way, model in models.items()}, truth)
table.insert(0, "trained_on", pd.Series({way: model.rows for way, model in models.items()}).astype("Int64"))
table.round(4)

# %% [markdown]
# The weights need no older rows, and keep the new ones, but for those of the last minutes. They hold as far as all
# impressions share one distribution of delays, and as far as the model of the mature ones is right about the others.

# %%
import matplotlib.pyplot as plt

_, (by_way, by_age) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
table["predicted_over_true"].drop("the truth")[::-1].plot.barh(ax=by_way, xlabel="predicted / true, after the cutoff")
by_way.axvline(1, color="black", linewidth=1)
rates_by_age(weighted, weight, weighted["probability_7d"].to_numpy()).plot(
    ax=by_age, marker="o", ylim=(0, None), xlabel="days before the cutoff", ylabel="positive rate"
)
