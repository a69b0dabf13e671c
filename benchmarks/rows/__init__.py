"""The rows of the table of speed, one module each: ``ROW``, and Ares' side of the work."""
