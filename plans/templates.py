"""Texts that ``planctl new`` and ``planctl init`` write: to be read by people, and by planctl at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from plans.kinds import MAX_TEXT
from plans.nodes import INVISIBLE

if TYPE_CHECKING:
    from plans.ids import PlanId

_NEW: Final = """\
---
plan: {plan}
title: {title}
# priority: high                # critical | high | medium | low, or a number
# branch: plan/{plan}
# dependencies:
#   - other-plan                # must have landed
#   - {{plan: api, phase: 2}}     # starts on api's phase 2 as soon as that is complete
# files:                        # what the plan touches; overlaps with other plans are found from it
#   write: ["src/thing/**", "!src/thing/generated/**"]
#   read: ["src/core/*.py"]
# run: ./scripts/agent.sh       # what does the work; or {{agent: NAME, prompt: TEXT}}
# check: make test-thing        # in addition to the check of planctl.yaml
# timeout: 2h
# retries: 1
---
# {heading}

What is to be done, and how to tell that it is.

## Phase 1: First steps

- [ ] 1.1 The first task
- [ ] 1.2 The second task
"""

_EXAMPLE: Final = """\
---
plan: hello
title: Say hello
priority: medium
files:
  write: [hello.txt]
run: echo hello from planctl> hello.txt
---
# Say hello

An example: its command writes one file in a worktree of its own, and planctl lands it.
Try it with `planctl run-multi hello`, then delete this plan.

## Phase 1: All of it

- [ ] 1.1 Write hello.txt
"""

_SETTINGS: Final = """\
# planctl.yaml: every key is optional; what stands behind # is the default or an example.
# The keys target, check, require_check, method, queue, root_files, enforce, hot_files and notify count as
# they are committed on the target, so that no branch can weaken what guards it. All keys: docs/plan-file.md.

plans: [plans]                  # folders of plan files
# target: main                  # the branch that work lands on

# check: make test              # every landing has to pass it; without one, landings are marked unchecked
# require_check: false          # true: nothing lands without a check
# check_timeout: 1h
# check_env: [CC]               # variables that a check's verdict depends on
# verdict_ttl: 24h

# method: merge                 # merge | squash | rebase
# queue: auto                   # auto | serial | batch | lanes | ranked: what one check is about
# check_jobs: 1                 # checks at once; more than one run ahead of their turn
# remote: origin                # land on the target of this remote, not on the local branch
# resolver: ./resolve.sh        # work that conflicts goes to it, the merge prepared in its worktree
# checkout: follow              # follow | wait | detach: what happens to a checkout of the target
# overlap: serialize            # serialize | isolate | forbid: plans that would touch the same files
# predicted: advise             # advise | bind: files that a plan without a manifest is likely to touch
# enforce: collisions           # collisions | strict | off: work outside a plan's declared files

# jobs: 0                       # plans at once; 0: as many as processors
# resources: {db: 1}            # capacities of named resources; 1 of what is not listed
# host: {build_slots: 8, memory_floor: 2GB}  # plans at work in all repositories here; memory to leave free
# pool: {max: 64, disk_floor: 5GB}
# setup: make setup             # runs in every new worktree
# copy: [.env]                  # ignored files to bring along
# link: [node_modules]

# agents:                       # name: command line, for plans with run: {agent: NAME, prompt: TEXT}
#   claude: claude -p {prompt}
"""


def new_plan(plan: PlanId, title: str | None) -> bytes:
    """A plan file to fill in: valid, without a command and without declared files."""
    words = " ".join(INVISIBLE.sub("", title or "").split())[:MAX_TEXT] or plan
    return _NEW.format(plan=plan, title=json.dumps(words, ensure_ascii=False), heading=words).encode()


def example_plan() -> tuple[str, bytes]:
    """File name and text of a small plan that runs anywhere."""
    return "hello.md", _EXAMPLE.encode()


def settings_template() -> bytes:
    """A ``planctl.yaml`` in which everything but the folder of plans is a comment."""
    return _SETTINGS.encode()
