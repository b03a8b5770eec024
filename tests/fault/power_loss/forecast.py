"""vigie-forecast: what it has learnt of more and more series is saved at each end."""

import json
import re
import threading
import time
import urllib.parse

import recording

RUNS, SERIES = 4, 5  # so many series more in each run
SETTINGS = ("forecast.refresh=1s", "forecast.step=2s", "forecast.phase=100ms", "forecast.history=2m", "forecast.above=0", "alert.horizon=30s",
            "forecast.state=forecast.state")
STATE = re.compile(r"vigie-forecast 2 2000\n(?s:.*)\nend (\d+)\n\Z")


class Forecaster(recording.Service):
    """vigie-forecast in `folder`, to which a server tells of so many series; `reported` is set with its first forecasts."""

    def __init__(self, folder, series, command=()):
        self.series, self.reported = series, threading.Event()
        self.server = recording.Fake(self.answer)
        super().__init__("vigie-forecast", (*SETTINGS, f"forecast.url={self.server.url}"), folder, command)

    def answer(self, method, path, body):
        if path == "save-forecasts" and len(json.loads(body)["data"]) >= self.series:
            self.reported.set()
        if method != "GET":
            return 200, {"Response": "Ok"}
        if path == "hosts":
            return 200, {"10.8.0.1": {"last_seen": 1}}
        query = dict(urllib.parse.parse_qsl(path.partition("?")[2]))
        if query["resource"] == "cpu":
            return 200, {}
        step, now = int(query["step"][:-1]), time.time()
        times = range(int(now - int(query["window"][:-1])) // step * step + step, int(now) + 1, step)
        return 200, {"10.8.0.1": {f"s{number:02}": [[at, 30 + at // 2 % 40] for at in times] for number in range(self.series)}}


class Forecast(recording.Subject):
    name = "forecast"
    POINTS, AT_ONCE, sound = 40, 12, True

    def record(self):
        self.recording = recording.Recording(self.folder, self.recorder)
        for run in range(1, RUNS + 1):
            program = Forecaster(self.folder, run * SERIES, self.recording.command)
            assert program.reported.wait(30), program.printed()
            assert program.end() == 0, program.printed()
            self.recording.mark(str(saved(self.folder)))
        self.recording.end()
        self.marks = [(place, int(words)) for place, words in self.recording.marks()]

    def describe(self):
        return f"what is learnt of {', '.join(str(count) for _, count in self.marks)} series saved"

    def judge(self, place, folder):
        wanted = max((count for at, count in self.marks if at <= place), default=0)
        there = saved(folder)
        program = Forecaster(folder, 1)
        wrong = [] if program.reported.wait(30) else ["it does not come up"]
        wrong += recording.complaints(program.printed())
        if program.end():
            wrong.append("it does not end well")
        if there < wanted:
            wrong.append(f"what was learnt of {there} series is there, and not of {wanted}")
        return wrong


def saved(folder):
    """Of how many series a state tells; 0: there is none, -1: it is damaged."""
    path = folder / "forecast.state"
    found = STATE.match(recording.read(path)) if path.exists() else None
    return int(found[1]) if found else -1 if path.exists() else 0
