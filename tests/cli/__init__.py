"""The command line as scripts and people use it: arguments in; stdout, stderr and exit code out."""
