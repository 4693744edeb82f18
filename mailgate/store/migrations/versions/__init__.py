"""The history of the schema; a revision is never changed once it was released."""
