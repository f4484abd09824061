"""`baton` on people with several names: found by each, merged and taken apart again, erased under all of them."""

import json
from typing import Any

from schemas.identity import lead_id_of
from tests.e2e import people
from tests.relay import JUDGES, Relay
from tests.until import until


async def told(relay: Relay, *command: str) -> dict[str, Any]:
    """The command's answer; empty where it knows nobody."""
    code, printed, _ = await relay.typed("desk", *command, "--json")
    return dict(json.loads(printed)) if code == 0 else {}


async def erased(relay: Relay, service: str, leads: list[str]) -> int:
    """How many of the leads the service has erased."""
    statement = "SELECT 1 FROM lead WHERE lead_id = ANY($1) AND erased IS NOT NULL"
    return len(await relay.query(service, statement, leads))


async def test_a_person_is_found_by_each_name_and_erased_under_all_of_them(shared_relay: Relay) -> None:
    email = people.somebody()
    names = (email, *people.weaker_names(email))
    await shared_relay.batch(people.of_three_names(email))

    async def whole() -> bool:
        views = [await told(shared_relay, "explain", name) for name in names]
        return [(view.get("email"), view.get("score")) for view in views] == [(email, 80)] * 3

    await until(whole, "her points under every name", 30)
    known = (await told(shared_relay, "explain", email))["known_as"]
    assert (known["user_id"], known["anonymous_id"]) == ([names[1]], [names[2]])
    code, printed = await shared_relay.baton("lead", names[2])
    assert f"found by the anonymous id {names[2]}" in printed, printed
    assert f"alias {lead_id_of(anonymous_id=names[2])} is {email} ({lead_id_of(email=email)}) since " in printed, (
        printed
    )
    assert "all of its 5 facts were moved there" in printed, printed
    nowhere = {"BATON_POLICIES": "/nowhere"}  # who erases has to know no policy
    code, _, printed = await shared_relay.typed("desk", "suppress", names[1], **nowhere)
    assert (code, f"Suppress {names[1]}" in printed, "policy" in printed) == (1, True, False), printed
    code, out, printed = await shared_relay.typed("desk", "erase", names[1], "--yes", **nowhere)
    assert (code, [f"Reached: {name}" in printed for name in names]) == (0, [True] * 3), printed

    assert (out.startswith(f"Erased: {email} (e-mail address), "), out.count(", ")) == (True, 2), out
    ids = [lead_id_of(email=email), lead_id_of(user_id=names[1]), lead_id_of(anonymous_id=names[2])]
    assert [await erased(shared_relay, service, ids) for service in JUDGES] == [3, 3, 3]


async def test_of_a_name_that_nobody_knows_all_readings_are_erased(shared_relay: Relay) -> None:
    name, email = people.somebody().partition("@")[0], people.somebody()
    readings = [lead_id_of(user_id=name), lead_id_of(anonymous_id=name)]
    answer = await told(shared_relay, "erase", name, "--yes")
    assert (answer["lead_id"], answer["asked"], answer["done"]) == (readings[0], "erased", True)
    assert answer["names"] == [f"{name} (user id)", f"{name} (anonymous id)"]
    assert (await told(shared_relay, "erase", email, "--yes"))["done"]
    readings += [lead_id_of(email=email), lead_id_of(user_id=email), lead_id_of(anonymous_id=email)]
    assert [await erased(shared_relay, service, readings) for service in JUDGES] == [5, 5, 5]


