"""Eight sessions at work for minutes while all that can go wrong does; see ``tests/stress/test_soak.py``."""
