// Plays calls by a released client: node play.cjs <client> <host> <write key>, the calls as JSON on standard input.
"use strict";
const [name, host, writeKey] = process.argv.slice(2);
const calls = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

const clients = {
  segment() {
    const { Analytics } = require("@segment/analytics-node");
    const analytics = new Analytics({ host, writeKey });
    analytics.on("error", fail);
    return [({ call, ...more }) => analytics[call](more), () => analytics.closeAndFlush()];
  },
  rudder() {
    const Analytics = require("@rudderstack/rudder-sdk-node");
    const analytics = new Analytics(writeKey, { dataPlaneUrl: host });
    return [({ call, ...more }) => analytics[call](more), () => analytics.flush()];
  },
  // One browser: it remembers who it has been told of.
  jitsu() {
    const { jitsuAnalytics } = require("@jitsu/js");
    const analytics = jitsuAnalytics({ host, writeKey: `${writeKey}:none`, fetch });
    const plays = {
      page: ({ name, properties }) => analytics.page({ name, ...properties }),
      identify: ({ userId, traits }) => analytics.identify(userId, traits),
      track: ({ event, properties }) => analytics.track(event, properties),
      alias: async ({ previousId, userId }) => {
        await analytics.reset();
        await analytics.setAnonymousId(previousId);
        await analytics.identify(userId);
      },
    };
    const play = async (call) => {
      if (call.anonymousId) await analytics.setAnonymousId(call.anonymousId);
      await plays[call.call](call);
    };
    return [play, () => {}];
  },
  // It has no call for who is who: an event of our own.
  snowplow() {
    const snowplow = require("@snowplow/node-tracker");
    const eventStore = require("@snowplow/tracker-core").newInMemoryEventStore({});
    const tracker = snowplow.newTracker(
      { namespace: "tests", appId: writeKey },
      { endpoint: host, bufferSize: 10, eventStore },
    );
    const own = (name, data) =>
      tracker.track(
        snowplow.buildSelfDescribingEvent({ event: { schema: `iglu:com.acme/${name}/jsonschema/1-0-0`, data } }),
      );
    const plays = {
      page: ({ properties }) => tracker.track(snowplow.buildPageView({ pageUrl: properties.url })),
      identify: ({ traits }) => own("identify", traits),
      alias: () => own("identify", {}),
      track: ({ event, properties }) => own(event.toLowerCase().replaceAll(" ", "_"), properties),
    };
    const play = (call) => {
      tracker.setUserId(call.userId ?? null);
      tracker.setDomainUserId(call.anonymousId ?? call.previousId ?? null);
      plays[call.call](call);
    };
    const end = async () => {
      while (await eventStore.count()) {
        await tracker.flush(); // what failed is kept, and sent with the next flush
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    return [play, end];
  },
};

function fail(error) {
  console.error(error);
  process.exitCode = 1;
}

async function main() {
  const [play, end] = clients[name]();
  for (const call of calls) await play(call);
  await end();
}

main().catch(fail);
