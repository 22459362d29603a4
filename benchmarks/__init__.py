"""Programs that drive a running server with real or heavy input and print what they find."""
