"""The HTTP API: routes, the live streams, and the page."""
