"""The rules, as plain functions over frozen values: no I/O, no clock, no log, no settings object."""
