"""Kentongan: from an event that an app posts to a number that moves on a wall."""
