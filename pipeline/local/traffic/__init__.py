"""Simulated traffic: e-mails with a realistic mix of outcomes, and faults on the way of their events."""
