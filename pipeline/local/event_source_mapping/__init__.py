"""Lambda's event source mapping on this machine: a stream's records into a function, by Lambda's contract."""
