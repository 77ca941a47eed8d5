"""A stand-in for the HTTP side of a W&B server. It tests our calls, not W&B's server.

It answers the real client as far as a run needs: who am I, make or resume a run, take its rows,
take its files. What it was sent is kept, to be looked at.
"""

import contextlib
import gzip
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

VIEWER = {"id": "u", "entity": "stub", "username": "stub", "flags": "{}", "teams": {"edges": []}}


class WandBStub:
    """A server on a free port of this machine, for as long as the context lasts.

    Arguments:
        behaviour: What it does with a request: answers it, refuses it with status 500, or never
            answers. It may be changed at any time.
    """

    def __init__(self, behaviour: Literal["answer", "fail", "hang"] = "answer"):
        self.behaviour = behaviour
        self.operations: list[tuple[str, dict[str, Any]]] = []
        self.streams: list[tuple[str, dict[str, Any]]] = []
        self.uploads: list[str] = []

        self.closed = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Request,), {"stub": self}))
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()
        self.http.shutdown()
        self.http.server_close()

    def variables(self, operation: str) -> list[dict[str, Any]]:
        """Returns the variables of each GraphQL operation of this name, in the order they came."""

        return [variables for name, variables in self.operations if name == operation]

    def lines(self, run: str, file: str) -> list[dict[str, Any]]:
        """Returns the lines of a file that were streamed for a run, in the order they came."""

        contents = [
            body.get("files", {}).get(file, {}).get("content", [])
            for name, body in self.streams
            if name == run
        ]

        return [json.loads(line) for content in contents for line in content]

    def history(self, run: str) -> list[dict[str, Any]]:
        return self.lines(run, "wandb-history.jsonl")

    def summary(self, run: str) -> dict[str, Any]:
        return self.lines(run, "wandb-summary.json")[-1]

    def exit_codes(self, run: str) -> list[int]:
        return [
            body["exitcode"] for name, body in self.streams if name == run and "exitcode" in body
        ]

    def answer(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Returns the data of a GraphQL operation."""

        name = variables.get("name")
        project = {
            "id": "p",
            "name": variables.get("project"),
            "entity": {"id": "e", "name": "stub"},
        }

        if operation == "UpsertBucket":
            bucket = {"id": name, "name": name, "displayName": variables.get("displayName")}
            bucket |= {"description": "", "config": "{}", "sweepName": None, "historyLineCount": 0}
            return {"upsertBucket": {"bucket": bucket | {"project": project}, "inserted": True}}

        if operation == "RunResumeStatus":
            return {"model": project | {"bucket": self.bucket(name) if name else None}}

        if operation == "CreateRunFiles":
            files = [
                {"name": file, "uploadUrl": f"{self.url}/upload/{file}"}
                for file in variables.get("files", [])
            ]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}

        return {"viewer": VIEWER, "serverInfo": {"features": []}, "model": None, "project": None}

    def bucket(self, run: str) -> dict[str, Any] | None:
        """Returns what is known of a run that a client asks to resume, if anything is."""

        if not (history := self.history(run)):
            return None

        counts = {"logLineCount": 0, "historyLineCount": len(history), "eventsLineCount": 0}
        tails = {"historyTail": json.dumps([json.dumps(history[-1])]), "eventsTail": "[]"}
        config = {"summaryMetrics": "{}", "config": "{}", "tags": [], "wandbConfig": '{"t": 1}'}

        return {"id": run, "name": run, "displayName": run, "notes": None} | counts | tails | config


class Request(BaseHTTPRequestHandler):
    """One request of the client."""

    stub: WandBStub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the client may leave at any time
            super().handle()

    def do_GET(self) -> None:
        self.reply(lambda body: {})

    def do_PUT(self) -> None:
        self.reply(self.upload)

    def do_POST(self) -> None:
        self.reply(self.graphql if self.path.endswith("/graphql") else self.stream)

    def reply(self, answer) -> None:
        body = self.body()

        if self.stub.behaviour == "hang":
            self.stub.closed.wait()
            self.close_connection = True
            return

        status, content = (500, {}) if self.stub.behaviour == "fail" else (200, answer(body))
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self) -> bytes:
        data = b""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while length := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))

        return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

    def graphql(self, body: bytes) -> dict[str, Any]:
        request = json.loads(body)
        match = re.search(r"(?:query|mutation)\s+(\w+)", request["query"])
        operation, variables = match[1] if match else "", request.get("variables") or {}
        self.stub.operations.append((operation, variables))

        return {"data": self.stub.answer(operation, variables)}

    def stream(self, body: bytes) -> dict[str, Any]:
        if self.path.endswith("/file_stream"):
            self.stub.streams.append((self.path.split("/")[-2], json.loads(body)))

        return {"exitcode": None, "limits": {}}

    def upload(self, body: bytes) -> dict[str, Any]:
        self.stub.uploads.append(self.path.removeprefix("/upload/"))

        return {}
