"""The installed program as a process, with a real Postfix in front."""
