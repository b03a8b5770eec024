"""Holds answers against an OpenAPI document, the description of the interface."""

import json
import posixpath
import re
import urllib.parse

import jsonschema

ITEMS_MAX = 50  # of an object or array that are looked at, so that large answers do not take seconds
METHODS = {"get", "put", "post", "delete"}


def resolved(value, document):
    """`value` without references: what they name stands in their place. (None of ours is in itself.)"""
    if isinstance(value, list):
        return [resolved(item, document) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        target = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return resolved(target, document)
    return {key: resolved(item, document) for key, item in value.items()}


def shortened(value):
    """The same with the first of what is long."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in list(value.items())[:ITEMS_MAX]}
    return [shortened(item) for item in value[:ITEMS_MAX]] if isinstance(value, list) else value


class Document:
    def __init__(self, path, prefix):
        """The document in a file, of the addresses that begin with `prefix`."""
        document = json.loads(path.read_text())
        self.prefix = prefix
        self.plain = resolved(document, document)
        self.validators = {}
        self.patterns = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in self.plain["paths"]]

    def operations(self):
        """{(method, path): operation}, the method in small letters."""
        return {(method, path): operation for path, item in self.plain["paths"].items() for method, operation in item.items()
                if method in METHODS}

    def find(self, method, path):
        """The operation of a request; None where there is none."""
        name = next((name for pattern, name in self.patterns if pattern.fullmatch(path[len(self.prefix) - 1:])), None)
        return self.plain["paths"].get(name, {}).get("get" if method == "HEAD" else method.lower())

    def response(self, operation, status):
        """What is described of an answer; None where nothing is."""
        responses = self.plain["components"]["responses"]
        described = responses if operation is None else operation["responses"]
        return described.get(str(status)) or described.get(f"{status // 100}XX")

    def validate(self, schema, value, what):
        validator = self.validators.setdefault(id(schema), jsonschema.Draft202012Validator(schema))
        error = next(validator.iter_errors(value), None)
        if error is not None:
            raise AssertionError(f"{what}: {'/'.join(map(str, error.absolute_path))}: {error.message[:500]}")

    def check(self, method, target, status, headers, body):
        """Fails where an answer of the server is not as it is described. Pages are no part of the interface."""
        path = posixpath.normpath(urllib.parse.unquote(target.partition("?")[0], errors="replace"))
        if not path.startswith(self.prefix) or path == self.prefix + "openapi.json":
            return
        operation = self.find(method, path)
        response = self.response(operation, status)
        what = f"{method} {target[:200]}: {status}"
        if response is None:
            raise AssertionError(f"{what} is described nowhere: {body[:500]!r}")
        for name, header in response.get("headers", {}).items():
            if name not in headers:
                if header.get("required"):
                    raise AssertionError(f"{what} has no header {name}")
                continue
            value = headers[name]
            if len(headers.get_all(name)) > 1:
                raise AssertionError(f"{what} has the header {name} more than once")
            self.validate(header["schema"], int(value) if value.isdigit() else value, f"{what}, {name}")
        media = headers.get_content_type()
        content = response["content"].get(media)
        if content is None:
            raise AssertionError(f"{what} is {headers['Content-Type']}, not {' or '.join(response['content'])}")
        if method != "HEAD":
            value = json.loads(body) if media == "application/json" else body.decode()
            self.validate(content["schema"], shortened(value), what)
