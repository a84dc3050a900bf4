"""The command line, and the composition of gateway and embedded model server into one service."""
