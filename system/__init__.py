"""The operating system: files that others provide, hanging calls, freed memory."""
