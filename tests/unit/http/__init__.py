"""Metrics and health, over real sockets."""
