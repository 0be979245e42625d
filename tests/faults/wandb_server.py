"""A W&B server on this machine that behaves as a test wants it to."""

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

Behaviour = Literal["works", "refuses", "hangs"]


class Received(NamedTuple):
    """A request: its headers without the key, and its body, unpacked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class WandbServer(ThreadingHTTPServer):
    """Knows as much of W&B's protocol as a run needs to begin, to log and to commit artifacts.

    Attributes:
        behaviour: to every request; ``refuses`` answers with an error.
        asked: paths of requests and names of queries.
        received: whole requests.
        refused: part of the paths that are answered with an error; none where empty.
    """

    daemon_threads = True

    def __init__(self, behaviour: Behaviour = "works") -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.behaviour = behaviour
        self.asked: list[str] = []
        self.received: list[Received] = []
        self.refused = ""
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def everything(self) -> bytes:
        """All that was sent: addresses, headers and bodies."""
        parts = [
            b"\n".join([unquote(each.path).encode(), *(v.encode() for v in each.headers.values()), each.body])
            for each in self.received
        ]
        return b"\n".join(parts)

    def queries(self, name: str) -> list[dict[str, Any]]:
        """The variables of all queries of a name."""
        asked = [json.loads(each.body) for each in self.received if each.path == "/graphql"]
        return [query["variables"] for query in asked if query.get("operationName") == name]

    def uploads(self) -> dict[str, bytes]:
        """The content of uploaded files by their names."""
        return {unquote(each.path)[1:]: each.body for each in self.received if each.method == "PUT"}

    def streamed(self, file: str) -> list[dict[str, Any]]:
        """The lines of a file that grows, such as ``wandb-history.jsonl``."""
        bodies = [json.loads(each.body) for each in self.received if each.path.endswith("/file_stream")]
        chunks = [body["files"][file]["content"] for body in bodies if file in body.get("files", {})]
        return [json.loads(line) for chunk in chunks for line in chunk]

    def ended_with(self) -> int:
        """The exit code of the run that was sent."""
        bodies = [json.loads(each.body) for each in self.received if each.path.endswith("/file_stream")]
        (code,) = (body["exitcode"] for body in bodies if body.get("complete"))
        return code

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that has got what it wanted
            super().handle_error(request, client_address)

    def go_away(self) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()

    def answer(self, query: dict[str, Any]) -> dict[str, Any]:
        name, given = query.get("operationName"), query.get("variables") or {}
        if name == "UpsertBucket":
            project = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": "lab"}}
            run = {"id": "r", "name": given["name"], "config": "{}", "project": project}
            return {"upsertBucket": {"bucket": run | {"historyLineCount": 0}, "inserted": True}}
        if name == "CreateRunFiles":
            files = [{"name": file, "uploadUrl": f"{self.url}/{file}"} for file in given["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        if name == "Viewer":
            viewer = {
                "id": "v",
                "entity": "lab",
                "username": "member",
                "email": "",
                "flags": "{}",
                "teams": None,
            }
            return {"viewer": viewer, "serverInfo": None}
        return self._answer_about_artifacts(name, given.get("input") or given)

    def _answer_about_artifacts(self, name: str | None, given: dict[str, Any]) -> dict[str, Any]:
        if name == "CreateArtifact":
            artifact = {"id": given["clientID"], "state": "PENDING", "digest": given["digest"]}
            return {"createArtifact": {"artifact": artifact | {"artifactSequence": {"latestArtifact": None}}}}
        if name in ("CreateArtifactManifest", "UpdateArtifactManifest"):
            owner = given.get("artifactID") or given["artifactManifestID"]
            file = {"uploadUrl": f"{self.url}/manifests/{owner}", "uploadHeaders": []}
            answer = {"artifactManifest": {"id": owner, "file": file}}
            return {"createArtifactManifest": answer, "updateArtifactManifest": answer}
        if name == "CreateArtifactFiles":
            files = [self._place_for(file) for file in given["artifactFiles"]]
            return {"createArtifactFiles": {"files": {"edges": [{"node": file} for file in files]}}}
        if name == "CommitArtifact":
            return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": "d"}}}
        if name == "UseArtifact":
            return {"useArtifact": {"artifact": {"id": given["artifactID"]}}}
        return {"model": None, "project": None, "serverInfo": None}

    def _place_for(self, file: dict[str, Any]) -> dict[str, Any]:
        path = f"artifacts/{file['artifactID']}/{file['name']}"
        place = {"uploadUrl": f"{self.url}/{path}", "uploadHeaders": [], "uploadMultipartUrls": None}
        return {"storagePath": path, "name": file["name"], "artifact": {"id": file["artifactID"]}} | place


class _Request(BaseHTTPRequestHandler):
    server: WandbServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        return

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "authorization"}
        self.server.received.append(Received(self.command, self.path, headers, body))
        query = json.loads(body) if self.path == "/graphql" else None
        self.server.asked.append(self.path if query is None else query.get("operationName", ""))
        if self.server.behaviour == "hangs":
            self.server.released.wait()
            return
        is_refused = self.server.refused and self.server.refused in self.path
        if self.server.behaviour == "refuses" or is_refused:
            self.send_error(500)
            return
        answer = {} if query is None else {"data": self.server.answer(query)}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = answer  # noqa: N815
