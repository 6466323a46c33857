"""What steps are ordered by, and a small table that they save."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

Order = Callable[..., Any]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FRAME = pd.DataFrame({"id": [1, 2], "label": np.array([0, 1], dtype=np.int8), "device": ["phone", None]})
