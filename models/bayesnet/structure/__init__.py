"""Structures of networks from rows: scores, searches, tests, how sure edges are."""
