"""A small home like the demo's, of recent days: two models of a service, with what a person may meet in the UI."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg

from ml_assets.orchestration.launcher import command_of
from ml_assets.orchestration.recorded.lineage import current_runs
from tests.support import forks, shop
from tests.support.projects import TeamProject
from tests.support.webserver import Webserver, webserver

_LOG = """
type: ml_assets.EventLog
attributes:
  key: shop/{name}
  location: shop/{name}
  partitions: {{every: day, start: "{start}", end: "{end}", timezone: Europe/Berlin}}
  lookahead: 4d
  columns: {{time: event_time, key: [visit_id]}}
"""
_MODEL = """
type: ml_assets.EvaluatedModel
attributes:
  name: shop/{name}
  exposures: shop/visits
  outcomes: shop/orders
  join: {{id: [visit_id]}}
  training: {{window: 2d, attribution: 1d}}
  evaluation: {{window: 1d, horizons: [1d]}}
  config: {{features: [device], rounds: 5}}
"""
# What is hostile asks the UI's GraphQL, whatever would let it.
_HOSTILE = """
from IPython.display import HTML, Javascript, display

display(HTML('''
<h3 id="verdict">nothing ran</h3>
<script>
document.getElementById("verdict").textContent = "a script ran";
fetch("/graphql?from=notebook", {method: "POST", headers: {"Content-Type": "application/json"}, body: '{"query": "{version}"}'});
</script>
<img src="/graphql?query={version}&from=notebook" onerror="fetch('/graphql?query={version}&from=notebook')">
<iframe src="/graphql?query={version}&from=notebook"></iframe>
<form id="ask" action="/graphql?query={version}&from=notebook" method="post"><input type="submit" value="press me"></form>
<meta http-equiv="refresh" content="0; url=/graphql?query={version}&from=notebook">
'''))
display(Javascript('fetch("/graphql?query={version}&from=notebook")'))
"""
_NOTEBOOK = f"""\
# %% [markdown]
# # Gifts
# <script>fetch("/graphql?query={{version}}&from=notebook")</script> <img src="/graphql?query={{version}}&from=notebook">
# Which visit ends with a gift.

# %%
{_HOSTILE}
# %%
from ml_assets.models.delayed_feedback import training_examples
from ml_assets.models.gbdt import GbdtConfig, train

rows, weight = training_examples(step.read("training_data"), GbdtConfig.from_mapping(step.config), step.cutoff)
rows.describe(include="all").T  # {"a long line " * 20}

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(12, 3))
axes.plot(range(len(rows)), rows["label"].cumsum())

# %%
if step.partition == "PARTITION":
    raise ValueError("no gift in " + step.partition)
model = train(rows, GbdtConfig.from_mapping(step.config), weight=weight)
step.save_model(model)
step.report(rows=len(rows), gifts=figure)
"""


@dataclass(frozen=True)
class Home:
    """The project as a person finds it, with its webserver.

    Args: `evaluated`: the partitions that have metrics of `shop/order`; `failed`: the partition at which the notebook of
    `shop/gift/model` raises; `late`: that of `shop/order/metrics_1d` which lacks a day of orders that has ended;
    `never_due`: that whose outcomes lie beyond the end of the logs; `canceled`: a run that a person stopped.
    """

    team: TeamProject
    server: Webserver
    evaluated: tuple[str, ...]
    failed: str
    late: str
    never_due: str
    canceled: str

    @property
    def instance(self) -> dg.DagsterInstance:
        """Its Dagster instance."""
        return self.team.project.instance

    def run_of(self, asset: str, partition: str) -> str:
        """The run that made a partition."""
        return current_runs(self.instance, asset)[partition]

    def failed_run(self) -> str:
        """The run in which a notebook raised."""
        return self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))[0].run_id

    def latest_run(self, *, parent: str | None = None, tag: str | None = None) -> str:
        """The latest run that resumes another, or that has a tag."""
        runs = self.instance.get_runs(limit=20)
        return next(run.run_id for run in runs if (tag in run.tags if tag else run.parent_run_id == parent))

    def run_over(self, assets: list[str], *partitions: str) -> str:
        """A run of some assets over partitions, as the UI launches those of a backfill, to its end."""
        run = self.team.project.runs.create(assets, partitions, {"dagster/backfill": "by_hand"})
        forks.run(command_of(self.instance, run), cwd=self.team.root, env=self.team.environment)
        return run.run_id


@contextmanager
def made_home(folder: Path) -> Iterator[Home]:
    """Make the home and serve it, meanwhile."""
    today = datetime.now(ZoneInfo(shop.ZONE)).date()
    days = [today - timedelta(days=back) for back in range(6, 0, -1)]
    logs = [_LOG.format(name=name, start=days[0], end=today) for name in ("visits", "orders")]
    gift = _MODEL.format(name="gift") + "  notebooks: {model: notebooks/gift/model.ipynb}\n"
    order = _MODEL.format(name="order") + '  repair: {at: "03:00", lookback: 7d, budget: 5 runs}\n'
    defs = {"shop/logs": "---".join(logs), "shop/order": order, "shop/gift": gift}
    team = TeamProject.make(folder, "browser_shop", defs)
    failed = days[2].isoformat()
    team.write_notebook("notebooks/gift/model.ipynb", _NOTEBOOK.replace("PARTITION", failed))
    for one in days:
        team.write_partition("shop/visits", one.isoformat(), shop.visits(one))
    for one in days[:-1]:
        team.write_partition("shop/orders", one.isoformat(), shop.orders(one))
    team.make_due("shop")
    with webserver(team) as server:
        canceled = server.launch(["shop/order/model"], {"dagster/partition": days[1].isoformat()})
        # Without a daemon it waits in its queue.
        server.cancel(canceled)
        evaluated = (days[1].isoformat(), failed)
        yield Home(team, server, evaluated, failed, days[3].isoformat(), days[4].isoformat(), canceled)
