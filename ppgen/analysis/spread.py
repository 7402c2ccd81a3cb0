"""How far rows that a model makes lie apart, beside real rows.

    spread = tr Cov(made) / tr Cov(real)

in the space of `Features`: about 1 for samples as varied as real rows, the share of the variance
that the latents explain for rows expected of them, and 0 for a blank decoder, which gives one row
whatever its code. Of such a decoder neither continuity nor completeness says anything, however high
they are.
"""

from __future__ import annotations

from ..arrays import Floats

BLANK = 0.01  # spread below which draws are one and the same row


def spread(made: Floats, real: Floats) -> float:
    """The spread of made rows (n, d) beside real ones (m, d); 1 where real ones do not vary."""
    whole = float(real.var(axis=0).sum())
    return float(made.var(axis=0).sum()) / whole if whole > 0 else 1.0


def blank_words(spread: float) -> str:
    """What is said of a decoder whose draws have this spread; "" where they differ."""
    if not spread < BLANK:  # NaN, of earlier versions, is not known
        return ""
    return f"blank: draws decode to one and the same row (spread {spread:.1g} of real rows')"