async def test_a_name_of_two_persons_erases_neither(shared_relay: Relay) -> None:
    one, other = people.somebody(), people.somebody()
    device = {"anonymousId": f"shared-{one[:12]}"}
    for email in (one, other):
        await shared_relay.batch([{**people.identified(email), **device}])

    async def both() -> bool:
        statement = "SELECT 1 FROM lead WHERE lead_id = $1 AND state #> '{names,links,since,1}' IS NOT NULL"
        linked = await shared_relay.query("scorer", statement, lead_id_of(anonymous_id=device["anonymousId"]))
        return bool(linked) and all([(await told(shared_relay, "explain", name)).get("score") for name in (one, other)])

    await until(both, "both of them", 60)
    for verb in ("erase", "suppress"):
        code, _, printed = await shared_relay.typed("desk", verb, device["anonymousId"], "--yes")
        assert (code, "a name of several persons" in printed) == (1, True), printed
        assert [f"{email} ({lead_id_of(email=email)})" in printed for email in (one, other)] == [True, True], printed
    code, _, printed = await shared_relay.typed("desk", "erase", lead_id_of(email=one), "--yes")
    assert (code, f"{device['anonymousId']} (anonymous id), which other leads have too" in printed) == (0, True), (
        printed
    )
    assert await erased(shared_relay, "sla-monitor", [lead_id_of(email=other)]) == 0


async def test_two_known_leads_are_merged_and_taken_apart(shared_relay: Relay) -> None:
    old, new = people.somebody(), people.somebody()
    await shared_relay.batch([*people.qualified(old), people.tracked(new, "Content Downloaded", content="case_study")])

    async def both() -> bool:
        views = [await told(shared_relay, "show", name) for name in (old, new)]
        return bool(views[0].get("episode")) and views[1].get("score") == 10

    await until(both, "the handoff of one and the score of the other", 30)
    owner = (await told(shared_relay, "show", old))["episode"]["owner"]
    code, _, printed = await shared_relay.typed("desk", "merge", old, new)
    assert (code, "NEW takes over the owner of OLD" in printed, "no terminal" in printed) == (1, True, True), printed
    answer = await told(shared_relay, "merge", old, new, "--yes", "--because", "one person")
    assert (answer["done"], answer["alias"], answer["lead"]) == (True, lead_id_of(email=old), lead_id_of(email=new))

    async def taken_over() -> bool:
        view = await told(shared_relay, "lead", old)
        standing, score = view.get("standing") or {}, view.get("score") or {}
        return score.get("score") == 75 and (standing.get("episode") or {}).get("owner") == owner

    await until(taken_over, "the survivor to have points and owner of both", 30)
    code, _, printed = await shared_relay.typed("desk", "merge", old, new, "--yes")
    assert (code, "are one lead already" in printed) == (1, True), printed
    assert (await told(shared_relay, "unmerge", old, new, "--yes"))["done"]

    async def apart() -> bool:
        views = [await told(shared_relay, "show", name) for name in (old, new)]
        return [view.get("stage") for view in views] == ["handed_off", "unmerged"]

    await until(apart, "each to be a lead of its own", 30)
    code, _, printed = await shared_relay.typed("desk", "unmerge", old, new, "--yes")
    assert (code, "is not merged into" in printed) == (1, True), printed


async def test_a_link_cannot_be_undone_and_a_merge_says_whom_a_weaker_name_means(shared_relay: Relay) -> None:
    email, other = people.somebody(), people.somebody()
    user_id, _ = people.weaker_names(email)
    await shared_relay.batch([*people.of_three_names(email), people.tracked(other, "Webinar Attended")])

    async def known() -> bool:
        views = [await told(shared_relay, "explain", name) for name in (user_id, other)]
        return [view.get("score") for view in views] == [80, 20]

    await until(known, "both of them", 60)
    code, _, printed = await shared_relay.typed("desk", "unmerge", user_id, email, "--yes")
    assert (code, f"{user_id} is linked to {email}" in printed, "cannot be undone" in printed) == (1, True, True), (
        printed
    )
    code, _, printed = await shared_relay.typed("desk", "merge", user_id, other)
    assert (code, f"{user_id} is only a name of it" in printed) == (1, True), printed
    assert f"Merge {email} ({lead_id_of(email=email)}), of whom {user_id} is a name, into {other} " in printed, printed
    assert (await told(shared_relay, "merge", user_id, other, "--yes"))["alias"] == lead_id_of(email=email)
    code, _, printed = await shared_relay.typed("desk", "unmerge", user_id, other, "--yes")
    assert (code, f"Merged is lead {lead_id_of(email=email)}: unmerge that one." in printed) == (1, True), printed


