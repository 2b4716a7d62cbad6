"""The codes of problems: stable, since people search for them and scripts match on them."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """What can be wrong with a plan file or with ``planctl.yaml``; ``meaning`` is one line for the manual.

    Problems of patterns carry the codes of ``plans.patterns`` instead.
    """

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Make the member a plain string that also knows its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    # The file
    UNREADABLE = "unreadable", "the file or folder could not be read"
    NOT_A_FILE = "not-a-file", "a folder, device or pipe stands where a plan file is expected"
    OUTSIDE_REPOSITORY = "outside-repository", "a folder or link leads out of the repository"
    TOO_MANY_FILES = "too-many-files", "a folder of plans holds more files than planctl looks at"
    FILE_TOO_LARGE = "file-too-large", "a plan file is larger than 1 MiB"
    NOT_UTF8 = "not-utf8", "the bytes are not UTF-8"
    CONTROL_CHARACTER = "control-character", "NUL, escape or another invisible character"
    NO_HEADER = "no-header", "a file that was asked for does not begin with a header"
    HEADER_NOT_CLOSED = "header-not-closed", "the line '---' that ends the header is missing"
    HEADER_TOO_LARGE = "header-too-large", "the header is larger than 64 KiB"
    HEADER_NOT_MAPPING = "header-not-mapping", "the header is not made of 'key: value' lines"
    TOO_MANY_PROBLEMS = "too-many-problems", "only the first problems of a file are shown"
    # YAML
    YAML_SYNTAX = "yaml-syntax", "the text is not YAML"
    YAML_ALIAS = "yaml-alias", "a YAML alias (*name); also what an unquoted pattern beginning with * is"
    YAML_ANCHOR = "yaml-anchor", "a YAML anchor (&name)"
    YAML_TAG = "yaml-tag", "a YAML tag (!name); also what an unquoted pattern beginning with ! is"
    YAML_TOO_DEEP = "yaml-too-deep", "lists and mappings are nested more than 50 deep"
    YAML_TOO_LONG = "yaml-too-long", "the YAML has more than 20,000 parts"
    YAML_DOCUMENTS = "yaml-documents", "more than one YAML document in one header or file"
    DUPLICATE_KEY = "duplicate-key", "a key stands twice in one mapping"
    KEY_NOT_TEXT = "key-not-text", "a list or mapping is used as a key"
    # Values
    UNKNOWN_KEY = "unknown-key", "a key that planctl does not know"
    NO_EFFECT = "no-effect", "a key that has no effect in this version"
    MISSING_KEY = "missing-key", "a key that is needed here is missing"
    CONFLICTING_KEYS = "conflicting-keys", "keys that exclude each other stand together"
    WRONG_TYPE = "wrong-type", "a list, a mapping or a single value stands where another is expected"
    EMPTY_VALUE = "empty-value", "a key without a value"
    NOT_ONE_LINE = "not-one-line", "a value of several lines where one line is expected"
    BAD_ID = "bad-id", "not a valid id of a plan or phase"
    BAD_BRANCH = "bad-branch", "not a name that git takes for a branch"
    BAD_NAME = "bad-name", "not a valid name of a label, resource, agent, variable or remote"
    BAD_NUMBER = "bad-number", "not a number, or one out of range"
    BAD_PHRASE = "bad-phrase", "a phrase that would know any line, or has a second {when}"
    BAD_DURATION = "bad-duration", "not a duration such as 90s, 1h30m or plain seconds, or one out of range"
    BAD_SIZE = "bad-size", "not a size such as 500MB or 20GB"
    BAD_CHOICE = "bad-choice", "not one of the words that are possible here"
    BAD_PATH = "bad-path", "a path that is absolute, contains '..' or a backslash, or cannot be one"
    BAD_URL = "bad-url", "not an http or https address, or one with a user or password in it"
    TEXT_TOO_LONG = "text-too-long", "a text longer than is possible here"
    DUPLICATE_VALUE = "duplicate-value", "a value stands twice in one list"
    # The body
    DUPLICATE_PHASE = "duplicate-phase", "a phase is defined twice"
    DUPLICATE_TASK = "duplicate-task", "a task number stands twice in one plan"
    BODY_NOT_LITERAL = (
        "body-not-literal",
        "phases or tasks in a YAML plan outside a block after 'body: |'",
    )
    BODY_TOO_LONG = "body-too-long", "the body has more than 10,000 phases and checkboxes"
    TASK_WITHOUT_NUMBER = "task-without-number", "checkboxes without a number are not tasks"
    # Several plans
    DUPLICATE_ID = "duplicate-id", "two files are the same plan"
    DUPLICATE_BRANCH = "duplicate-branch", "two plans work on one branch"
    BRANCH_CLASH = "branch-clash", "git cannot hold both branches: one is a folder of the other"
    BRANCH_IS_TARGET = "branch-is-target", "a plan works on the branch that it should land on"
    UNKNOWN_DEPENDENCY = "unknown-dependency", "a plan depends on one that does not exist"
    SELF_DEPENDENCY = "self-dependency", "a plan depends on itself"
    DEPENDENCY_CYCLE = "dependency-cycle", "plans wait for each other in a circle"
    UNKNOWN_PHASE = "unknown-phase", "a plan depends on a phase that the other plan does not have"
    PHASE_WITHOUT_RUN = "phase-without-run", "nothing but the plan's own command can complete this phase"
    PHASE_NOT_IN_HEADER = "phase-not-in-header", "the body has a phase that the header's phases do not list"
    PHASE_FILES_ONLY = "phase-files-only", "a phase declares files, and the plan itself does not"
    PHASE_BEYOND_PLAN = "phase-beyond-plan", "a phase writes what the plan's own manifest does not have"
    AMBIGUOUS_DEPENDENCY = "ambiguous-dependency", "a short form reads as a phase, and such a plan exists too"
    UNKNOWN_CONFLICT = "unknown-conflict", "conflicts_with names a plan that does not exist"
    SELF_CONFLICT = "self-conflict", "a plan conflicts with itself"
    RESOURCE_OVER_CAPACITY = "resource-over-capacity", "a plan asks for more of a resource than there is"
    UNKNOWN_RESOURCE = "unknown-resource", "a resource whose capacity planctl.yaml does not set"
    UNKNOWN_AGENT = "unknown-agent", "an agent that planctl.yaml does not define"
    NO_RUN = "no-run", "the plan has no command: a person or an agent does the work"
    NO_MANIFEST = "no-manifest", "the plan does not say which files it touches"
    UNDECLARED_FILE = "undeclared-file", "the text names an existing file that the manifest does not have"
    BEYOND_SYMLINK = "beyond-symlink", "a pattern goes through a symbolic link, under which git knows no file"
    BRACKET_LITERAL = "bracket-literal", "[…] in a pattern names an existing path, and is read as a class"
