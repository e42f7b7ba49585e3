"""The pictures of a search: plain arrays first, then drawn."""
