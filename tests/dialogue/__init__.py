"""Dialogues with the listeners over real sockets."""
