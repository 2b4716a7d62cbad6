import unittest

from shop.cart import total


class Total(unittest.TestCase):
    def test_the_same_price_twice_counts_twice(self) -> None:
        self.assertEqual(total([250, 250, 100]), 600)
