"""Plays calls by a released client: python play.py <client> <host> <write key>, the calls as JSON on standard input."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Call = dict[str, Any]
"""Named and spelt as the Segment family has it."""
Plays = tuple[Callable[[Call], object], Callable[[], object]]
"""Sends one call; ends the client as its manual says."""
PATIENCE = 30.0
failures: list[object] = []


def segment(host: str, key: str) -> Plays:
    from segment import analytics  # type: ignore[import-not-found]  # not in this environment

    analytics.host, analytics.write_key = host, key
    return _family(analytics)


def rudder(host: str, key: str) -> Plays:
    from rudderstack import analytics  # type: ignore[import-not-found]

    analytics.dataPlaneUrl, analytics.write_key = host, key
    return _family(analytics)


def _family(analytics: Any) -> Plays:
    analytics.on_error = lambda error, _: failures.append(error)

    def play(call: Call) -> None:
        who = {"user_id": call.get("userId"), "anonymous_id": call.get("anonymousId")}
        match call["call"]:
            case "page":
                analytics.page(**who, name=call["name"], properties=call["properties"])
            case "identify":
                analytics.identify(**who, traits=call["traits"])
            case "track":
                analytics.track(**who, event=call["event"], properties=call["properties"])
            case "alias":
                analytics.alias(call["previousId"], call["userId"])

    return play, analytics.shutdown


def posthog(host: str, key: str) -> Plays:
    from posthog import Posthog  # type: ignore[import-not-found]

    client = Posthog(key, host=host, on_error=lambda error, _: failures.append(error))

    def play(call: Call) -> None:
        who = call.get("userId") or call["anonymousId"]
        match call["call"]:
            case "page":
                client.capture("$pageview", distinct_id=who, properties={"$current_url": call["properties"]["url"]})
            case "identify":
                client.alias(call["anonymousId"], who)
                client.set(distinct_id=who, properties=call["traits"])
            case "track":
                client.capture(call["event"], distinct_id=who, properties=call["properties"])
            case "alias":
                client.alias(call["previousId"], who)

    return play, client.shutdown


def snowplow(host: str, key: str) -> Plays:
    import snowplow_tracker as sp  # type: ignore[import-not-found]

    sent, received = list[Call](), list[object]()
    emitter = sp.Emitter(host.partition("://")[2], protocol="http", on_success=received.extend)
    tracker = sp.Tracker(namespace="tests", app_id=key, emitters=emitter)

    def own(name: str, data: dict[str, Any], subject: object) -> None:
        described = sp.SelfDescribingJson(f"iglu:com.acme/{name}/jsonschema/1-0-0", data)
        tracker.track(sp.SelfDescribing(event_json=described, event_subject=subject))

    def play(call: Call) -> None:
        sent.append(call)
        subject = sp.Subject()
        if user := call.get("userId"):
            subject.set_user_id(user)
        if device := call.get("anonymousId") or call.get("previousId"):
            subject.set_domain_user_id(device)
        match call["call"]:
            case "page":
                tracker.track(sp.PageView(page_url=call["properties"]["url"], event_subject=subject))
            case "track":
                own(call["event"].lower().replace(" ", "_"), call["properties"], subject)
            case _:  # it has no call for who is who: an event of our own
                own("identify", call.get("traits", {}), subject)

    def end() -> None:
        tracker.flush()
        until = time.monotonic() + PATIENCE
        while len(received) < len(sent) and time.monotonic() < until:  # it retries beside, as long as we live
            time.sleep(0.05)
        failures.extend([] if len(received) == len(sent) else [f"{len(received)} of {len(sent)}"])

    return play, end


CLIENTS = {each.__name__: each for each in (segment, rudder, posthog, snowplow)}

if __name__ == "__main__":
    play, end = CLIENTS[sys.argv[1]](*sys.argv[2:])
    for call in json.load(sys.stdin):
        play(call)
    end()
    if failures:
        sys.exit(str(failures)[:500])
