"""Amounts are whole cents."""


def show(cents: int) -> str:
    """1234 is shown as 12.34."""
    return f"{cents // 100}.{cents % 100:02d}"
