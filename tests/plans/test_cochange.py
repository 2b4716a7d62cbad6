"""P3: files that history says change together."""

from __future__ import annotations

import random

from plans.cochange import LEAST_CONFIDENCE, LEAST_SUPPORT, MAX_FILES, MAX_RULES, CoChanges, Rule


def commits(*lines: str) -> list[frozenset[str]]:
    return [frozenset(line.split()) for line in lines]


def test_p3_support_and_confidence_bound_what_is_a_rule() -> None:
    history = CoChanges(commits("a b c", "a b", "a b", "a", "a", "c d", "c d"))
    assert history.rules(["a"]) == (Rule("a", "b", 3, 5),)
    assert history.rules(["b"]) == (Rule("b", "a", 3, 3),)
    assert history.rules(["b"])[0].confidence == 1.0
    assert history.rules(["c"]) == (), "twice is no rule"
    assert history.rules(["unknown"]) == ()
    assert history.rules([]) == ()


def test_p3_a_commit_of_everything_says_nothing() -> None:
    everything = " ".join(f"f{n}" for n in range(MAX_FILES + 1))
    assert CoChanges(commits(*[everything] * 5)).rules(["f1"]) == ()
    as_many_as_count = " ".join(f"f{n}" for n in range(MAX_FILES))
    assert len(CoChanges(commits(*[as_many_as_count] * 5)).rules(["f1"])) == MAX_RULES


def test_p3_the_strongest_rule_for_each_file_comes_first() -> None:
    history = CoChanges(commits("a x", "a x", "a x", "a y", "b x y", "b x y", "b x y", "b x"))
    assert history.rules(["a", "b"]) == (Rule("b", "x", 4, 4), Rule("b", "y", 3, 4))


def test_p3_rules_agree_with_counting_by_hand_on_random_histories() -> None:
    rng = random.Random(1104)
    found = 0
    for _ in range(300):
        names = [f"f{n}" for n in range(rng.randint(2, 9))]
        changes = [
            frozenset(rng.sample(names, rng.randint(1, len(names)))) for _ in range(rng.randint(0, 14))
        ]
        asked = rng.sample(names, rng.randint(1, 2))
        rules = {(rule.then, rule.confidence) for rule in CoChanges(changes).rules(asked)}
        by_hand: dict[str, float] = {}
        for given in asked:
            with_it = [c for c in changes if given in c]
            for then in set(names) - set(asked):
                both = sum(then in c for c in with_it)
                if both >= LEAST_SUPPORT and both / len(with_it) >= LEAST_CONFIDENCE:
                    by_hand[then] = max(by_hand.get(then, 0), both / len(with_it))
        assert rules == set(by_hand.items())
        found += len(rules)
    assert found > 200, "the cases have rules"
