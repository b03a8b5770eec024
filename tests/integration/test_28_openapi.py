"""The description of the interface, nginx/www/openapi.json: what it says is what the server has, and nothing else. (Every
answer that the other tests get is held against it: vigie.py.)"""

import http.client
import json
import pathlib
import re
import subprocess
import time
import unittest

import jsonschema

from test_09_security import bearer, write_tokens
from vigie import BUILD, INTERFACE, PREFIX, ServerTest, Vigie, sample, wait_until

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "nginx" / "www" / "openapi.json"
ADDRESS = PREFIX + "openapi.json"


def printed_routes():
    """{(method, path): names of parameters} of the program's own table."""
    run = subprocess.run([BUILD / "vigie-fcgi", "--print-routes"], check=True, stdout=subprocess.PIPE, text=True)
    routes = {}
    for line in run.stdout.splitlines():
        method, name, *parameters = line.split(" ")
        routes[method.lower(), "/" + re.sub("<(\\w+)>", "{\\1}", name.replace("start|stop", "wish"))] = parameters
    return routes


class TableTest(unittest.TestCase):
    def test_every_route_and_parameter_is_described_and_no_other(self):
        routes = printed_routes()
        self.assertGreater(len(routes), 10)
        described = {key: [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
                     for key, operation in INTERFACE.operations().items()}
        self.assertEqual({key: sorted(names) for key, names in described.items()},
                         {key: sorted(names) for key, names in routes.items()})
        for (_, path), operation in INTERFACE.operations().items():
            in_path = [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"]
            self.assertEqual(in_path, re.findall(r"{(\w+)}", path))

    def test_it_is_a_whole_document(self):
        version = subprocess.run([BUILD / "vigie-fcgi", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual(INTERFACE.plain["info"]["version"], version.split()[1])
        document = json.loads(DOCUMENT.read_text())
        used = set(re.findall(r'"#/components/(\w+/\w+)"', DOCUMENT.read_text())) | {"responses/404", "responses/405"}
        self.assertEqual({f"{kind}/{name}" for kind, items in document["components"].items() for name in items
                          if kind != "securitySchemes"}, used)
        for name, schema in INTERFACE.plain["components"]["schemas"].items():
            with self.subTest(name):
                jsonschema.Draft202012Validator.check_schema(schema)
        names = [operation["operationId"] for operation in INTERFACE.operations().values()]
        self.assertEqual(len(set(names)), len(names))


class CheckTest(unittest.TestCase):
    """What the other tests rely on: an answer that is not as it is described does not pass."""

    def refused(self, method, path, status, body, **headers):
        message = http.client.HTTPMessage()
        message["Content-Type"] = "application/json"
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        try:
            INTERFACE.check(method, PREFIX + path, status, message, body.encode())
        except AssertionError:
            return True
        return False

    def test_what_is_not_described_is_seen(self):
        error = '{"Response": "NOk", "error": "no"}'
        for expected, *case in ((False, "GET", "get-all", 200, '{"a": [1, null]}'), (True, "GET", "get-all", 200, '{"a": [1]}'),
                                (False, "GET", "get-all/?by=host", 200, '{"10.0.0.5": {"a": [1, 2]}}'),
                                (True, "GET", "get-all", 200, '{"a": [1, -2]}'), (True, "GET", "get-all", 204, ""),
                                (False, "GET", "get-all/10.0.0.5", 400, error), (True, "GET", "get-all", 400, '{"error": "no"}'),
                                (True, "GET", "get-all", 401, error), (True, "GET", "get-all", 418, error),
                                (False, "GET", "nothing", 404, error), (True, "GET", "nothing", 200, error),
                                (True, "GET", "health", 503, "{}"), (True, "DELETE", "get-all", 405, error),
                                (True, "PUT", "save-all", 409, error), (True, "PUT", "save-all", 503, error)):
            with self.subTest(case):
                self.assertEqual(self.refused(*case), expected)
        self.assertFalse(self.refused("GET", "get-all", 401, error, WWW_Authenticate="Bearer"))
        self.assertFalse(self.refused("PUT", "save-all", 503, error, Retry_After="5"))
        self.assertTrue(self.refused("PUT", "save-all", 503, error, Retry_After="soon"))
        self.assertTrue(self.refused("GET", "latest", 200, json.dumps({"10.0.0.5": {"a": {"mem": [1, 2], "disk": [1, 2]}}})))


class ServedTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config="[server]\ncache = 0\nadmin_tokens = admin.tokens\n")
        write_tokens(cls.vigie, "admin", ["admin-1"])
        cls.vigie.start()
        cls.addClassCleanup(cls.vigie.stop)

    def test_it_is_served_to_all_under_its_own_names(self):
        answer = self.vigie.get(ADDRESS)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        self.assertEqual(answer.body, DOCUMENT.read_bytes())
        self.assertEqual(self.vigie.request("HEAD", ADDRESS).status, 200)
        connection = http.client.HTTPConnection("127.0.0.1", self.vigie.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("GET", ADDRESS, headers={"Host": "elsewhere.example"})
        self.assertEqual(connection.getresponse().status, 421)
        answer = self.vigie.put(ADDRESS, {})
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))

    def test_every_operation_answers_and_refuses_as_described(self):
        """The tests of the interface see more; here nothing of it is left out."""
        wait_until(lambda: self.vigie.get("services").status == 200, 5, "the store has told")
        now = time.time()
        self.save("10.28.0.1", sample("a", "mem", 1, now), sample("a", "cpu", 2, now), collector={"hostname": "mast"})
        item = {"ipaddress": "10.28.0.1", "process_name": "a", "type_data": "mem"}
        bodies = {"save-all": {"ipaddress": "10.28.0.1", "timestamp": now, "processes": {"b": [1, None]},
                               "oom_kills": {"timestamp": now, "processes": {"b": 1}}},
                  "save-alarms": {"data": [{**item, "color": "orange", "threshold": 80, "since": now}]},
                  "silences": {"process": "a", "until": now + 60},
                  "save-forecasts": {"data": [{**item, "probability": 0.5, "forecast": 90, "expected_at": now + 60, "full_at": now + 86400}]}}
        allowed = {"silences": "GET, HEAD, PUT"}
        silence = None
        for method, path in sorted(INTERFACE.operations(), reverse=True):
            name = path[1:].format(ip="10.28.0.1", service="collector", wish="start", id=silence)
            with self.subTest(name):
                answer = self.vigie.request(method.upper(), name, body=bodies.get(name) if method == "put" else None, headers=bearer("admin-1"))
                self.assertEqual(answer.status, 200, answer)
                self.assertNotIn(answer.body.strip(), (b"{}", b"[]"))
                silence = answer.json()["id"] if (method, name) == ("put", "silences") else silence
                for refused in ("TRACE", "POST" if method == "delete" else "DELETE"):
                    answer = self.vigie.request(refused, name)
                    self.assertEqual((answer.status, answer.headers["Allow"]),
                                     (405, allowed.get(name, "GET, HEAD" if method == "get" else method.upper())))


if __name__ == "__main__":
    unittest.main()