async def test_two_user_ids_which_no_call_can_link_are_merged_by_hand(shared_relay: Relay) -> None:
    old, new = (f"user-{people.somebody()[:12]}" for _ in range(2))
    visit = people.tracked(people.somebody(), "Webinar Attended")
    for user in (old, new):
        await shared_relay.batch([{**visit, "context": {}, "userId": user, "messageId": user}])
    await shared_relay.batch([{"type": "alias", "previousId": old, "userId": new, "messageId": f"{old}-{new}"}])

    async def known() -> bool:
        return [(await told(shared_relay, "explain", user)).get("score") for user in (old, new)] == [20, 20]

    await until(known, "both user ids", 60)
    assert (await told(shared_relay, "merge", old, new, "--yes"))["done"]

    async def one() -> bool:
        views = [await told(shared_relay, "explain", user) for user in (old, new)]
        whole = [view.get("facts_read", 0) >= 3 for view in views]  # both visits, and the merge
        return [view.get("lead_id") for view in views] == [lead_id_of(user_id=new)] * 2 and all(whole)

    await until(one, "one person of both", 60)


async def test_a_user_id_of_two_addresses_is_listed(shared_relay: Relay) -> None:
    one, other = people.somebody(), people.somebody()
    user = {"userId": f"user-{one}"[:20]}
    for email in (one, other):
        await shared_relay.batch([{**people.identified(email), **user}])

    async def listed() -> bool:
        code, printed = await shared_relay.baton("conflicts", "--json", "--limit", "1000")
        found = {
            each["user_id"]: [one["email"] for one in each["addresses"]] for each in json.loads(printed)["conflicts"]
        }
        return code == 0 and sorted(found.get(user["userId"], [])) == sorted([one, other])

    await until(listed, "the conflict", 30)


async def test_who_shares_a_user_id_with_somebody_who_is_erased_keeps_what_is_theirs(shared_relay: Relay) -> None:
    gone, stays = people.somebody(), people.somebody()
    user = {"userId": f"both-{gone.partition('@')[0]}"}
    for email in (gone, stays):
        await shared_relay.batch([{**people.identified(email), **user}])

        async def linked(email: str = email) -> bool:
            view = await told(shared_relay, "explain", user["userId"])
            return view.get("email") == email

        await until(linked, "the user id to be the one's who came last", 30)
    code, _, printed = await shared_relay.typed("desk", "erase", gone, "--yes")
    shared = f"Reached: {user['userId']} (user id), which other leads have too: only what was done as this lead goes"
    assert (code, shared in printed) == (0, True), printed

    async def erased() -> bool:
        statement = "SELECT erased IS NOT NULL, deleted FROM lead WHERE lead_id = ANY($1) ORDER BY erased IS NULL"
        ids = [lead_id_of(email=gone), lead_id_of(user_id=user["userId"])]
        rows = [tuple(row) for row in await shared_relay.query("scorer", statement, ids)]
        return len(rows) == 2 and rows[0][0] and not rows[1][0] and bool(rows[1][1])

    await until(erased, "the address to be erased, and what is hers of the user id", 30)
    before = (await told(shared_relay, "explain", stays))["score"]
    download = people.tracked(stays, "Content Downloaded", content="pricing")
    await shared_relay.batch([{key: value for key, value in download.items() if key != "context"} | user])

    async def counted() -> bool:
        return bool((await told(shared_relay, "explain", user["userId"]))["score"] == before + 15)

    await until(counted, "what comes under the user id later to count for the other one", 30)
