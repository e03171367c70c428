"""Numbers in what a notebook prints are compared as numbers; the words between them exactly.

Another processor sums in another order, so the same program prints 0.6753562547100406 here and
...405 there. Hence, for a stored figure a and a new one b:

* whole numbers (51 of 52, 64,000) are counts, and equal;
* where one of the two has a point, an exponent or a percent sign,
  |a - b| <= RELATIVE max(|a|, |b|), or
* they differ by one unit of the last printed place, as a figure beside a rounding boundary does
  (0.36 and 0.37), but only where that unit is at most a STEP of the figure: 0.4 and 0.5, or 4% and
  5%, are no rounding. The unit is that of the finer print.

So 0 is not 1e-17 (noise is to be printed as 0), -0.0 is 0.0, nan and inf are words. Blanks are not
compared: columns are as wide as their figures. A sign belongs to a figure where nothing stands
before it: `1-0.5` is a figure, a word and a figure.
"""

import math
import re

# far above what the order of sums does to float64 (1e-12 at the end of the search for W_p),
# far below what a reader sees
RELATIVE = 1e-6
# two digits show it (0.36: a 36th), one digit does not: nothing that is 5% off passes
STEP = 1 / 20
FIGURE = re.compile(
    r"""
    (?<![\w.])                           # not W_1, float64, 0x7f, nor the third part of 1.2.3
    (?:(?<![)\]])[-+])?                  # a sign, but neither a difference nor a hyphen
    (?=\.?\d)
    (?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?    # 64,000 or 64000, or nothing as in .95
    (?:\.(?P<decimals>\d+))?
    (?:[eE](?P<exponent>[-+]?\d+)(?!\w))?
    """,
    re.VERBOSE,
)


def figures(text):
    """(value, unit, (start, end)) of each figure in `text`.

    unit : of its last place, or None for a whole number.
    """
    for found in FIGURE.finditer(text):
        number, decimals, exponent = found[0].replace(",", ""), found["decimals"], found["exponent"]
        if decimals or exponent:
            yield (
                float(number),
                float(f"1e{int(exponent or 0) - len(decimals or '')}"),
                found.span(),
            )
        else:
            yield int(number), 1.0 if text.startswith("%", found.end()) else None, found.span()


def words(text):
    """What stands between the figures, without the blanks that align columns."""
    edges = [0, *(edge for *_, span in figures(text) for edge in span), len(text)]
    between = [text[start:end] for start, end in zip(edges[::2], edges[1::2])]
    return [re.sub(r"^ | $", "", re.sub(r"[ \t]+", " ", part)) for part in between]


def close(a, b, unit, its):
    """Whether figures a and b, of last places `unit` and `its`, may be one number.

    The rule is the module's.
    """
    if a == b or unit is its is None:
        return a == b
    size, step = max(abs(a), abs(b)), min(one for one in (unit, its) if one is not None)
    slack = max(RELATIVE * size, step if step <= STEP * size else 0.0)
    # 0.37 - 0.36 is 0.010000000000000009
    return size < math.inf and abs(a - b) <= slack * (1 + 1e-6)


def agree(stored, new):
    """True where two printed texts say the same: equal words, and figures that are `close`."""
    return words(stored) == words(new) and all(
        close(a, b, unit, its) for (a, unit, _), (b, its, _) in zip(figures(stored), figures(new))
    )


class Printed(str):
    """A string equal to every string that it agrees with: nbval compares outputs by `!=`."""

    __hash__ = str.__hash__

    def __eq__(self, other):
        return agree(self, other)

    def __ne__(self, other):
        return not agree(self, other)
