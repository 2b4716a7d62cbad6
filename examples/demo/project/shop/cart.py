"""What somebody is about to buy."""


def total(prices: list[int]) -> int:
    """The sum of all prices, in cents."""
    result = 0
    for price in prices:
        result += price
    return result
