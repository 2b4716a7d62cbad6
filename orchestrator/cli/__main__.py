"""``python -m orchestrator.cli`` is ``planctl``."""

from orchestrator.cli.main import main

main()
