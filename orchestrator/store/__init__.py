"""What is remembered: sessions, leases, runs, attempts, entries, verdicts, intents, events."""
