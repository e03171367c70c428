"""What an exercise says to the learner."""


def judge(found: bool, hint: str, praise: str = "well found!") -> None:
    """Praise, or a hint for the next try."""
    print(praise if found else hint)
