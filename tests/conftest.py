"""Every test is hermetic: its own home, no system git configuration, fixed identity, no terminal."""

from __future__ import annotations

import itertools
import os
import re
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import campaigns
from tests.support.repo import GitRepo, build_template

settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")  # how long one example takes on a busy machine says nothing

# A background job starts with SIGINT ignored, one under nohup with SIGHUP; so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if os.name == "posix" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).resolve().parent.parent
_NUMBERS = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(campaigns)


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As pytest's own, which looks at the folders of all tests before for a number that is free."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    return tmp_path_factory.mktemp(f"{name}{next(_NUMBERS)}", numbered=False)


@pytest.fixture(autouse=True)
def hermetic(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp(f"home{next(_NUMBERS)}", numbered=False)
    for name in list(os.environ):
        if name.startswith(("GIT_", "GITHUB_", "PLANCTL_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # each planctl would compile all of itself
    settings = {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_PYTHON_REFRESH": "quiet",
        "PYTHONPATH": str(ROOT),
        "TERM": "dumb",
        "NO_COLOR": "1",
        "CI": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (home / "gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.invalid\n[init]\n\tdefaultBranch = main\n"
        '[protocol "file"]\n\tallow = always\n',
        encoding="utf-8",
    )
    return home


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_template(tmp_path_factory.mktemp("template") / "repo")


@pytest.fixture
def repo(template: Path, tmp_path: Path) -> GitRepo:
    """A real repository with one commit on ``main``: README.md, src/a.py, src/b.py, docs/guide.md."""
    return GitRepo.copy_of(template, tmp_path / "repo")
