"""Counters of the router: its decisions, stored with the partition, so that a kill loses none."""

from __future__ import annotations

from chassis.process.metrics import Outcome

OUTCOMES = (
    Outcome("qualified", "baton_router_leads_qualified", "Episodes opened because a lead passed the gate"),
    Outcome("handed_off", "baton_router_leads_handed_off", "Leads handed off to an owner"),
    Outcome("stage_rejected", "baton_router_stages_rejected", "Sales activities that did not fit the lead's stage"),
)
