"""Tables of the report: for reading, and as CSV."""
