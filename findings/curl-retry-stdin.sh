#!/bin/bash
# curl: what --retry sends again of an upload from a pipe is nothing, and it is a success.
#
# One would guess: "-T -" with --retry sends the same body again, or fails since a pipe cannot be read twice.
# What happens: at the second try the request has an empty body, in chunks, which is whole. A server that takes empty
# bodies answers 200, curl ends with 0, and nothing is said without --verbose. From a file, or by --data-binary @-,
# all is sent again.
# It matters to whoever pipes a dump, or lines of samples, into curl --retry: a 503 in between, and they are gone.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=7.88.1-10+deb12u15
debian "curl=$version" "libcurl4=$version"
echo "version: curl $version"

port=$(free_port)
cat >"$folder/server.py" <<'END'
"""Answers 503 and 200 in turns, and prints how many bytes each body had."""
import http.server
import sys

tries = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200)

    def do_PUT(self):
        global tries
        tries += 1
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        while self.headers.get("Transfer-Encoding") == "chunked":
            length = int(self.rfile.readline(), 16)
            body += self.rfile.read(length)
            self.rfile.readline()
            if length == 0:
                break
        print(len(body), flush=True)
        self.answer(503 if tries % 2 else 200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
END
start server /usr/bin/python3 "$folder/server.py" "$port"
until_true curl --silent --fail "http://127.0.0.1:$port/"

# upload WHAT EXPECTED OPTION...: of 292 bytes, from a pipe
upload()
{
	local what=$1 expected=$2 before status=0 answer sent
	shift 2
	before=$(grep --count '^[0-9]*$' "$folder/server.log" || true)
	answer=$(seq 100 | "$root/usr/bin/curl" --silent --show-error --retry 2 --request PUT --output /dev/null \
		--write-out '%{http_code}' "$@" "http://127.0.0.1:$port/" 2>"$folder/said") || status=$?
	sent=$(grep '^[0-9]*$' "$folder/server.log" | tail --lines=+$((before + 1)) | tr '\n' ' ')
	seen "$what: bytes at each try: $sent, answer $answer, exit $status, said: [$(cat "$folder/said")]"
	expect "$sent$answer $status [$(cat "$folder/said")]" "$expected" "what $what does"
}

seq 100 >"$folder/file"
upload '-T -' '292 0 200 0 []' --upload-file -
upload '-T FILE' '292 292 200 0 []' --upload-file "$folder/file"
upload '--data-binary @-' '292 292 200 0 []' --data-binary @-
