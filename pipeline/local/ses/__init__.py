"""SES on this machine: it turns a sent e-mail into the events that SES would publish."""
