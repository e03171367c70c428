"""Dead latents begun anew, by one of three rules: a file each, and a line in `rules.RULES`."""

from .rules import RULES, check_rule, resample, times

__all__ = ["RULES", "check_rule", "resample", "times"]
