"""The command line, `mailfold`. Results go to standard output; progress, messages and questions to standard error."""
