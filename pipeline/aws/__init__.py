"""Adapters of the core's ports to AWS, and the Lambda handlers. Clients are passed in; nothing happens at import."""
