"""The store in memory, for simulation, tests and repositories without one. Only bootstrap names it."""
