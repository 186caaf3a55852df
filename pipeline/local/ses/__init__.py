"""SES on this machine: a send becomes the events that SES would publish."""
