"""What is read in a mail."""
