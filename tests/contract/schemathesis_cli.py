"""Schemathesis's own command line, whose threads parse Python one at a time.

CPython 3.11 counts the depth of a syntax tree under construction once for all threads: two at once, as Hypothesis does when it describes
its lambdas, end in "AST constructor recursion depth mismatch" (python/cpython#106905).
"""

import ast
import sys
import threading

one_at_a_time = threading.RLock()
unguarded = ast.parse


def guarded(*arguments, **options):
    with one_at_a_time:
        return unguarded(*arguments, **options)


ast.parse = guarded

# Only now, so that whoever takes the name from the module takes the guarded one.
from schemathesis.cli import schemathesis  # noqa: E402

sys.exit(schemathesis())
