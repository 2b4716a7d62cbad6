"""Drawings of a graph: pure functions from a graph to text, each for one reader."""
