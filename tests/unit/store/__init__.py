"""Tests of mailgate.store that need no database."""
