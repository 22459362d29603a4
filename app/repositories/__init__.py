"""Every SQL statement as a named function. Nobody here opens or ends a transaction."""
