"""M_IP >= tau M_GT: which printed lines of Tables 1 and 4 to 7 cannot hold, and what could."""

from __future__ import annotations

from dataclasses import dataclass

from ...signature import checked
from ...table import Table
from .lines import TABLES, lines

TAU = 0.95
HALF_GT, HALF_IP = 5e-5, 5e-4  # of a unit in the last printed digit: 98.89%, .345


@checked
def least_mip(found: float, tau: float = TAU) -> float:
    r"""The least mean M_IP beside a share M_GT = `found` of features above tau.

    .. math:: M_{IP} = \frac 1 n \sum_i s_i \ge \frac 1 n \sum_{s_i > \tau} s_i \ge \tau M_{GT}

    for s_i >= 0 (inner products in absolute value, section 5.1 and appendix B of arXiv:2512.05534);
    strictly where anything is found. The found ones just above tau, the others at 0, come as near
    as one likes. ValueError for a share outside [0, 1] or tau < 0.

    >>> from sdl_theory.experiments.paper.bound import least_mip
    >>> least_mip(1.0)  # where all are found, the mean exceeds tau
    0.95
    """
    if not 0 <= found <= 1:
        raise ValueError(f"found is a share, in [0, 1]; got {found}")
    if not tau >= 0:
        raise ValueError(f"tau must be >= 0; got {tau}")
    return tau * found


@dataclass(frozen=True)
class Contradiction:
    """A printed line of Table 1, 4, 5, 6 or 7 that M_IP >= tau M_GT rules out, at tau = .95.

    found, mip : as printed.
    mip_above : what the mean would exceed, were the share right.
    found_below : what the share stays below, were the mean right.
    tau_below : the two can stand together at a threshold below this.
    """

    table: int
    line: str
    arm: str
    found: float
    mip: float
    mip_above: float
    found_below: float
    tau_below: float


def contradictions(tau: float = TAU) -> Table[Contradiction]:
    """All of them, whatever the rounding of what is printed."""
    table: Table[Contradiction] = Table()
    for number in TABLES:
        for line in lines(number):
            for arm in ("plain", "anchored"):
                found, mip = getattr(line, arm)
                if least_mip(max(0.0, found - HALF_GT), tau) > mip + HALF_IP:
                    table.append(
                        Contradiction(
                            table=number,
                            line=line.name,
                            arm=arm,
                            found=found,
                            mip=mip,
                            mip_above=round(tau * found, 3),
                            found_below=round(mip / tau, 3),
                            tau_below=round(mip / found, 3),
                        )
                    )
    return table


@dataclass(frozen=True)
class Thresholds:
    """The thresholds tau at which all lines of a table could stand together: from `least` on (where
    nothing is found no s_i exceeds tau, so M_IP <= tau), and below `most` (M_IP > tau M_GT); up to
    the rounding of what is printed. `some`: there are any.
    """

    table: int
    least: float
    least_by: str
    most: float
    most_by: str
    some: bool


def thresholds() -> Table[Thresholds]:
    """Of each of Tables 1 and 4 to 7."""
    table: Table[Thresholds] = Table()
    for number in TABLES:
        printed = [
            (*getattr(line, arm), f"{line.name}, {arm}")
            for line in lines(number)
            for arm in ("plain", "anchored")
        ]
        nothing = [(mip, where) for found, mip, where in printed if found == 0]
        least, least_by = max(nothing, default=(0.0, "-"))
        most, most_by = min((mip / found, where) for found, mip, where in printed if found > 0)
        table.append(
            Thresholds(
                table=number,
                least=least,
                least_by=least_by,
                most=round(most, 3),
                most_by=most_by,
                some=least - HALF_IP < most + 2 * HALF_IP,
            )
        )
    return table
