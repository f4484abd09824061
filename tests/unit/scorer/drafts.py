"""Drafts of a policy: classic-50 with what a test is about put in its place."""

from typing import Any

from desk.policy.review import review
from schemas.policy import ClockRule, Policy
from schemas.scoring import Rule
from tests.builders import a_policy


def a_draft(**changes: Any) -> Policy:
    """classic-50 with the value at each path (`__` for a dot) replaced."""
    draft: Any = a_policy("classic-50").model_dump(mode="json", by_alias=True, exclude_none=True)
    for path, value in changes.items():
        *way, last = path.split("__")
        place = draft
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        place[int(last) if isinstance(place, list) else last] = value
    return Policy.model_validate(draft)


def a_rule(name: str = "rule", points: float = 10, **fields: Any) -> dict[str, Any]:
    """A rule as a policy writes it; about any page where no condition is given."""
    if "attribute" not in fields:
        fields.setdefault("engagement", {"kind": "page_viewed"})
    return {"id": name, "group": "fit" if "attribute" in fields else "engagement", "points": points, **fields}


def sized(name: str, low: int, high: int, **fields: Any) -> dict[str, Any]:
    """A rule about the company's size."""
    return a_rule(name, attribute={"name": "company_size", "between": [low, high]}, **fields)


def coded(name: str, *codes: str, attribute: str = "industry", **fields: Any) -> dict[str, Any]:
    """A rule about an attribute that is a word."""
    return a_rule(name, attribute={"name": attribute, "is": list(codes)}, **fields)


def done(name: str, content: str | None = None, count: tuple[str, float] = (">=", 1), **fields: Any) -> dict[str, Any]:
    """A rule about page views."""
    engagement = {"kind": "page_viewed"} if content is None else {"kind": "page_viewed", "content": content}
    return a_rule(name, engagement=engagement, count={"op": count[0], "n": count[1]}, **fields)


def the_rule(**fields: Any) -> Rule:
    return Rule.model_validate(a_rule(**fields))


def remarks(policy: Policy) -> list[tuple[str, str]]:
    """What a review says, place by place."""
    return [(".".join(map(str, remark.place)), remark.text) for remark in review(policy)]


def of_rules(*rules: dict[str, Any]) -> list[tuple[str, str]]:
    """What is said of a policy with these rules, whose only band takes every score."""
    return remarks(a_scoring(*rules))


def a_scoring(*rules: dict[str, Any]) -> Policy:
    return a_draft(
        scoring__rules=list(rules), scoring__bands=[{"name": "all", "least": {"op": ">=", "n": 0}}], gate__band="all"
    )


def a_clock(**fields: Any) -> ClockRule:
    clock = {"id": "c", "party": "sales", "start": "handed_off", "stop": "contacted", "target": "1h"}
    return ClockRule.model_validate({**clock, **fields})
