"""The table: a file of columns becomes the rows of a dataset."""
