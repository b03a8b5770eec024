"""vigie-fcgi on SQLite: a database of an older version is taken over, its hours and others are sealed, and a small fleet writes;
meanwhile it is copied."""

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import recording
from server import Server  # of the integration tests
from vigie import BUILD, ROOT, wait_until

OLD = ROOT / "tests" / "data" / "sqlite-1" / "vigie.db"
BEGINNING = "2026-10-31T00:00:00Z"  # before all that is in it
SETTINGS = ("--set", "server.retention=3650d", "--set", "server.cache=0")
HOSTS, PROCESSES, LATE_HOURS = 4, 6, 2
OLD_HOURS = 3 * 3  # in it


def stored(server):
    """All that a server has: {(address, process, resource): [[seconds, value], …]}."""
    found = {}
    for resource in ("mem", "cpu"):
        status, body = recording.ask(server.log / "socket", "GET",
                                     f"get-all-detailed?by=host&timestamps=1&from={BEGINNING}&resource={resource}")
        if status != 200:
            raise AssertionError(f"status {status}: {body[:300]!r}")
        for ip, processes in json.loads(body).items():
            for process, points in processes.items():
                found[ip, process, resource] = points
    return found


class Batch:
    """Samples that were PUT together: {(address, process, resource): (seconds, value)}, and where in the log that began, and
    was known to be done."""

    def __init__(self, ip, at, number):
        self.series = {(ip, f"p{item}", resource): (round(at, 3), number % 500 + item / 8)
                       for item in range(PROCESSES) for resource in ("mem", "cpu")}
        data = [{"timestamp": at, "value": value, "process_name": process, "type_data": resource}
                for (_, process, resource), (at, value) in self.series.items()]
        self.body = json.dumps({"ipaddress": ip, "data": data}).encode()
        self.begun = self.done = float("inf")


