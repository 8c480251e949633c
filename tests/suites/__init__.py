"""Other projects' own test suites, as they were published, run with our sessions in place of theirs."""
