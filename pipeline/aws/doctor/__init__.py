"""Checks a live deployment from SES to the event log and the suppression table. It changes nothing."""
