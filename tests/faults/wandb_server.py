"""A W&B server on this machine that behaves as a test wants it to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Behaviour = Literal["works", "refuses", "hangs"]


class WandbServer(ThreadingHTTPServer):
    """Knows as much of W&B's protocol as a run needs to begin and to log.

    Attributes:
        behaviour: to every request; ``refuses`` answers with an error.
        asked: paths of requests and names of queries.
    """

    daemon_threads = True

    def __init__(self, behaviour: Behaviour = "works") -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.behaviour = behaviour
        self.asked: list[str] = []
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def go_away(self) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()

    def answer(self, query: dict[str, Any]) -> dict[str, Any]:
        name, given = query["operationName"], query["variables"]
        if name == "UpsertBucket":
            project = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": "lab"}}
            run = {"id": "r", "name": given["name"], "config": "{}", "project": project}
            return {"upsertBucket": {"bucket": run | {"historyLineCount": 0}, "inserted": True}}
        if name == "CreateRunFiles":
            files = [{"name": file, "uploadUrl": f"{self.url}/{file}"} for file in given["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        return {"model": None, "serverInfo": None}


class _Request(BaseHTTPRequestHandler):
    server: WandbServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        return

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        query = json.loads(body) if self.path == "/graphql" else None
        self.server.asked.append(self.path if query is None else query["operationName"])
        if self.server.behaviour == "hangs":
            self.server.released.wait()
            return
        if self.server.behaviour == "refuses":
            self.send_error(500)
            return
        answer = {} if query is None else {"data": self.server.answer(query)}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = answer  # noqa: N815