class Store(recording.Subject):
    name = "store"
    POINTS, AT_ONCE, sound = 60, 3, True
    RUNS = 3  # of the server, each of which is ended otherwise
    SECONDS = 3.0  # of each

    def __init__(self, folder, recorder):
        super().__init__(folder, recorder)
        self.batches, self.lock, self.copied = [], threading.Lock(), float("inf")

    def record(self):
        # What an old database holds is what is read of a copy of it that nothing happens to.
        copy = self.folder.with_suffix(".old")
        copy.mkdir()
        for folder in (copy, self.folder):
            shutil.copy(OLD, folder / "vigie.db")
        server = Server(copy, *SETTINGS)
        assert server.answers(), server.printed()
        self.old = {series: dict(points) for series, points in stored(server).items()}
        server.end()
        self.recording = recording.Recording(self.folder, self.recorder)
        self.begin = (int(time.time()) // 3600 - 1 - LATE_HOURS) * 3600
        for run in range(self.RUNS):
            server = Server(self.folder, *SETTINGS, command=self.recording.command)
            assert server.answers(), server.printed()
            ending = threading.Event()
            clients = [threading.Thread(target=self.write, args=(server, run, host, ending)) for host in range(HOSTS)]
            for client in clients:
                client.start()
            try:
                self.end_run(run, server)
            finally:
                ending.set()
                for client in clients:
                    client.join()
                server.end(signal.SIGKILL)
        self.recording.end()
        for place, words in self.recording.marks():
            what, name = words.split()
            setattr(self if name == "-" else self.batches[int(name)], what, place)

    def end_run(self, run, server):
        """Ends a server that is written to, each time otherwise."""
        time.sleep(self.SECONDS)
        if run == 0:  # with something of each hour and host, which is sealed after the next start
            wait_until(lambda: len(self.batches) >= HOSTS * LATE_HOURS * 8, 60, "written")
            self.recording.kill(server.process)
            return
        if run == self.RUNS - 1:
            wait_until(lambda: self.sealed() >= OLD_HOURS + HOSTS * LATE_HOURS, 60, "hours are sealed")
            self.copy()
        server.process.terminate()
        server.process.wait(30)

    def copy(self):
        self.recording.mark("copying -")
        subprocess.run([*self.recording.command, BUILD / "vigie-fcgi", "--set", f"sqlite.path={self.folder}/vigie.db",
                        "--backup", self.folder / "copy.db"], check=True, stderr=subprocess.DEVNULL)
        self.recording.mark("copied -")

    def sealed(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/vigie.db?mode=ro", uri=True, timeout=10)) as database:
            return database.execute("SELECT count(*) FROM hour").fetchone()[0]

    def write(self, server, run, host, ending):
        """A host whose samples are of now, and in the first run of hours that are past, too."""
        ip, number = f"10.9.0.{host + 1}", 0
        while not ending.is_set():
            number += 1
            late = run == 0 and number % 2
            at = self.begin + number // 2 % LATE_HOURS * 3600 + number * 97 % 3600 + host / 100 if late else time.time()
            batch = Batch(ip, at, number)
            with self.lock:
                self.batches.append(batch)
                name = len(self.batches) - 1
            self.recording.mark(f"begun {name}")
            try:
                status, _ = recording.ask(server.log / "socket", "PUT", "save-all", batch.body)
            except OSError:
                return
            if status == 200:
                self.recording.mark(f"done {name}")
            time.sleep(0.02)

    def describe(self):
        done = [batch for batch in self.batches if batch.done < float("inf")]
        return f"{sum(len(batch.series) for batch in done)} samples acknowledged, {len(self.batches) - len(done)} batches not"

    def judge(self, place, folder):
        """What is wrong with a server in `folder`, which was left at that place of the log, and with the copy there."""
        copy = folder / "copy.db"
        wrong = [] if copy.exists() or place < self.copied else ["the copy is not there"]
        if copy.exists():
            (folder / "copy").mkdir()
            copy.rename(folder / "copy" / "vigie.db")
            wrong += [f"the copy: {what}" for what in self.judge_server(place, self.copying, folder / "copy")]
        return wrong + self.judge_server(place, place, folder)

    def judge_server(self, place, known_place, folder):
        """`known_place` is where in the log all that was acknowledged has to be there."""
        if not (folder / "vigie.db").exists():
            return ["there is no database"]
        server = Server(folder, *SETTINGS)
        try:
            if not server.answers():
                return [f"it does not start: {server.printed()}"]
            wrong = recording.complaints(server.printed())
            wrong += self.compare(place, known_place, stored(server))
            again = Batch("10.9.9.9", time.time(), 1)
            if recording.ask(server.log / "socket", "PUT", "save-all", again.body)[0] != 200:
                wrong.append("it takes nothing any more")
            return wrong
        except (OSError, AssertionError) as error:
            return [f"{error}; {server.printed()}"]
        finally:
            server.end(signal.SIGKILL)

    def compare(self, place, known_place, found):
        wanted = {series: dict(points) for series, points in self.old.items()}
        allowed = {}
        for batch in self.batches:
            for series, (at, value) in batch.series.items():
                if batch.done <= known_place:
                    wanted.setdefault(series, {})[at] = value
                if batch.begun <= place:
                    allowed.setdefault(series, {})[at] = value
        wrong = []
        for series, points in wanted.items():
            there = dict(found.get(series, ()))
            lost = [at for at, value in points.items() if there.get(at) != value]
            if lost:
                wrong.append(f"{series}: {len(lost)} of {len(points)} acknowledged samples are lost, as that of {lost[0]}")
        for series, points in found.items():
            known = {**allowed.get(series, {}), **wanted.get(series, {})}
            if len(dict(points)) != len(points):
                wrong.append(f"{series}: a sample is there twice")
            strange = [point for point in points if known.get(point[0]) != point[1]]
            if strange:
                wrong.append(f"{series}: {len(strange)} samples that nobody sent, as {strange[0]}")
        return wrong + self.find_halves(place, found)

    def find_halves(self, place, found):
        """A batch is there whole or not at all."""
        there = {series: dict(points) for series, points in found.items()}
        halves = 0
        for batch in self.batches:
            if batch.begun <= place:
                kept = [there.get(series, {}).get(at) == value for series, (at, value) in batch.series.items()]
                halves += any(kept) and not all(kept)
        return [f"{halves} batches are there in part"] if halves else []
