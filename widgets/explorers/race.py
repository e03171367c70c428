"""A race in words: what the controls ask for, what the curves show."""

from __future__ import annotations

from ..rows.training import NO_CLIP, Curves, Race

TRUE, SHAM = "true features", "random directions"
CLIPPED, NOT_CLIPPED = "clipped", "not clipped"


def race_of(
    anchors: int, log_lam: float, at: str, gradients: str, S: float, mu: float, k: int
) -> Race:
    """What the controls ask for."""
    return Race(
        anchors=int(anchors),
        lam_anchor=round(10.0**log_lam, 6),
        sham=at == SHAM,
        clip=1.0 if gradients == CLIPPED else NO_CLIP,
        S=round(S, 3),
        mu=round(mu, 3),
        k=int(k),
    )


def spoken(race: Race) -> str:
    """The settings in words."""
    return (
        f"{race.anchors} {'sham ' if race.sham else ''}anchors, lam_anchor {race.lam_anchor:.3g}, "
        f"gradients {NOT_CLIPPED if race.clip == NO_CLIP else CLIPPED}, "
        f"S {race.S:.2f}, mu {race.mu:.2f}, k {race.k}"
    )


def verdict(curves: Curves) -> tuple[str, str]:
    """A headline and a sentence on what the curves show, and no more than they show."""
    race, whole = curves.race, curves.difference()
    last = curves.figures[-1][0, 0].mean(-1)  # found by decoders: plain, anchored
    points = lambda one: (
        f"{100 * one.value:+.0f} points [{100 * one.low:+.0f}, {100 * one.high:+.0f}]"
    )
    found = (
        f"After {curves.samples[-1]:,} samples {last[0]:.0%} of the {race.n - race.anchors} "
        f"held-out features are found without anchors, {last[1]:.0%} with: "
        f"{points(curves.difference(curves.steps[-1]))}; on average over the run {points(whole)}."
    )
    if race.anchors == 0:
        return "nothing to compare", f"{found} Without anchors both sets are the same training."
    if whole.low > 0:
        return "anchored ahead", found
    if whole.high < 0:
        return "anchored behind", found
    return "no difference shown", found
