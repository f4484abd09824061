// Baton's tracker: <script src="https://.../t.js" data-key="pk_..." defer></script>
// Then baton.identify(id, traits), baton.track(event, properties), baton.page(name, properties), baton.reset();
// before it has loaded: (window.baton ??= []).push(["track", "Demo Requested"]).
// Views of pages are sent by themselves, unless data-auto="off". Nothing is sent or stored where the browser asks for
// that (Do Not Track, Global Privacy Control), unless data-privacy="ignore".
(function (window, document) {
  "use strict";
  var script = document.currentScript, data = script.dataset, navigator = window.navigator;
  var url = data.url || script.src.replace(/\/t\.js.*/, "/v1/batch");
  var BYTES = 5e4, KEPT = 200, LONGEST = 6e4; // of a request; events that wait; milliseconds between two attempts
  var store = {}, wait = 0, busy = 0, count = 0, timer, seen, from = document.referrer;
  var quiet = data.privacy != "ignore" &&
    (navigator.globalPrivacyControl || navigator.doNotTrack == 1 || window.doNotTrack == 1);
  try {
    store = window.localStorage || store;
  } catch (_) {} // a browser without storage: events live as long as the page

  function uuid() {
    var bytes = window.crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    return Array.from(bytes, function (b, i) {
      return (/^(4|6|8|10)$/.test(i) ? "-" : "") + (b + 256).toString(16).slice(1);
    }).join("");
  }
  function keep(name, value) {
    try {
      store["baton." + name] = value;
    } catch (_) { // full: this page's own memory
      store = Object.assign({}, store);
      store["baton." + name] = value;
    }
    return value;
  }
  // One entry of the storage for each event, so that two tabs overwrite nothing of each other.
  function waiting() {
    return Object.keys(store).filter(function (name) { return !name.indexOf("baton.e."); }).sort();
  }
  function add(type, fields, more) {
    if (quiet) return;
    var place = window.location, found = {}, campaign = {};
    place.search.replace(/[?&]utm_(\w+)=([^&]*)/g, function (_, name, value) {
      try {
        found[name] = decodeURIComponent(value.replace(/\+/g, " "));
      } catch (_) {}
    });
    for (var name in found) campaign[name == "campaign" ? "name" : name] = found[name];
    var now = new Date(), item = Object.assign({
      type: type, messageId: uuid(), timestamp: now.toISOString(),
      anonymousId: store["baton.anonymous"] || keep("anonymous", uuid()),
      context: { campaign: campaign, library: { name: "t.js" },
        page: { path: place.pathname, url: place.href, referrer: from, title: document.title } },
    }, fields, more);
    if (store["baton.user"] && !("userId" in item)) item.userId = store["baton.user"];
    keep("e." + now.getTime() + (1e6 + count++) + item.messageId, JSON.stringify(item));
    waiting().slice(0, -KEPT).forEach(drop);
    later();
  }
  function drop(name) { delete store[name]; }
  function later() {
    window.clearTimeout(timer);
    timer = window.setTimeout(send, wait * (0.5 + Math.random() / 2) || 50);
  }
  function send(leaving) {
    var names = [], size = 0;
    waiting().some(function (name) {
      size += store[name].length;
      return (size > BYTES && names.length) || !names.push(name);
    });
    if (!names.length || (busy && leaving !== true)) return;
    var body = '{"writeKey":' + JSON.stringify(data.key) + ',"sentAt":"' + new Date().toISOString() + '","batch":[' +
      names.map(function (name) { return store[name]; }) + "]}";
    // Nobody learns what became of a beacon: its events are sent once more, by their ids they count once.
    if (leaving === true && navigator.sendBeacon) return void navigator.sendBeacon(url, body);
    busy = 1;
    window.fetch(url, { method: "POST", body: body, keepalive: true, credentials: "omit" }).then(function (answer) {
      var status = answer.status;
      if (status > 499 || status == 408 || status == 429) throw answer.headers.get("Retry-After");
      var items = names.map(function (name) { return JSON.parse(store[name] || "{}"); });
      names.forEach(drop);
      wait = 0;
      return answer.json().then(function (said) {
        if (status > 399) console.warn("Baton refused " + names.length + " events: " + said.message);
        if (api.onanswer) api.onanswer(items, said);
      });
    }).catch(function (after) {
      wait = Math.max(Math.min(wait * 2 || 1e3, LONGEST), after * 2e3 || 0);
    }).then(function () {
      busy = 0;
      if (waiting().length) later();
    });
  }
  // Routers of single-page sites write the history more often than the page changes.
  function view() {
    var place = window.location, here = place.pathname + place.search + (/^#[!/]/.test(place.hash) ? place.hash : "");
    if (here == seen) return;
    if (seen) from = window.location.origin + seen;
    seen = here;
    api.page();
  }
  function watch() {
    var soon = function () { window.setTimeout(view); };
    ["pushState", "replaceState"].forEach(function (name) {
      var own = window.history[name];
      window.history[name] = function () {
        soon();
        return own.apply(this, arguments);
      };
    });
    ["popstate", "hashchange"].forEach(function (name) { window.addEventListener(name, soon); });
    if (document.prerendering) document.addEventListener("prerenderingchange", view);
    else view();
  }
  function place(properties) {
    var here = window.location;
    return Object.assign({ path: here.pathname, url: here.href, title: document.title, referrer: from }, properties);
  }
  var api = {
    page: function (name, properties, more) { add("page", { name: name, properties: place(properties) }, more); },
    track: function (event, properties, more) { add("track", { event: event, properties: properties }, more); },
    identify: function (id, traits, more) {
      if (id && typeof id == "object") more = traits, traits = id, id = 0;
      if (id && !quiet) keep("user", String(id));
      add("identify", { traits: traits }, more);
    },
    reset: function () { drop("baton.user"), drop("baton.anonymous"); },
    push: function (call) { api[call[0]].apply(api, call.slice(1)); },
  };
  var before = window.baton || [];
  window.baton = api;
  if (!quiet && data.auto != "off") watch();
  Array.prototype.forEach.call(before, api.push);
  document.addEventListener("visibilitychange", function () { if (document.visibilityState == "hidden") send(true); });
  window.addEventListener("pagehide", function () { send(true); });
  if (!quiet) later();
})(window, document);
