"""A vigie-fcgi of its own, without the programs around it."""

import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from vigie import BUILD, wait_until


class Server:
    """vigie-fcgi alone, with a database in `folder` and nobody who asks it anything."""

    def __init__(self, folder, *options, command=(), build=BUILD):
        self.log = pathlib.Path(tempfile.mkdtemp(prefix="vigie-log-"))
        with socket.socket(socket.AF_UNIX) as listener, open(self.log / "log", "wb") as log:
            listener.bind(str(self.log / "socket"))
            listener.listen()
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command, build / "vigie-fcgi", "--set", f"sqlite.path={folder}/vigie.db",
                 *options], stdin=listener, stdout=log, stderr=log)

    def printed(self):
        return (self.log / "log").read_text(errors="replace")

    def answers(self):
        """Whether it has come up; False when it has ended instead."""
        wait_until(lambda: "answering with" in self.printed() or self.process.poll() is not None, 60, "up, or at its end")
        return "answering with" in self.printed()

    def cpu_ms(self):
        """The CPU time that it has used."""
        return sum(int((task / "schedstat").read_text().split()[0])
                   for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()) / 1e6

    def end(self, number=signal.SIGTERM):
        """What it has printed until its end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(30)
        printed = self.printed()
        shutil.rmtree(self.log)
        return printed
