"""What is true of cities, events and numbers, with no input, output or clock.

Everything here is a pure function or an immutable value: time comes in as an
argument, and nothing below this package knows a framework.
"""
