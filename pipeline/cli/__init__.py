"""`mailfold`: a thin face over the rest. Results go to standard output, words to people to standard error."""
