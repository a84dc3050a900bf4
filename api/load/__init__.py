"""Slots and turns, so that no client starves another."""
