"""The pages: what a browser shows, each one file that needs no network."""
