// The page /try: sends by the tracker, and shows what became of each event.
"use strict";
const by = (id) => document.getElementById(id);

function row(item, became) {
  const row = by("log").insertRow(0);
  const what = [item.type, item.event, item.properties && (item.properties.content || item.properties.path)];
  const cells = [new Date().toLocaleTimeString(), what.filter(Boolean).join(" · ").slice(0, 80), became.text];
  for (const text of cells) row.insertCell().textContent = text;
  row.className = became.refused ? "refused" : "accepted";
}

function became({ refused, why, detail, lead }) {
  const text = refused ? `refused, ${refused}: ${why} (${detail})` : `accepted, for the lead ${lead || "it names"}`;
  return { refused, text };
}

baton.onanswer = (items, said) =>
  items.forEach((item, index) => row(item, said.items ? became(said.items[index]) : { refused: true, text: said.message }));

const wrong = {
  nobody: () => baton.track("Demo Requested", {}, { anonymousId: "undefined", userId: null }),
  time: () => baton.track("Demo Requested", {}, { timestamp: "yesterday" }),
  type: () => baton.track("Demo Requested", {}, { type: "click" }),
  large: () => baton.track("Demo Requested", { note: "x".repeat(40000) }),
};

document.addEventListener("click", ({ target: { dataset, id } }) => {
  if (dataset.view) history.pushState(null, "", `${dataset.view}&view=${Date.now()}`);
  if (dataset.event) baton.track(dataset.event, dataset.content ? { content: dataset.content } : {});
  if (dataset.wrong) wrong[dataset.wrong]();
  if (id === "reset") baton.reset();
});

by("who").addEventListener("submit", (event) => {
  event.preventDefault();
  const traits = Object.fromEntries(new FormData(event.target));
  baton.identify(traits.email, traits);
  by("command").textContent = `.venv/bin/baton lead ${traits.email}`;
});

by("privacy").hidden = !(navigator.globalPrivacyControl || navigator.doNotTrack === "1");
