"""Fan-out to walls, with neither SQL nor HTTP: pictures, channels, sessions."""
