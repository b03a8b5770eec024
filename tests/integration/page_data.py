"""What the pages show in tests and pictures: a few hosts, one of them in trouble, one silent, two at one address; and a
process that ate the memory last night at 03:00, and is gone."""

import datetime
import functools
import math
import threading
import time

HOSTILE = "<img src=x onerror=document.title='hacked'>"
NIGHT = "nightly-report"
DB, WEB, APP, SILENT, SHARED = (f"10.32.0.{number}" for number in range(1, 6))
HOSTNAMES = {DB: "db1", WEB: "web1", APP: "app1", SILENT: "old1"}
# {address: {process: (memory, CPU)}}, in percent, about which the values swing; and bytes a second, read and written.
USUAL = {
    DB: {"postgres": (31, 140, 2 << 20, 24 << 20), "walwriter": (1.5, 6), "backup": (2, 12), "sshd": (0.1, 0.2), "cron": (0.05, 0)},
    WEB: {"nginx": (3, 40), "php-fpm": (12, 66), HOSTILE: (9, 95), "redis-server": (6, 4), "sshd": (0.1, 0.1)},
    APP: {"java": (58, 35), "node": (7, 22), "python3": (4, 9), "vigie-collector": (0.05, 0.3)},
    SHARED: {"worker": (5, 10)},
}
ALARMS = [  # (address, process, resource, color, value, threshold)
    (DB, "postgres", "cpu", "red", 140, 80),
    (WEB, HOSTILE, "cpu", "red", 95, 80),
    (APP, "java", "mem", "orange", 58, 80),
]
FORECASTS = [  # (address, process, resource, probability, highest)
    (APP, "java", "mem", 0.83, 91.2),
    (WEB, HOSTILE, "mem", 0.4, 21),
    (DB, "postgres", "cpu", 0.97, 160),
]


@functools.cache
def last_night():
    """The newest 03:00 that is at least a quarter of an hour ago, in UTC; the same one as long as the tests run."""
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=15)
    night = now.replace(hour=3, minute=0, second=0, microsecond=0)
    return (night if night <= now else night - datetime.timedelta(days=1)).timestamp()


def night_query(beside_s=120):
    """The span about it, as the page has it in its URL."""
    def text(offset):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(last_night() + offset))
    return f"?from={text(-beside_s)}&to={text(beside_s)}"


def swung(values, at):
    return [round(value * (1 + 0.2 * math.sin(at / (97 + 13 * number))), 3) for number, value in enumerate(values)]


def put(vigie, path, body, headers=None):
    answer = vigie.put(path, body, headers=headers)
    assert answer.status == 200, answer


def save(vigie, ip, at, processes, **more):
    values = {name: swung(values, at) for name, values in processes.items()}
    put(vigie, "save-all", {"ipaddress": ip, "timestamp": at, "processes": values, **more})


class Fleet:
    """The hosts, from `past_s` ago on, and each `interval_s` from now on in a thread of its own. Use it as a context."""

    def __init__(self, vigie, interval_s, past_s=600, step_s=10):
        self.vigie, self.interval_s, self.past_s, self.step_s = vigie, interval_s, past_s, step_s
        self.begun, self.ended, self.ticks = time.time(), threading.Event(), 0
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        begun = self.begun - self.begun % self.interval_s
        for ago in range(self.past_s, 0, -self.step_s):
            for ip, processes in USUAL.items():
                save(self.vigie, ip, begun - ago, processes)
        save(self.vigie, SILENT, begun - self.past_s, {"ancient": (1, 1)}, collector={"hostname": HOSTNAMES[SILENT]})
        night = last_night()
        for offset in range(-300, 300, self.step_s):
            save(self.vigie, APP, night + offset, {NIGHT: (64, 180), "java": (20, 10)})
        self.tick()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def tick(self):
        now = time.time()
        self.ticks += 1
        for ip, processes in USUAL.items():
            hostname = f"twin{self.ticks % 2}" if ip == SHARED else HOSTNAMES[ip]
            save(self.vigie, ip, now, processes, collector={"hostname": hostname, "interval_s": self.interval_s,
                                                            "partial": ip == APP, "state": "run"})
        put(self.vigie, "save-alarms", {"data": [
            {"ipaddress": ip, "process_name": process, "type_data": resource, "color": color, "value": value,
             "threshold": threshold, "since": self.begun} for ip, process, resource, color, value, threshold in ALARMS]},
            {"X-Vigie-Service": "alert", "X-Vigie-State": "run"})
        put(self.vigie, "save-forecasts", {"data": [
            {"ipaddress": ip, "process_name": process, "type_data": resource, "probability": probability,
             "forecast": highest, "expected_at": now + 900} for ip, process, resource, probability, highest in FORECASTS]},
            {"X-Vigie-Service": "forecast", "X-Vigie-State": "run"})

    def run(self):
        while not self.ended.wait(self.interval_s):
            self.tick()
