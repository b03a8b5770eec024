#!/usr/bin/env python3
"""As much of InfluxDB 3 Core as vigie asks for, samples included. What it does has been seen on 3.6.0: most of it is in
tests/data/influxdb3-wire, answers and all.

    influxdb3.py PORT FLUSH_SECONDS    serves until it is ended

A write is acknowledged at the next flush, and can be read from then on."""

import contextlib
import http.server
import json
import re
import sqlite3
import sys
import threading
import time
import urllib.parse

from served import Served, Server

DATABASES_MAX = 5
BODY_MAX = 10 << 20
STRING = re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL)
SELECT = re.compile(r"SELECT (\w+(?:\(value\))?(?:, \w+\(value\))*) FROM (\w+(?:, \w+)*) WHERE ([\w :<>=.()-]+?)"
                    r"(?: GROUP BY ([\w, ]+?)(?:, time\((\d+)ms\) fill\(none\))?)?")
LINE = re.compile(r"(\w+),ip=((?:\\.|[^\\, =])+),process=((?:\\.|[^\\, =])+) value=(\S+) (-?\d+)")
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Refusal(Exception):
    """status, words; status None: the connection is closed without a byte."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        chunks = None
        try:
            status, kind, chunks = self.server.engine.answer(self.command, url.path, query, self.headers, body)
        except Refusal as refusal:
            status, words = refusal.args
            if status is None:
                self.close_connection = True
                return
            kind, chunks = "text/plain", words.encode()
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if isinstance(chunks, list):
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 204:
            self.send_header("Content-Length", str(len(chunks)))
        self.end_headers()
        if isinstance(chunks, list):
            for chunk in chunks:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
        elif status != 204:
            self.wfile.write(chunks)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

    def log_message(self, *_):
        pass


class InfluxDB3(Served):
    """What a test may set at any time:

    flush_s     between two flushes
    token       that a client must have; None: none
    file_limit  whether a query of more than that many seconds meets the limit on files; None: none does
    closes      whether the connection is closed in the place of an answer to a query
    reads       whether what is written is parsed and kept; else it is counted (`lines`), and there is nothing to be read
    """

    store = "influxdb3"  # as vigie calls it

    def __init__(self, port, flush_s=1.0, reads=True):
        self.port, self.flush_s, self.reads = port, flush_s, reads
        self.url = f"http://127.0.0.1:{port}"
        self.token = self.file_limit = None
        self.closes = False
        self.databases = {}  # name: retention in seconds, None: for ever
        self.requests = []   # (method and path, text) of all
        self.lines = 0       # that were acknowledged
        self.lock = threading.Condition()
        self.buffered, self.flushes = [], 0
        self.samples = sqlite3.connect(":memory:", check_same_thread=False)
        self.samples.execute("CREATE TABLE sample (db, name, ip, process, time INTEGER, value REAL, "
                             "PRIMARY KEY (db, name, ip, process, time)) WITHOUT ROWID")
        self.server = None

    # ---- running

    def start(self):
        self.server = Server(self, Handler)
        threading.Thread(target=self.flush_for_ever, args=(self.server,), daemon=True).start()

    def stop(self):
        server, self.server = self.server, None
        if server:
            server.stop()

    def lose_all(self):
        """As one that is started anew with an empty folder."""
        with self.lock:
            self.databases.clear()
            self.samples.execute("DELETE FROM sample")

    def settle(self):
        """What was written can be read afterwards: it can once it is acknowledged."""

    def config(self, database="monitoring"):
        return f"[influxdb3]\nurl = {self.url}\ndatabase = {database}\n"

    def flush_for_ever(self, server):
        due = time.monotonic()
        while self.server is server:
            due = max(due + self.flush_s, time.monotonic())
            time.sleep(max(0, due - time.monotonic()))
            with self.lock:
                for database, rows in self.buffered:
                    self.samples.executemany("INSERT OR REPLACE INTO sample VALUES (?, ?, ?, ?, ?, ?)",
                                             [(database, *row) for row in rows])
                self.buffered.clear()
                self.flushes += 1
                self.lock.notify_all()

    # ---- answering

    def answer(self, method, path, query, headers, body):
        self.requests.append((f"{method} {path}", body.decode(errors="replace") if self.reads else ""))
        if self.token and headers.get("Authorization", "").split(" ")[-1] != self.token:
            raise Refusal(401, "")
        if path == "/health":
            return 200, None, b"OK"
        if path == "/ping":
            return 200, "application/json", json.dumps({"version": "3.6.0", "revision": "0000000", "process_id": "1"}).encode()
        if path == "/api/v3/configure/database":
            return self.configure(method, query, headers, body)
        if path == "/api/v3/query_sql":
            return self.query_sql(json.loads(body))
        if path == "/query":
            if headers.get("Accept", "application/json") not in ("application/json", "*/*"):
                raise Refusal(500, f"invalid mime type ({headers['Accept']})")
            form = dict(urllib.parse.parse_qsl(body.decode()))
            return self.query_influxql(query.get("db"), form.get("q", ""))
        if path in ("/api/v3/write_lp", "/api/v2/write", "/write"):
            return self.write(query.get("db") or query.get("bucket"), query, body)
        raise Refusal(404, "not found")

    def configure(self, method, query, headers, body):
        if method == "DELETE":
            with self.lock:
                if self.databases.pop(query["db"], self) is self:
                    raise Refusal(404, "the requested resource was not found")
                self.samples.execute("DELETE FROM sample WHERE db = ?", (query["db"],))
            return 200, None, b""
        if not headers.get("Content-Type", "").startswith("application/json"):
            raise Refusal(415, "unacceptable content-type, expected: application/json")
        wanted = json.loads(body)
        name, period = wanted["db"], wanted.get("retention_period")
        if not re.fullmatch("[A-Za-z0-9_-]+", name):
            raise Refusal(400, json.dumps({"error": "invalid character in database or rp name: must be ASCII, containing "
                                           "only letters, numbers, underscores, or hyphens"}))
        with self.lock:
            if method == "POST" and name in self.databases:
                raise Refusal(409, "attempted to create a resource that already exists")
            if method == "PUT" and name not in self.databases:
                raise Refusal(404, "the requested resource was not found")
            self.make_database(name, int(period[:-1]) * UNITS_S[period[-1]] if period else None)
        return 200, None, b""

    def make_database(self, name, retention_s):
        if name not in self.databases and len(self.databases) >= DATABASES_MAX:
            raise Refusal(422, json.dumps({"error": f"Adding a new database would exceed limit of {DATABASES_MAX} databases"}))
        self.databases[name] = retention_s

    def query_sql(self, asked):
        if asked["db"] != "_internal" or asked["q"] != "SELECT * FROM system.databases" or asked["format"] != "json":
            raise Refusal(500, "query error: error while planning query: not what the stand-in knows")
        rows = [{"database_name": "_internal", "deleted": False}]
        with self.lock:
            for name, retention_s in self.databases.items():
                kept = {} if retention_s is None else {"retention_period_ns": retention_s * 10**9}
                rows.append({"database_name": name, **kept, "deleted": False})
        return 200, "application/json", [json.dumps(rows).encode()]

    # ---- writing

    def write(self, database, query, body):
        if len(body) > BODY_MAX:
            raise Refusal(500, f"max request size ({BODY_MAX} bytes) exceeded")
        if not body.strip():
            raise Refusal(400, "incoming write was empty")
        rows = self.parse(body.decode(), query) if self.reads else []
        with self.lock:
            if database not in self.databases:
                self.make_database(database, None)
            retention_s = self.databases[database]
            oldest_ms = (time.time() - retention_s) * 1000 if retention_s else float("-inf")
            self.buffered.append((database, [row for row in rows if row[3] > oldest_ms]))
            flush = self.flushes + 1
            self.lock.wait_for(lambda: self.flushes >= flush, 60)
            self.lines += body.count(b"\n")
        return 204, None, b""

    @staticmethod
    def parse(text, query):
        if query.get("precision") not in ("millisecond", "ms"):
            raise Refusal(400, "the stand-in knows milliseconds alone")
        rows = []
        for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            match = LINE.fullmatch(line)
            words = None if match else "No fields were provided"
            if match and not NUMBER.fullmatch(match[4]):
                kind = "integer" if re.fullmatch(r"-?\d+i", match[4]) else "string"
                words = ("invalid column type for column 'value', expected iox::column_type::field::float, got "
                         f"iox::column_type::field::{kind}")
            if words:
                raise Refusal(400, json.dumps({"error": "parsing failed for write_lp endpoint", "data": {
                    "error_message": words, "line_number": number, "original_line": line[:20]}}))
            ip, process = (re.sub(r"\\([,= ])", r"\1", tag) for tag in match.group(2, 3))
            rows.append((match[1], ip, process, int(match[5]), float(match[4])))
        return rows

    # ---- reading

    def query_influxql(self, database, statement):
        with self.lock:
            if database not in self.databases:
                raise Refusal(404, json.dumps({"error": f"query error: database not found: {database}"}))
        if self.closes or statement.startswith("SHOW RETENTION POLICIES ON"):
            raise Refusal(None, "")
        if statement == "SHOW MEASUREMENTS":
            with self.lock:
                names = self.samples.execute("SELECT DISTINCT name FROM sample WHERE db = ? ORDER BY 1", (database,)).fetchall()
            return self.documents([{"name": "measurements", "columns": ["name"], "values": names}] if names else [])
        return self.documents(self.select(database, statement))

    @staticmethod
    def documents(series):
        results = [[{"statement_id": 0, "series": [one]}] for one in series] or [[{"statement_id": 0}]]
        return 200, "application/json", [(json.dumps({"results": result}, ensure_ascii=False) + "\n").encode()
                                         for result in results]

    def select(self, database, statement):
        strings = []

        def keep(match):
            if "\n" in match[1]:
                raise Refusal(500, f"error in InfluxQL statement: parsing error: unterminated string literal at pos {match.start()}")
            strings.append(re.sub(r"\\(.)", r"\1", match[1]))
            return f":s{len(strings)}"
        plain = STRING.sub(keep, statement)
        if ";" in plain:
            raise Refusal(500, "must provide only one InfluxQl statement per query")
        match = SELECT.fullmatch(plain)
        if not match:
            raise Refusal(500, "error in InfluxQL statement: parsing error: invalid InfluxQL statement at pos 0. Parsing Error: "
                          f'Nom("{statement[:200]}", Tag)')
        selected, names, where, tags, step = match.groups()
        where = re.sub(r"(\d)ms\b", r"\1", where)
        self.meet_file_limit(where)
        values = dict(zip((f"s{number + 1}" for number in range(len(strings))), strings), db=database)
        series = []
        for name in sorted(names.split(", ")):
            with self.lock:
                rows = self.samples.execute(f"SELECT ip, process, time, value FROM sample WHERE db = :db AND name = :name AND {where} "
                                            "ORDER BY time, process, ip", {**values, "name": name}).fetchall()
            series += self.group(name, rows, selected.split(", "), tags.split(", ") if tags else [], int(step or 0), where)
        return series

    def meet_file_limit(self, where):
        first, last = (int(re.search(rf"time {sign} (-?\d+)", where)[1]) for sign in (">", "<="))
        if self.file_limit is not None and last - first > self.file_limit * 1000:
            raise Refusal(500, "query error: error while planning query: External error: Query would exceed file limit of 432 "
                          "parquet files. Please specify a smaller time range for your query. You can increase the file limit "
                          "with the `--query-file-limit` option in the serve command, however, query performance will be slower "
                          "and the server may get OOM killed or become unstable as a result")

    @staticmethod
    def group(name, rows, selected, tags, step, where):
        groups = {}
        for ip, process, at, value in rows:
            key = tuple({"ip": ip, "process": process}[tag] for tag in tags)
            groups.setdefault(key, {}).setdefault(at // step * step if step else None, []).append((at, value))
        lower = int(re.search(r"time > (-?\d+)", where)[1])
        for key, buckets in sorted(groups.items()):
            points = []
            for start, samples in sorted(buckets.items()):
                if selected == ["value"]:
                    points += [[at, value] for at, value in samples]
                    continue
                at = samples[-1][0] if selected == ["last(value)"] else start if step else lower
                of = {"mean(value)": lambda: sum(value for _, value in samples) / len(samples),
                      "max(value)": lambda: max(value for _, value in samples), "last(value)": lambda: samples[-1][1]}
                points.append([at, *(of[one]() for one in selected)])
            columns = ["time", *(one.removesuffix("(value)") for one in selected)]
            yield {"name": name, "tags": dict(zip(tags, key)), "columns": columns, "values": points}


def main():
    engine = InfluxDB3(int(sys.argv[1]), float(sys.argv[2]), reads="--blind" not in sys.argv)
    engine.start()
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    main()
