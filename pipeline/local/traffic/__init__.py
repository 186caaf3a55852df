"""Made-up traffic: e-mails of a realistic mix of fates, and what may go wrong on the way of their events."""
