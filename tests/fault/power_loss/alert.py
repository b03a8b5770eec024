"""vigie-alert: more and more processes go over their limit, each of which is told once, in alert.log."""

import collections
import json
import re
import threading
import time

import recording

SERIES = 40
RUNS, SECONDS = 2, 5.0  # of the program, the first of which is killed
# Whole: what is left of one that was torn is none.
RED_LINE = re.compile(r'^\d{4}-\d\d-\d\dT[\d:.]+Z RED ip=10\.8\.0\.1 process="(s\d+)" resource=mem [^\0\n]* since=\S+Z$', re.MULTILINE)
SETTINGS = ("alert.interval=1s", "alert.phase=100ms", "alert.deadline=700ms", "alert.state=alert.state", "alert.log=alert.log")


def latest(over):
    """The newest samples of SERIES processes, of which so many are over the limit."""
    now = int(time.time())
    return {"10.8.0.1": {f"s{number:02}": {"mem": [now, 95 if number < over else 1]} for number in range(SERIES)}}


class Watcher(recording.Service):
    """vigie-alert in `folder`, of which it sees that so many processes are over, and is told to `hear` what it reports."""

    def __init__(self, folder, over, hear, command=()):
        self.over, self.hear = over, hear
        self.server = recording.Fake(self.answer)
        urls = (f"alert.url={self.server.url}", f"alert.alertmanager=http://127.0.0.1:{self.server.server_port}")
        super().__init__("vigie-alert", (*SETTINGS, *urls), folder, command)

    def answer(self, method, path, body):
        if path == "save-alarms":
            self.hear({item["process_name"] for item in json.loads(body)["data"] if item["color"] == "red"})
        if method != "GET":
            return 200, {"Response": "Ok"}
        return 200, latest(self.over()) if path == "latest" else [] if path in ("silences",) or path.startswith("oom-kills") else {}


class Alert(recording.Subject):
    name = "alert"
    POINTS, AT_ONCE, sound = 40, 12, True

    def record(self):
        self.recording = recording.Recording(self.folder, self.recorder)
        begun = time.monotonic()
        told = set()

        def hear(red):
            if red - told:
                told.update(red)
                self.recording.mark(" ".join(sorted(red)))
        for run in range(RUNS):
            watcher = Watcher(self.folder, lambda: int((time.monotonic() - begun) * SERIES / (RUNS * SECONDS)), hear,
                              self.recording.command)
            time.sleep(SECONDS)
            if run == 0:
                self.recording.kill(watcher.process)
            watcher.end()
        self.recording.end()
        self.marks = [(place, set(words.split())) for place, words in self.recording.marks()]

    def describe(self):
        return f"{len(set().union(*(red for _, red in self.marks)))} alarms reported"

    def judge(self, place, folder):
        reported = set().union(*(red for at, red in self.marks if at <= place))
        path = folder / "alert.log"
        before = recording.read(path) if path.exists() else ""
        lost = reported - set(RED_LINE.findall(before))
        complete = threading.Event()
        watcher = Watcher(folder, lambda: SERIES, lambda red: len(red) == SERIES and complete.set())
        wrong = [] if complete.wait(30) else ["it does not come up"]
        wrong += recording.complaints(watcher.printed())
        if watcher.end():
            wrong.append("it does not end well")
        if lost:
            wrong.append(f"{len(lost)} of {len(reported)} reported alarms have no line, as {min(lost)}")
        lines = collections.Counter(RED_LINE.findall(recording.read(path)))
        odd = {name: lines[name] for name in (f"s{number:02}" for number in range(SERIES)) if lines[name] != 1}
        if odd:
            wrong.append(f"not told once: {odd}")
        return wrong
