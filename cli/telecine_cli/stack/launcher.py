"""Linux: become another program that the kernel kills when the supervisor dies.

Run by path, as `python -I -S die_with_parent.py PARENT_PID PROGRAM [ARGUMENT …]`. It is a program of
its own, not a `preexec_fn`, because running Python between fork and exec can deadlock in a process
that has threads. The request survives the exec; it is tied to the supervisor's *thread* that
started the child, which therefore has to be one that lives as long (the main thread).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for SIGKILL at the parent's death, then exec; exit quietly when the parent is gone already."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        sys.stderr.write("the kernel refused PR_SET_PDEATHSIG: this process may outlive its supervisor\n")
    if os.getppid() != parent:
        sys.exit("the supervisor died before this process began")
    try:
        os.execvp(program[0], program)  # noqa: S606  running the program given is all this is for
    except OSError as error:
        sys.exit(f"can't run {program[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
