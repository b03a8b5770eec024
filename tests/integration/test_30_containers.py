"""compose.yaml and the Dockerfile, as far as they can be read: tests/image has docker-compose read the former, builds the
image and runs it."""

import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

from vigie import BUILD, ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
PROFILES = {"alone", "influxdb2", "influxdb3", "victoriametrics"}


def services(profile):
    return {name: service for name, service in COMPOSE["services"].items() if profile in service.get("profiles", [profile])}


class ComposeTest(unittest.TestCase):
    def test_each_profile_has_one_server_and_its_engine(self):
        self.assertEqual({profile for service in COMPOSE["services"].values() for profile in service.get("profiles", [])}, PROFILES)
        for profile in PROFILES:
            with self.subTest(profile):
                engine = set() if profile == "alone" else {profile}
                self.assertEqual(set(services(profile)), {f"server-{profile}", "collector", "alert", "forecast"} | engine)
                server = services(profile)[f"server-{profile}"]
                self.assertEqual((server["hostname"], server["networks"]["default"]["aliases"]), ("server", ["server"]))
                self.assertTrue(all(port.startswith("127.0.0.1:") for port in server["ports"]), "nobody else without tokens")

    def test_images_have_versions(self):
        version = re.search(r"(?m)^VERSION = (.+)$", (ROOT / "Makefile").read_text())[1]
        for name, service in COMPOSE["services"].items():
            with self.subTest(name):
                self.assertRegex(service["image"], r":(v?[0-9][\w.-]*)$")
                if "build" in service:
                    self.assertEqual(service["image"], f"vigie:{version}")
                    self.assertTrue(service["read_only"])
                    self.assertEqual(service["cap_drop"], ["ALL"])
                else:
                    self.assertEqual((service["networks"], "ports" in service), (["engine"], False), "vigie alone reaches it")

    def test_configurations_and_commands_are_right(self):
        seen = 0
        for name, service in COMPOSE["services"].items():
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                command = service.get("command", [])
                for config in service.get("configs", []):
                    path = pathlib.Path(folder, "vigie.conf")
                    path.write_text(COMPOSE["configs"][config["source"]]["content"])
                    self.assertEqual(service["environment"]["CONF"], config["target"])
                    command = ["vigie-fcgi", "--config", path]
                    engine = path.read_text().split("store = ")[1].split()[0]
                    self.assertIn(engine, service["profiles"])
                if str(command[:1]).startswith("['vigie-"):
                    seen += 1
                    subprocess.run([BUILD / command[0], *command[1:], "--check-config"], check=True, stdout=subprocess.DEVNULL)
                for secret in service.get("secrets", []):
                    self.assertIn(secret, COMPOSE["secrets"])
        self.assertEqual(seen, 6)


class DockerfileTest(unittest.TestCase):
    def test_what_it_copies_is_there_and_in_its_context(self):
        text = (ROOT / "Dockerfile").read_text()
        ignored = (ROOT / ".dockerignore").read_text().split()
        for source in re.findall(r"(?m)^COPY (?!--)(\S+) ", text):
            with self.subTest(source):
                self.assertTrue((ROOT / source).exists())
                self.assertNotIn(source.split("/")[0], ignored)
        base = re.search(r"(?m)^ARG BASE=(\S+)$", text)[1]
        self.assertRegex(base, r"^debian:[a-z]+-slim$")
        self.assertLess(text.index("USER vigie"), text.index("CMD"))


if __name__ == "__main__":
    unittest.main()
