"""Looks at a live deployment link by link, and says what is wrong with it and how to mend it. It changes nothing."""
