import unittest

from shop.money import show


class Show(unittest.TestCase):
    def test_two_places(self) -> None:
        self.assertEqual(show(1234), "12.34")
        self.assertEqual(show(5), "0.05")
