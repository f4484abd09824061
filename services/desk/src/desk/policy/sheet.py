"""Formats a backtest's report for people and programs; the same report gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape

from pydantic import TypeAdapter

from desk.lead.explanation import second
from desk.policy.backtest import Named, Paid, Report
from desk.policy.wording import number
from desk.tables import columns, plain
from schemas.scores import PolicyRef

NAMED = 20
"""Leads of each kind named for people; JSON names all."""
_RULES = "Rules"
_STYLE = """
body { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 50rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { border-bottom: 1px solid; padding: .25rem .75rem; text-align: right }
th:first-child { text-align: left }
"""


@dataclass(frozen=True, slots=True)
class _Part:
    """A heading, then sentences, then a table or leads."""

    heading: str
    sentences: Sequence[str] = ()
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    leads: Mapping[str, str] = field(default_factory=dict)
    """An e-mail address by lead id, or nothing."""


def as_json(report: Report) -> str:
    """One object, its keys sorted."""
    return json.dumps(TypeAdapter(Report).dump_python(report, mode="json"), indent=2, sort_keys=True)


def as_text(report: Report) -> str:
    """For a terminal."""
    return _text(_parts(report))


def as_summary(report: Report) -> str:
    """For a terminal, without the leads' ids and the rules."""
    return _text(replace(part, leads={}) for part in _parts(report) if part.heading != _RULES)


def _text(parts: Iterable[_Part]) -> str:
    lines: list[str] = []
    for part in parts:
        lines += ["", *([part.heading] if lines else []), *map(plain, part.sentences)]
        lines += [columns(part.headings, part.rows)] if part.rows else []
        lines += [f"  {plain(f'{email}, {lead}' if email else lead)}" for lead, email in part.leads.items()]
    return "\n".join(lines[1:])


def as_html(report: Report) -> str:
    """One HTML page without scripts, which loads nothing. It is sent around, so it names leads by id only."""
    title, *_ = parts = list(_parts(report))
    body = "\n".join(line for part in parts for line in _html(part, "h1" if part is title else "h2"))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title.heading)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>"
    )


def _parts(report: Report) -> Iterator[_Part]:
    before, after, differing = report.before, report.after, report.differing
    policies = f"Before: {_name(before.policy)}, in force. After: {_name(after.policy)}, the candidate."
    dropped = _counted(report.dropped, "event")
    flood = [f"{dropped} of any time dropped as flood, on neither side."] if report.dropped else []
    yield _Part("Backtest", (policies, _read(report), *flood, *_stored(report)))
    if differing is not None and differing.count:
        yield _named("Stored scores that do not follow from the facts", differing)
    if not report.leads:
        return
    cells = [(line.band, _or_dash(line.before), _or_dash(line.after)) for line in report.bands]
    yield _Part("Leads by band", headings=("band", "before", "after"), rows=cells)
    gate = f"({before.gate_band} before, {after.gate_band} after)"
    reached = f"{_counted(before.reached, 'lead')} before, {after.reached} after."
    yield _Part(f"In the gate's band or above {gate}", (reached, "Other conditions of the gate are not checked here."))
    yield _named("Would newly reach the gate's band", report.newly)
    yield _named("Would no longer reach the gate's band", report.no_longer)
    paid = [(line.rule, *_paid(line.before, line.after)) for line in report.rules]
    yield _Part(_RULES, headings=("rule", "leads before", "leads after", "points before", "points after"), rows=paid)


def _read(report: Report) -> str:
    since, until = report.since, report.until
    if not report.facts:
        return "There are no leads yet." if since is None and until is None else f"There are no facts{_time(report)}."
    what = "only links, machines' engagements or an erasure are known"
    unheard = f" Of {report.unheard} more {what}." if report.unheard else ""
    return f"{_counted(report.leads, 'lead')} and {_counted(report.facts, 'fact')}{_time(report)} read.{unheard}"


def _time(report: Report) -> str:
    since = "" if report.since is None else f" from {second(report.since)}"
    until = "" if report.until is None else f" up to {second(report.until)}"
    return f"{since}{until} UTC" if since or until else ""


def _stored(report: Report) -> Iterator[str]:
    if report.facts and report.differing is not None and not report.differing.count:
        yield "Both score alike, and every stored score follows from the lead's facts."


def _named(heading: str, named: Named) -> _Part:
    leads = {lead: named.emails.get(lead, "") for lead in named.leads[:NAMED]}
    more = [f"The first {len(leads)} by id; --json names all."] if leads and named.count > len(leads) else []
    return _Part(heading, (f"{_counted(named.count, 'lead')}.", *more), leads=leads)


def _paid(before: Paid | None, after: Paid | None) -> tuple[str, str, str, str]:
    sides = (before, after)
    leads = [_or_dash(None if side is None else side.leads) for side in sides]
    given = ["-" if side is None else number(side.points) for side in sides]
    return leads[0], leads[1], given[0], given[1]


def _name(policy: PolicyRef) -> str:
    return f"{policy.name} version {policy.version}"


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)


def _html(part: _Part, level: str) -> Iterator[str]:
    yield f"<{level}>{escape(part.heading)}</{level}>"
    yield from (f"<p>{escape(sentence)}</p>" for sentence in part.sentences)
    if part.rows:
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in part.headings)
        yield f"<table>\n<tr>{head}</tr>"
        for first, *cells in part.rows:
            data = "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
            yield f'<tr><th scope="row">{escape(str(first))}</th>{data}</tr>'
        yield "</table>"
    if part.leads:
        yield "<ul>"
        yield from (f"<li><code>{escape(lead)}</code></li>" for lead in part.leads)
        yield "</ul>"
