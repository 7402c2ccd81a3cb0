"""Settings that the neural families share."""

from __future__ import annotations

from ...settings import Setting, integer, number, seed

BATCH_SIZE = Setting("batch_size", integer(1), None, "rows a step; fewer where memory is short.")
LEARNING_RATE = Setting(
    "learning_rate",
    number(above=0),
    None,
    "the highest; it falls to 0 as a cosine over `max_epochs` or the budget.",
)
MAX_EPOCHS = Setting("max_epochs", integer(1), None, "passes over the rows at most.")
RANDOM_STATE = Setting(
    "random_state", seed, None, "seed of initial weights, held-out rows, batches and draws."
)
