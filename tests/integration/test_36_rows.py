"""What is stored, in rows of CSV: as JSON has it, whatever the names are."""

import csv
import datetime
import io
import time
import unittest

from vigie import ServerTest, sample, wait_until

FORMULAS = ("=1+1", "+1", "-bash", "@SUM(A1)", "'=", "'", "=HYPERLINK(\"http://x\",\"y\")", "＝1")
NAMES = ("plain", "a,b", 'a"b', '"', '""', ",", "a;b", "a b", " a ", "a\\b", "ünï €", "a\tb", "NULL", *FORMULAS)
ROWS = {"Accept": "text/csv"}


def read(answer):
    """The rows, as {column: cell} each."""
    text = answer.body.decode()
    assert text.endswith("\r\n"), text[-20:]
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def seconds(cell):
    return datetime.datetime.fromisoformat(cell).timestamp()


class RowsTest(ServerTest):
    def rows(self, path, **options):
        answer = self.vigie.get(path, **options)
        self.assertEqual((answer.status, answer.headers["Content-Type"], answer.headers["Vary"]),
                         (200, "text/csv; header=present; charset=utf-8", "Accept"))
        return read(answer)

    def test_every_name_comes_back(self):
        now = round(time.time(), 3)
        self.save("10.35.0.1", *(sample(name, "cpu", number, now) for number, name in enumerate(NAMES)))
        rows = self.rows("latest?ip=10.35.0.1", headers=ROWS)
        self.assertEqual(list(rows[0]), ["time", "ip", "process", "resource", "value"])
        self.assertEqual(set(row["process"] for row in rows if row["process"].startswith("'")), {"'" + name for name in FORMULAS})
        found = {row["process"].removeprefix("'"): row for row in rows}
        self.assertEqual({name: float(row["value"]) for name, row in found.items()},
                         {name.replace("\t", "?"): number for number, name in enumerate(NAMES)})
        self.assertEqual({(seconds(row["time"]), row["ip"], row["resource"]) for row in rows}, {(now, "10.35.0.1", "cpu")})

    def test_rows_have_what_json_has(self):
        now = int(time.time()) // 10 * 10
        for host in ("10.35.1.1", "2001:db8::35"):
            self.save(host, *(sample(name, resource, number + ago / 10, now - ago) for ago in (0, 10, 20)
                              for number, name in enumerate(("a", "b", "c")) for resource in ("mem", "cpu")))
        expected = {(ip, name, resource, *point) for ip, processes in self.json_of("latest").items()
                    for name, values in processes.items() for resource, point in values.items()}
        self.assertLessEqual({(ip, name, resource, now, number) for ip in ("10.35.1.1", "2001:db8::35")
                              for number, name in enumerate(("a", "b", "c")) for resource in ("mem", "cpu")}, expected)
        self.assertEqual({(row["ip"], row["process"].removeprefix("'"), row["resource"], seconds(row["time"]), float(row["value"]))
                          for row in self.rows("latest?format=csv")}, expected)

        query = "get-all-detailed?by=host&resource=cpu&window=10m"
        expected = [(ip, name, *point) for ip, processes in self.json_of(query + "&timestamps=1").items()
                    for name, points in processes.items() for point in points]
        self.assertEqual([(row["ip"], row["process"].removeprefix("'"), seconds(row["time"]), float(row["value"]))
                          for row in self.rows(query, headers=ROWS)], expected)
        query = "get-all-detailed?ip=10.35.1.1&process=b&window=10m&step=1d&fn=max"
        self.assertEqual([float(row["value"]) for row in self.rows(query + "&format=csv")], self.json_of(query)["b"])

        before = time.time()
        rows = self.rows("get-all/10.35.1.1?process=b", headers=ROWS)
        self.assertEqual([[float(row["value"]) for row in rows]], list(self.json_of("get-all/10.35.1.1?process=b").values()))
        self.assertEqual([(row["ip"], row["resource"]) for row in rows], [("10.35.1.1", "mem"), ("10.35.1.1", "cpu")])
        self.assertTrue(all(before - 1 <= seconds(row["time"]) <= time.time() + 1 for row in rows))
        self.assertEqual({row["ip"] for row in self.rows("get-all?format=csv")}, {""})
        wait_until(lambda: self.vigie.get("services").status == 200, 5, "the store has told")
        self.assertEqual({row["service"] for row in self.rows("services?format=csv")}, {"collector", "alert", "forecast"})
        self.assertLessEqual({"10.35.1.1", "2001:db8::35"}, {row["ip"] for row in self.rows("hosts?format=csv")})

    def test_what_is_wrong_or_has_no_rows_is_json(self):
        self.assert_refused(self.vigie.get("latest?format=csv&ip=x", headers=ROWS), 400, "ip")
        self.assert_refused(self.vigie.get("nothing", headers=ROWS), 404)
        self.assertEqual(self.json_of("health")["status"], "ok")
        answer = self.vigie.get("health", headers=ROWS)
        self.assertEqual((answer.headers["Content-Type"], answer.headers["Vary"]), ("application/json", None))
        answer = self.vigie.get("latest", headers={"Accept": "text/csv;q=0.5, application/json"})
        self.assertEqual((answer.headers["Content-Type"], answer.headers["Vary"]), ("application/json", "Accept"))

    def test_nothing_is_the_line_of_columns(self):
        answer = self.vigie.get("latest?process=prometheus-node-exporter&format=csv")
        self.assertEqual(answer.body, b"time,ip,process,resource,value\r\n")
        self.assertIn("prometheus-node", answer.headers["Vigie-Hint"])
        head = self.vigie.request("HEAD", "latest?process=none&format=csv")
        self.assertEqual((head.body, head.headers["Content-Type"]), (b"", "text/csv; header=present; charset=utf-8"))


if __name__ == "__main__":
    unittest.main()
