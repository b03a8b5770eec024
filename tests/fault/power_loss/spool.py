"""vigie-collector: the server is away, comes back for a while and is away again, and the collector is killed meanwhile."""

import json
import struct
import time

import recording
from vigie import BUILD, wait_until

INTERVAL_S = 1
# How long each part takes, in seconds; whether the server takes what it is sent; whether the collector is killed behind it.
PARTS = ((5, False, True), (2.5, True, False), (4.5, False, False))
SETTINGS = (f"collector.interval={INTERVAL_S}s", "collector.timeout=500ms", "collector.top=3", "collector.spool=spool")
HEAD = struct.Struct("=8sIIq")  # of a file: magic, checksum, settled, time
DAMAGED = "a file of the spool "


class Collector:
    """vigie-collector in `folder`, whose server takes what it is sent or does not; `taken` are the times in it."""

    def __init__(self, folder, command=()):
        self.folder, self.takes, self.taken = folder, True, set()
        self.server = recording.Fake(self.answer)
        self.log = folder.with_name(f"{folder.name}.said")
        self.command = [*command, BUILD / "vigie-collector"]
        for each in (*SETTINGS, f"collector.url={self.server.url}"):
            self.command += ["--set", each]
        self.start()

    def start(self):
        self.process = recording.start(self.command, self.log, self.folder)

    def answer(self, method, _, body):
        if method != "PUT":
            return 200, {"Response": "Ok"}
        if not self.takes:
            return 503, {"Response": "NOk", "error": "away"}
        self.taken.update(round(item["timestamp"]) for item in json.loads(body)["data"])
        return 200, {"Response": "Ok"}

    def end(self):
        self.process.terminate()
        self.process.wait(30)
        self.server.shutdown()
        self.server.server_close()

    def printed(self):
        return recording.read(self.log)


class Spool(recording.Subject):
    name = "spool"
    POINTS, AT_ONCE, sound = 40, 8, True

    def __init__(self, folder, recorder):
        super().__init__(folder, recorder)
        self.lost = [0]

    def record(self):
        self.recording = recording.Recording(self.folder, self.recorder)
        collector = Collector(self.folder, self.recording.command)
        for seconds, takes, killed in PARTS:
            collector.takes = takes
            time.sleep(seconds)
            if killed:
                self.recording.kill(collector.process)
                collector.start()
                wait_until(lambda: collector.printed().count(" started;") == 2, 60, "started again")
                self.recording.mark("started again")
        collector.end()
        self.recording.end()
        self.find_files()

    def find_files(self):
        """The files that were written, and how long one may be in danger: until it is synced, and what was before it."""
        self.files, begun, syncs, written = [], {}, [0.0], None
        for place, record in enumerate(self.recording.records, 1):
            if record.kind == recording.disk.DATA and record.data.startswith(b"vigie 1\n"):
                written = HEAD.unpack_from(record.data)[3] // 1000
            elif record.kind == recording.disk.RENAME and record.names[0] == b"new.tmp":
                self.files.append({"name": record.names[1], "of": written, "put": place, "at": record.time, "gone": float("inf")})
            elif record.kind == recording.disk.UNLINK:
                for file in self.files:
                    if file["name"] == record.names[0]:
                        file["gone"] = min(file["gone"], place)
            elif record.kind == recording.disk.MARK:
                for file in self.files[-2:]:  # those that the one that was killed may not have had synced
                    file["at"] = record.time
            elif record.kind == recording.disk.SYNC_BEGIN:
                begun[record.at] = record.time
            elif record.kind == recording.disk.SYNC_END:
                syncs.append(record.time - begun[record.at])
        self.longest = max(syncs)

    def describe(self):
        return (f"{len(self.files)} intervals spooled, syncs took up to {self.longest * 1000:.0f} ms, "
                f"{sum(self.lost)} lost at all points together, at most {max(self.lost)} at one")

    def judge(self, place, folder):
        now = self.recording.records[place - 1].time
        waiting = [file for file in self.files if file["put"] <= place < file["gone"]]
        surely = {file["of"] for file in waiting if file["at"] <= now - INTERVAL_S - 2 * self.longest}
        collector = Collector(folder)
        try:
            left = [folder / "spool" / file["name"].decode() for file in waiting]
            wait_until(lambda: " started;" in collector.printed() and not any(path.exists() for path in left), 120, "what waits is sent")
        except AssertionError as error:
            return [f"{error}: {collector.printed()}"]
        finally:
            collector.end()
        printed = collector.printed()
        wrong = [line for line in recording.complaints(printed) if DAMAGED not in line]
        if list(folder.glob("spool/rejected/*")) and DAMAGED not in printed:
            wrong.append("a damaged file is not told of")
        lost = {file["of"] for file in waiting} - collector.taken
        self.lost.append(len(lost))
        if lost & surely:
            wrong.append(f"{len(lost & surely)} intervals of longer ago are lost, of {len(waiting)} that waited")
        return wrong
