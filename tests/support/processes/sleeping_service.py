"""A module for `python -m`: prints who and where it is, sleeps, and exits with 7 on SIGTERM."""

import json
import os
import signal
import sys
import threading

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))
    found = {
        "argv": sys.argv[1:],
        "mark": os.environ.get("MARK"),
        "parent": os.getppid(),
        "session": os.getsid(0),
    }
    print(json.dumps(found | {"pid": os.getpid(), "home": "HOME" in os.environ}))
    threading.Event().wait(600)
