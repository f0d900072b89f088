"""The datasets that have a name, by family; a scan of this folder finds the `ROWS` of every file."""
