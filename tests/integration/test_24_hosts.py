"""Which host a sample is of, how often it reports, and how many names it may have."""

import unittest

from vigie import ServerTest, sample


class AddressTest(ServerTest):
    def test_ipv4_address_in_ipv6_is_the_same_host(self):
        self.save("10.3.0.1", sample("a", "mem", 10))
        self.save("::ffff:10.3.0.1", sample("b", "mem", 20))
        self.save("::FFFF:0a03:0001", sample("c", "mem", 30))
        self.assertEqual(list(self.json_of("hosts")), ["10.3.0.1"])
        self.assertEqual(list(self.json_of("latest")["10.3.0.1"]), ["a", "b", "c"])
        wanted = {"a": [10, None], "b": [20, None], "c": [30, None]}
        for name in ("10.3.0.1", "10-3-0-1", "::ffff:10.3.0.1", "--ffff-10.3.0.1", "--ffff-10-3-0-1", "::ffff:a03:1"):
            self.assertEqual(self.json_of(f"get-all/{name}"), wanted, name)
            self.assertEqual(self.json_of(f"get-all?ip={name}"), wanted, name)
            self.assertEqual(list(self.json_of(f"hosts?ip={name}")), ["10.3.0.1"], name)


if __name__ == "__main__":
    unittest.main()
