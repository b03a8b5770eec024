"""Starts a program in a root as its systemd unit says, where no systemd is: its user and group, its capabilities, its
umask and folder, its socket, and what it tells of itself. What hardens it is not done."""

import os
import pathlib
import shlex
import signal
import socket
import subprocess
import tempfile

from roots import ENVIRONMENT


def read_unit(path):
    """Of each key its last value."""
    values = {}
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            values[key] = value
    return values


def find_unit(root, name):
    for folder in ("usr/lib/systemd/system", "lib/systemd/system"):
        if (root.path / folder / name).exists():
            return read_unit(root.path / folder / name)
    raise AssertionError(f"there is no unit {name}")


def listen(root, name):
    """The socket of a .socket unit, as systemd holds it."""
    unit = find_unit(root, name)
    path = pathlib.Path(str(root.path) + unit["ListenStream"])
    path.parent.mkdir(mode=0o755, exist_ok=True)
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_PATH) # a Unix socket's address has 108 bytes
    listening.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)
    group = root.run("getent", "group", unit["SocketGroup"]).split(":")[2]
    os.chown(path, 0, int(group))
    path.chmod(int(unit["SocketMode"], 8))
    listening.listen(int(unit["Backlog"]))
    return listening


class Service:
    """A running unit. `inside` is what its command begins with, so as to be in a network."""

    def __init__(self, root, name, inside, listening=None):
        self.unit = find_unit(root, name)
        condition = self.unit.get("ConditionPathExists")
        if condition and not os.path.exists(str(root.path) + condition):
            raise FileNotFoundError(condition)
        self.make_folders(root)
        self.log = tempfile.TemporaryFile("w+")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.settimeout(30)
        address = root.path / f"run/{name}.notify"
        address.unlink(missing_ok=True)
        folder = os.open(address.parent, os.O_PATH)
        self.manager.bind(f"/proc/self/fd/{folder}/{address.name}")
        os.close(folder)
        address.chmod(0o666)
        self.process = subprocess.Popen(
            [*inside, "chroot", str(root.path), *self.become(),
             "sh", "-c", 'umask "$1" && cd "$2" && shift 2 && exec "$@"', "sh", self.unit["UMask"],
             self.unit["WorkingDirectory"], *shlex.split(self.unit["ExecStart"])],
            stdin=listening or subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env=ENVIRONMENT | {"NOTIFY_SOCKET": f"/run/{address.name}"})

    def become(self):
        user = self.unit["User"]
        command = ["setpriv", "--reuid", user, "--regid", self.unit.get("Group", user), "--init-groups",
                   "--no-new-privs"]
        names = [name.removeprefix("CAP_").lower() for name in self.unit.get("AmbientCapabilities", "").split()]
        given = ",".join(f"+{name}" for name in names)
        if names:
            command += ["--inh-caps", given, "--ambient-caps", given]
        return command + ["--bounding-set", f"-all,{given}" if names else "-all"]

    def make_folders(self, root):
        for key, parent in (("StateDirectory", "var/lib"), ("LogsDirectory", "var/log"), ("RuntimeDirectory", "run")):
            if key in self.unit:
                folder = root.path / parent / self.unit[key]
                folder.mkdir(parents=True, exist_ok=True)
                user = self.unit["User"]
                root.run("chown", f"{user}:{self.unit.get('Group', user)}", "/" + str(folder.relative_to(root.path)))
                folder.chmod(int(self.unit.get(key + "Mode", "0755"), 8))

    def hear(self):
        """The next thing that it tells, its first line."""
        try:
            return self.manager.recv(4096).decode().splitlines()[0]
        except TimeoutError:
            raise AssertionError(f"it tells nothing; its log:\n{self.said()}") from None

    def said(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def reload(self):
        assert self.unit["ExecReload"] == "/bin/sh -c 'kill -HUP $MAINPID'"
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        """Its exit status, and what it told."""
        self.process.terminate()
        status = self.process.wait(timeout=30)
        told = self.hear()
        self.manager.close()
        return status, told
