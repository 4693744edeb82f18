"""Tests, from plain functions up to the installed program behind a real Postfix."""
