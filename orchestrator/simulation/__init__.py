"""The queue's real planner on a virtual clock, against an oracle that knows every outcome."""
