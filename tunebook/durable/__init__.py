"""Files, folders and lines that are wholly there or not at all, whatever kills the process or the power.

Everything that must last goes through here: written to a temporary name beside its place, synced, renamed,
and the folder that holds it synced.
"""

from tunebook.durable.crash import point
from tunebook.durable.disk import leftovers, make_folder, require_writable, sweep, sync
from tunebook.durable.files import canonical_json, read_json, sha256_file, write_file, write_json
from tunebook.durable.folders import MANIFEST, check_folder, write_folder
from tunebook.durable.lines import append_line, read_lines, truncate_lines

__all__ = [
    "MANIFEST",
    "append_line",
    "canonical_json",
    "check_folder",
    "leftovers",
    "make_folder",
    "point",
    "read_json",
    "read_lines",
    "require_writable",
    "sha256_file",
    "sweep",
    "sync",
    "truncate_lines",
    "write_file",
    "write_folder",
    "write_json",
]
