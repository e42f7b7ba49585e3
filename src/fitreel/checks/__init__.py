"""The checks: text, URLs and files from outside."""
