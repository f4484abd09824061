// One person by Segment's or Rudder's Node client: node story.cjs <package> <host> <write key> <name>
"use strict";
const [name, host, writeKey, who] = process.argv.slice(2);
const client = require(name);
const clients = {
  "@segment/analytics-node": () => {
    const analytics = new client.Analytics({ host, writeKey });
    analytics.on("error", fail);
    return [analytics, () => analytics.closeAndFlush()];
  },
  "@rudderstack/rudder-sdk-node": () => {
    const analytics = new client(writeKey, { dataPlaneUrl: host });
    return [analytics, () => analytics.flush()];
  },
};

function fail(error) {
  console.error(error);
  process.exitCode = 1;
}

const [analytics, flush] = clients[name]();
const old = { anonymousId: `old-${who}` };
const visitor = { anonymousId: `visitor-${who}` };
const user = { userId: `user-${who}` };
const company = { name: "Analytical Engines", employees: 120 };
analytics.page({ ...old, name: "Blog" });
for (let visit = 0; visit < 4; visit++) analytics.page({ ...visitor, name: "Pricing", properties: { path: "/pricing" } });
analytics.identify({ ...visitor, ...user, traits: { email: `${who}@example.com`, name: "Ada", company } });
analytics.track({ ...user, event: "Content Downloaded", properties: { content: "pricing" } });
analytics.track({ ...user, event: "Webinar Attended" });
analytics.alias({ previousId: old.anonymousId, ...user });
flush().catch(fail);
