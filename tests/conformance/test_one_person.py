"""One person by three names and an old one, sent by released clients: one lead, handed off once."""

import uuid
from typing import Any

from schemas.identity import lead_id_of
from tests.conformance.conftest import Client
from tests.e2e.test_three_names import one_lead_of_80_points
from tests.relay import WRITE_KEY, Relay


async def test_a_released_client_s_person_is_one_lead(client: Client, classic_relay: Relay) -> None:
    who = uuid.uuid4().hex[:12]
    email, names = f"{who}@example.com", {name: f"{name}-{who}" for name in ("user", "visitor", "old")}
    old, visitor, user = {"anonymousId": names["old"]}, {"anonymousId": names["visitor"]}, {"userId": names["user"]}
    blog, pricing = ({"path": path, "url": f"https://acme.example{path}"} for path in ("/blog", "/pricing"))
    company = {"name": "Analytical Engines", "employees": 120}
    calls: list[dict[str, Any]] = [
        {"call": "page", **old, "name": "Blog", "properties": blog},
        *(4 * [{"call": "page", **visitor, "name": "Pricing", "properties": pricing}]),
        {"call": "identify", **visitor, **user, "traits": {"email": email, "name": "Ada", "company": company}},
        {"call": "track", **user, "event": "Content Downloaded", "properties": {"content": "pricing"}},
        {"call": "track", **user, "event": "Webinar Attended", "properties": {}},
        {"call": "alias", "previousId": names["old"], **user},
    ]
    await client.play(str(classic_relay.http.base_url).rstrip("/"), WRITE_KEY[0], calls)

    aliases = [lead_id_of(user_id=names["user"])]
    aliases += [lead_id_of(anonymous_id=names[each]) for each in ("visitor", "old")]
    await one_lead_of_80_points(classic_relay, email, aliases, facts=8 + client.also)
    assert await classic_relay.records("events-rejected") == []
    for name in (email, *names.values()):
        code, printed = await classic_relay.baton("lead", name)
        assert (code, email in printed, "80 points" in printed) == (0, True, True), printed
