"""Searches for the graph with the best decomposable score: functions and arrays only."""
