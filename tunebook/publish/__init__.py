"""The catalogue: open data out of the book, and everything that is rendered from it."""
