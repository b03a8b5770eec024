"""What the programs are recorded with, and how they are asked."""

import contextlib
import copy
import http.server
import json
import pathlib
import socket
import struct
import subprocess
import threading

import disk
from vigie import BUILD, PREFIX  # of the integration tests


def build_recorder(folder):
    """Compiles recorder.c into a folder."""
    library = folder / "recorder.so"
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-pthread", "-o", library,
                    pathlib.Path(__file__).with_name("recorder.c")], check=True)
    return library


class Recording:
    """What programs do to the files in `folder`, which is now as it is on the disk; they are recorded by the library `recorder`."""

    def __init__(self, folder, recorder):
        self.folder, self.log = folder, folder.with_suffix(".log")
        self.log.touch()
        self.honest, self.dishonest = disk.Disk(folder), disk.Disk(folder, honest=False)
        # What stands before a recorded command.
        self.command = ["env", f"LD_PRELOAD={recorder}", f"POWER_LOG={self.log}", f"POWER_FOLDER={folder}"]

    def kill(self, process):
        """Kills a program behind its next change."""
        wish = pathlib.Path(f"{self.log}.kill")
        wish.touch()
        process.wait(60)
        wish.unlink()

    def mark(self, words):
        with open(self.log, "ab", buffering=0) as log:
            disk.write_mark(log, words)

    def end(self):
        """Reads the log, and makes sure that nothing is missing in it."""
        self.records = disk.read_log(self.log)
        whole = self.disk()
        for record in self.records:
            whole.follow(record)
        left = self.folder.with_suffix(".whole")
        whole.leave(left, None)
        self.missing = sorted(compare(self.folder, left))

    def marks(self):
        """[(place in the log, words)]"""
        return [(place, record.data.decode()) for place, record in enumerate(self.records, 1) if record.kind == disk.MARK]

    def disk(self, honest=True):
        return copy.deepcopy(self.honest if honest else self.dishonest)


def contents(folder):
    """{path: content}, without those files that nobody looks into later."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and not path.name.endswith(("-shm", "lock"))}


def compare(one, other):
    """The paths of the files that differ in two folders."""
    left, right = contents(one), contents(other)
    return {path for path in left.keys() | right.keys() if left.get(path) != right.get(path)}


def start(command, log, folder):
    """A program in `folder` that ends with the test; what it says is in the file `log`."""
    with open(log, "ab") as output:
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def ask(path, method, address, body=b""):
    """One request to a FastCGI application on a Unix socket; (status, body). ConnectionError where it ends meanwhile."""
    uri, _, query = address.partition("?")
    parameters = {"REQUEST_METHOD": method, "DOCUMENT_URI": PREFIX + uri, "QUERY_STRING": query, "CONTENT_LENGTH": str(len(body)),
                  "CONTENT_TYPE": "application/json", "HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1"}
    packed = b"".join(struct.pack(">BL", len(name), len(value) | 1 << 31) + name.encode() + value.encode()
                      for name, value in parameters.items())

    def record(kind, content=b""):
        return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content
    request = record(1, struct.pack(">HB5x", 1, 0)) + record(4, packed) + record(4)
    request += b"".join(record(5, body[at:at + 65000]) for at in range(0, len(body), 65000)) + record(5)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    output, at, ended = [], 0, False
    while at + 8 <= len(answer) and not ended:
        _, kind, _, length, padding, _ = struct.unpack_from(">BBHHBB", answer, at)
        if kind == 6:
            output.append(answer[at + 8:at + 8 + length])
        ended = kind == 3
        at += 8 + length + padding
    if not ended:
        raise ConnectionError("no end of the answer")
    head, _, content = b"".join(output).partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    return int(fields.get("Status", "200").split()[0]), content


class Fake(http.server.ThreadingHTTPServer):
    """A vigie server that answers by a function: (method, path after the prefix, body) to (status, what becomes JSON)."""

    daemon_threads, request_queue_size = True, 256

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.url = f"http://127.0.0.1:{self.server_port}{PREFIX}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a program that is killed hangs up

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, content = self.server.answer(self.command, self.path.removeprefix(PREFIX), body)
        content = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = respond

    def log_message(self, *_):
        pass


class Service:
    """A program in `folder`, told by settings to ask a Fake server, which answers by its answer()."""

    def __init__(self, program, settings, folder, command=()):
        self.log = folder.with_name(f"{folder.name}.said")
        words = (word for setting in settings for word in ("--set", setting))
        self.process = start([*command, BUILD / program, *words], self.log, folder)

    def end(self):
        self.process.terminate()
        status = self.process.wait(30)
        self.server.shutdown()
        self.server.server_close()
        return status

    def printed(self):
        return read(self.log)


class Subject:
    """A program whose files are recorded in a folder of its `name`, and opened as a loss of power leaves them."""

    def __init__(self, folder, recorder):
        self.recorder, self.folder = recorder, folder / self.name
        self.folder.mkdir()


def complaints(printed):
    """The lines of a program's log that tell of trouble, but for that with a server that is slow, as all is on a busy machine."""
    return [line for line in printed.splitlines() if (" warning: " in line or " error: " in line) and "http://" not in line]


def read(path):
    return pathlib.Path(path).read_text(errors="replace")
