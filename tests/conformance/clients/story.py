"""One person by Segment's Python client: python story.py <host> <write key> <name>."""

import sys

from segment import analytics  # type: ignore[import-not-found]  # not in this environment

host, write_key, who = sys.argv[1:]
failures: list[Exception] = []
analytics.host, analytics.write_key = host, write_key
analytics.on_error = lambda error, _: failures.append(error)

old, visitor, user = f"old-{who}", f"visitor-{who}", f"user-{who}"
company = {"name": "Analytical Engines", "employees": 120}
analytics.page(anonymous_id=old, name="Blog")
for _ in range(4):
    analytics.page(anonymous_id=visitor, name="Pricing", properties={"path": "/pricing"})
analytics.identify(user, {"email": f"{who}@example.com", "name": "Ada", "company": company}, anonymous_id=visitor)
analytics.track(user, "Content Downloaded", {"content": "pricing"})
analytics.track(user, "Webinar Attended")
analytics.alias(old, user)
analytics.shutdown()
if failures:
    sys.exit(str(failures))
