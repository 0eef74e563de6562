"""Linux: executes another program which the kernel kills when the supervisor dies.

Run by path, as `python -I -S launcher.py PARENT_PID PROGRAM [ARGUMENT …]`. It is a separate program and not a
`preexec_fn`, because running Python between fork and exec can deadlock in a process with threads. The setting
survives the exec. It is tied to the *thread* of the supervisor that started the child, so this has to be the main
thread, which lives as long as the process.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Request SIGKILL at the parent's death, then exec; exit if the parent has already died."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        sys.stderr.write("the kernel refused PR_SET_PDEATHSIG: this process may survive its supervisor\n")
    if os.getppid() != parent:
        sys.exit("the supervisor died before this process started")
    try:
        os.execvp(program[0], program)  # noqa: S606  running the program given is all this is for
    except OSError as error:
        sys.exit(f"cannot run {program[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
