"""Files of bars from elsewhere, read into bars frames and brought into the catalogue."""
