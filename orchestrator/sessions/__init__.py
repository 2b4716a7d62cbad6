"""Living processes that do work: a run, a queue worker, an agent."""
